using RaftKv.Bench.Meters;

namespace RaftKv.Bench;

/// <summary>What a run has measured.</summary>
/// <param name="Elapsed">How long it was measured, without warm-up.</param>
/// <param name="Servers">What each used meanwhile; empty when nothing is known of them.</param>
/// <param name="DeviceWrittenBytes">Written meanwhile, by whomever, to the device that the servers write to; null when it is not known.</param>
/// <param name="ClientCpuMicros">What this process used meanwhile.</param>
/// <param name="MachineCpuMicros">What all processes of this machine used meanwhile, this one and the servers included.</param>
/// <param name="LostConnections">Since the start, warm-up included: those that were open and broke, by reason.</param>
/// <param name="FailedConnects">Likewise: attempts to connect that failed, by reason.</param>
public sealed record LoadResult(
    Tally Tally, TimeSpan Elapsed, IReadOnlyList<ServerUse> Servers, long? DeviceWrittenBytes, long ClientCpuMicros, long MachineCpuMicros,
    IReadOnlyDictionary<string, long> LostConnections, IReadOnlyDictionary<string, long> FailedConnects)
{
    /// <summary>What succeeded, per second.</summary>
    public double Throughput => Tally.Operations / Elapsed.TotalSeconds;

    /// <summary>
    /// The share of one core that this process used: the load is made by one thread, so near 1 it cannot make more, and the servers are
    /// better than they look.
    /// </summary>
    public double ClientBusyShare => ClientCpuMicros / Elapsed.TotalMicroseconds;

    /// <summary>
    /// How many cores other processes of this machine kept busy meanwhile; null when what the servers used is not known. If some servers run
    /// elsewhere it means nothing. Servers' times come in steps, so it may be a little below 0.
    /// </summary>
    public double? OthersBusyCores =>
        Servers.Count == 0 || Servers.Any(server => server.CpuMicros is null) ? null : (MachineCpuMicros - ClientCpuMicros - Servers.Sum(server => server.CpuMicros!.Value)) / Elapsed.TotalMicroseconds;

    /// <summary>A sum over the servers, per operation that succeeded; null when it is not known of every one, or nothing succeeded.</summary>
    public double? PerOperation(Func<ServerUse, long?> figure) =>
        Servers.Count == 0 || Tally.Operations == 0 || Servers.Any(server => figure(server) is null) ? null : Servers.Sum(server => figure(server)!.Value) / (double)Tally.Operations;
}
