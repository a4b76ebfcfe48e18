using RaftKv.Bench.Meters;

namespace RaftKv.Bench;

/// <summary>What a run has measured.</summary>
/// <param name="Elapsed">How long it was measured, without warm-up.</param>
/// <param name="Servers">What each used meanwhile; empty when nothing is known of them.</param>
/// <param name="DeviceWrittenBytes">Written meanwhile, by whomever, to the device that the servers write to; null when it is not known.</param>
/// <param name="ClientCpuMicros">What this process used meanwhile.</param>
/// <param name="LostConnections">Since the start, warm-up included: those that were open and broke, by reason.</param>
/// <param name="FailedConnects">Likewise: attempts to connect that failed, by reason.</param>
public sealed record LoadResult(
    Tally Tally, TimeSpan Elapsed, IReadOnlyList<ServerUse> Servers, long? DeviceWrittenBytes, long ClientCpuMicros,
    IReadOnlyDictionary<string, long> LostConnections, IReadOnlyDictionary<string, long> FailedConnects)
{
    /// <summary>What succeeded, per second.</summary>
    public double Throughput => Tally.Operations / Elapsed.TotalSeconds;

    /// <summary>
    /// The share of one core that this process used: the load is made by one thread, so near 1 it cannot make more, and the servers are
    /// better than they look.
    /// </summary>
    public double ClientBusyShare => ClientCpuMicros / Elapsed.TotalMicroseconds;

    /// <summary>A sum over the servers, per operation that succeeded; null when it is not known of every one, or nothing succeeded.</summary>
    public double? PerOperation(Func<ServerUse, long?> figure) =>
        Servers.Count == 0 || Tally.Operations == 0 || Servers.Any(server => figure(server) is null) ? null : Servers.Sum(server => figure(server)!.Value) / (double)Tally.Operations;
}
