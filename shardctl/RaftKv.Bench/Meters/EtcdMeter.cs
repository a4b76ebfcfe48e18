using System.Globalization;
using RaftKv.Client;

namespace RaftKv.Bench.Meters;

/// <summary>An etcd member of this machine.</summary>
public sealed record EtcdMember(string Name, ClientEndpoint Endpoint, int ProcessId);

/// <summary>etcd's members: what Linux says of them, and the syncs of their log by their own metrics.</summary>
public sealed class EtcdMeter(HttpClient http, Func<IReadOnlyList<EtcdMember>> members) : IServerMeter
{
    private const string SyncCount = "etcd_disk_wal_fsync_duration_seconds_count";

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ServerSample>> SampleAsync(CancellationToken cancellation)
    {
        ServerSample?[] samples = await Task.WhenAll(members().Select(member => SampleAsync(member, cancellation)));
        return [.. samples.OfType<ServerSample>()];
    }

    /// <summary>The value of a metric without labels in Prometheus' text, or null when it is not there.</summary>
    public static double? MetricIn(string text, string name)
    {
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (!line.StartsWith(name, StringComparison.Ordinal) || line.Length <= name.Length || line[name.Length] != ' ') continue;
            return double.TryParse(line[(name.Length + 1)..], CultureInfo.InvariantCulture, out double value) ? value : null;
        }

        return null;
    }

    private async Task<ServerSample?> SampleAsync(EtcdMember member, CancellationToken cancellation)
    {
        if (ProcessMeter.TryRead(member.ProcessId) is not { } figures) return null;
        double? syncs = await MetricAsync(http, member.Endpoint, SyncCount, cancellation);
        return new ServerSample(member.Name, member.ProcessId, figures.CpuMicros, figures.ResidentBytes, figures.DirtiedBytes, (long?)syncs);
    }

    /// <summary>A metric of a server, or null when it does not answer.</summary>
    public static async Task<double?> MetricAsync(HttpClient http, ClientEndpoint endpoint, string name, CancellationToken cancellation)
    {
        try
        {
            return MetricIn(await http.GetStringAsync(new Uri(endpoint.Url, "metrics"), cancellation), name);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
    }
}
