using System.Globalization;

namespace RaftKv.Bench.Meters;

/// <summary>Processes of this machine, whatever they are.</summary>
public sealed class ProcessMeter(IReadOnlyList<int> processIds) : IServerMeter
{
    /// <inheritdoc/>
    public Task<IReadOnlyList<ServerSample>> SampleAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<ServerSample>>([.. processIds.SelectMany(Sample)]);

    private static IEnumerable<ServerSample> Sample(int processId)
    {
        ProcessFigures? figures = TryRead(processId);
        return figures is null ? [] : [new ServerSample($"pid {processId.ToString(CultureInfo.InvariantCulture)}", processId, figures.CpuMicros, figures.ResidentBytes, figures.DirtiedBytes)];
    }

    /// <summary>Null when there is no such process any more.</summary>
    internal static ProcessFigures? TryRead(int processId)
    {
        try
        {
            return ProcessFigures.Read(processId);
        }
        catch (LoadException)
        {
            return null;
        }
    }
}
