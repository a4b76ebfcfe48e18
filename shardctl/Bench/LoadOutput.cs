using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Bench.Meters;

namespace RaftKv.Shardctl.Bench;

// What bench -o json writes; as stable as the documents of OutputJson. Null is unknown, or does not apply. Latencies are of what
// succeeded, by a histogram that is at most 0.8 % too high.

/// <summary>bench.</summary>
/// <param name="Protocol">http1, http2 or grpc.</param>
/// <param name="AbsentGets">Of the gets that succeeded, those of a key without a value.</param>
/// <param name="Refused">Puts that were definitely not applied, by reason; a node's reasons are its error codes.</param>
/// <param name="Unknown">Puts that may have been applied, by reason.</param>
/// <param name="FailedGets">Gets without an answer, by reason.</param>
/// <param name="LostConnections">Since the start, warm-up included, by reason.</param>
/// <param name="FailedConnects">Likewise.</param>
/// <param name="ClientBusyShare">Of one core, by this process; near 1 it is what limits.</param>
/// <param name="OthersBusyCores">By other processes of this machine, if all servers run on it: what spoils a comparison.</param>
/// <param name="DeviceBytesPerOperation">Written, by whomever, to the device under the servers of a comparison.</param>
/// <param name="Total">All servers together; null when nothing is known of them.</param>
internal sealed record LoadOutput(
    string Target, string Protocol, ImmutableArray<string> Endpoints, int Clients, int Connections, int ValueBytes, int Keys, double ReadShare, bool IdempotencyKeys, int Seed,
    double WarmUpSeconds, double Seconds, double OperationsPerSecond, LatencyOutput? Puts, LatencyOutput? Gets, long AbsentGets,
    IReadOnlyDictionary<string, long> Refused, IReadOnlyDictionary<string, long> Unknown, IReadOnlyDictionary<string, long> FailedGets,
    IReadOnlyDictionary<string, long> LostConnections, IReadOnlyDictionary<string, long> FailedConnects,
    double? ClientCpuMicrosPerOperation, double ClientBusyShare, double? OthersBusyCores, double? DeviceBytesPerOperation, UseOutput? Total, ImmutableArray<UseOutput> Servers)
{
    public static LoadOutput Of(LoadPlan plan, LoadResult load) => new(
        plan.Protocol == LoadProtocol.EtcdGrpc ? "etcd" : "raftkv",
        plan.Protocol switch { LoadProtocol.RaftKvHttp1 => "http1", LoadProtocol.RaftKvHttp2 => "http2", _ => "grpc" },
        [.. plan.Endpoints.Select(endpoint => endpoint.ToString())], plan.Clients, plan.Connections, plan.ValueBytes, plan.Keys, plan.ReadShare, plan.HasIdempotencyKeys, plan.Seed,
        plan.WarmUp.TotalSeconds, Round(load.Elapsed.TotalSeconds), Round(load.Throughput),
        LatencyOutput.Of(load.Tally.Puts, load.Elapsed), LatencyOutput.Of(load.Tally.Gets, load.Elapsed), load.Tally.Absent,
        load.Tally.Refused, load.Tally.Unknown, load.Tally.FailedGets, load.LostConnections, load.FailedConnects,
        PerOperation(load, load.ClientCpuMicros), Round(load.ClientBusyShare), load.OthersBusyCores is { } others ? Round(others) : null, PerOperation(load, load.DeviceWrittenBytes),
        load.Servers.Count == 0 ? null : UseOutput.Total(load), [.. load.Servers.Select(server => UseOutput.Of(server, load.Tally.Operations))]);

    private static double? PerOperation(LoadResult load, long? figure) => load.Tally.Operations == 0 || figure is null ? null : Round(figure.Value / (double)load.Tally.Operations);

    /// <summary>Three decimals are more than any of these figures is worth.</summary>
    public static double Round(double figure) => Math.Round(figure, 3);
}

/// <summary>How many, and how long each took.</summary>
internal sealed record LatencyOutput(long Count, double PerSecond, double MeanMicros, long P50Micros, long P90Micros, long P99Micros, long P999Micros, long MaxMicros)
{
    /// <summary>Null when there is none.</summary>
    public static LatencyOutput? Of(LatencyHistogram latencies, TimeSpan elapsed) => latencies.Count == 0 ? null : new LatencyOutput(
        latencies.Count, LoadOutput.Round(latencies.Count / elapsed.TotalSeconds), LoadOutput.Round(latencies.MeanMicros),
        latencies.PercentileMicros(0.5), latencies.PercentileMicros(0.9), latencies.PercentileMicros(0.99), latencies.PercentileMicros(0.999), latencies.MaxMicros);
}

/// <summary>What a server used for each operation that succeeded, whichever server answered it.</summary>
/// <param name="DirtiedBytesPerOperation">Of pages it made dirty, as Linux accounts them: with large folios up to megabytes for a byte that changes.</param>
/// <param name="ResidentBytes">At the end.</param>
internal sealed record UseOutput(
    string Name, int? Pid, double? CpuMicrosPerOperation, double? AllocatedBytesPerOperation, double? DirtiedBytesPerOperation, double? LogBytesPerOperation, double? LogSyncsPerOperation,
    long? ResidentBytes, long? GcCollections, long? GcPauseMillis)
{
    public static UseOutput Of(ServerUse use, long operations)
    {
        return new UseOutput(
            use.Name, use.ProcessId, Per(use.CpuMicros), Per(use.AllocatedBytes), Per(use.DirtiedBytes), Per(use.LogBytes), Per(use.LogSyncs), use.ResidentBytes, use.GcCollections, use.GcPauseMillis);

        double? Per(long? figure) => operations == 0 || figure is null ? null : LoadOutput.Round(figure.Value / (double)operations);
    }

    /// <summary>The sum; a figure that is not known of one server is not known.</summary>
    public static UseOutput Total(LoadResult load)
    {
        return new UseOutput(
            "all", null, Per(use => use.CpuMicros), Per(use => use.AllocatedBytes), Per(use => use.DirtiedBytes), Per(use => use.LogBytes), Per(use => use.LogSyncs),
            Sum(use => use.ResidentBytes), Sum(use => use.GcCollections), Sum(use => use.GcPauseMillis));

        double? Per(Func<ServerUse, long?> figure) => load.PerOperation(figure) is { } perOperation ? LoadOutput.Round(perOperation) : null;
        long? Sum(Func<ServerUse, long?> figure) => load.Servers.Any(server => figure(server) is null) ? null : load.Servers.Sum(figure);
    }
}
