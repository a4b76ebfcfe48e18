namespace RaftKv.Bench.Meters;

/// <summary>What a server has used since its start. What is not known is null.</summary>
/// <param name="Name">Of the node, or its process id.</param>
/// <param name="DirtiedBytes">Of pages it made dirty, as Linux accounts them: see <see cref="BlockDevice"/>.</param>
/// <param name="LogSyncs">Syncs of its consensus log.</param>
/// <param name="LogBytes">Written to its consensus log, padding included.</param>
/// <param name="AllocatedBytes">On the managed heap.</param>
/// <param name="GcPauseMillis">For so long its garbage collector has stopped it.</param>
/// <param name="Gc">How its garbage collector is set up, in words.</param>
public sealed record ServerSample(
    string Name, int? ProcessId, long? CpuMicros, long? ResidentBytes, long? DirtiedBytes = null, long? LogSyncs = null, long? LogBytes = null, long? AllocatedBytes = null,
    long? GcCollections = null, long? GcPauseMillis = null, string? Gc = null);

/// <summary>What a server has used between two samples.</summary>
/// <param name="ResidentBytes">At the end.</param>
public sealed record ServerUse(
    string Name, int? ProcessId, long? CpuMicros, long? ResidentBytes, long? DirtiedBytes, long? LogSyncs, long? LogBytes, long? AllocatedBytes, long? GcCollections, long? GcPauseMillis)
{
    public static ServerUse Between(ServerSample before, ServerSample after) => new(
        after.Name, after.ProcessId, after.CpuMicros - before.CpuMicros, after.ResidentBytes, after.DirtiedBytes - before.DirtiedBytes, after.LogSyncs - before.LogSyncs,
        after.LogBytes - before.LogBytes, after.AllocatedBytes - before.AllocatedBytes, after.GcCollections - before.GcCollections, after.GcPauseMillis - before.GcPauseMillis);

    /// <summary>Of those servers that are in both lists and were not started anew in between.</summary>
    public static IReadOnlyList<ServerUse> Between(IReadOnlyList<ServerSample> before, IReadOnlyList<ServerSample> after) =>
    [
        .. from now in after
           join then in before on (now.Name, now.ProcessId) equals (then.Name, then.ProcessId)
           select Between(then, now),
    ];
}

/// <summary>Asks the servers under load what they have used.</summary>
public interface IServerMeter
{
    /// <summary>A sample of each server that answers. Never throws because one does not.</summary>
    Task<IReadOnlyList<ServerSample>> SampleAsync(CancellationToken cancellation);
}
