using System.Collections.Immutable;

namespace RaftKv.Shardctl.Bench;

// What bench compare -o json writes; as stable as the documents of OutputJson.

/// <summary>bench compare.</summary>
internal sealed record CompareOutput(EnvironmentOutput Environment, ImmutableArray<BenchOutput> Benches);

/// <summary>Where and with what it was measured.</summary>
/// <param name="EtcdVersion">As etcd says it.</param>
/// <param name="LoadAverage">Of the last minute, before it began: what else the machine had to do.</param>
/// <param name="Seconds">Each load was measured for so long, in each round.</param>
internal sealed record EnvironmentOutput(
    string RaftKvProgram, string EtcdProgram, string EtcdVersion, int Cores, string Kernel, string Filesystem, double LoadAverage, int Rounds, double Seconds, double WarmUpSeconds, int Seed);

/// <summary>One bench; of the lists those that it has are there, the others are null.</summary>
internal sealed record BenchOutput(
    string Bench, string Title, ImmutableArray<FindingOutput> Findings, ImmutableArray<CaseOutput>? Loads = null, ImmutableArray<IdleOutput>? Idle = null,
    ImmutableArray<KillsOutput>? Kills = null, ImmutableArray<AllocationOutput>? Allocations = null);

/// <summary>A figure that has a goal.</summary>
/// <param name="Goal">In words.</param>
internal sealed record FindingOutput(string Figure, double? Value, string Goal, bool? IsReached);

/// <summary>The median of several rounds, and how far they lie apart.</summary>
internal sealed record SpreadOutput(double Median, double Lowest, double Highest)
{
    /// <summary>Null when there is none, or one is not known.</summary>
    public static SpreadOutput? Of(IEnumerable<double?> figures)
    {
        double?[] all = [.. figures.Order()];
        if (all.Length == 0 || all[0] is null) return null;
        double median = (all[(all.Length - 1) / 2]!.Value + all[all.Length / 2]!.Value) / 2;
        return new SpreadOutput(LoadOutput.Round(median), LoadOutput.Round(all[0]!.Value), LoadOutput.Round(all[^1]!.Value));
    }
}

/// <summary>One load on one cluster, in several rounds.</summary>
/// <param name="ComparedWith">The load and the cluster that <c>ratio</c> and <c>p99Ratio</c> are to; null when it is compared with none.</param>
/// <param name="Ratio">Of operations per second, taken within each round.</param>
/// <param name="P99Ratio">Likewise of the 99th percentile.</param>
/// <param name="OthersBusyCores">By processes that have nothing to do with the comparison.</param>
/// <param name="Failures">Of all rounds; by kind and reason in <paramref name="Rounds"/>.</param>
internal sealed record CaseOutput(
    string Load, string System, string? ComparedWith, SpreadOutput? OperationsPerSecond, SpreadOutput? Ratio, SpreadOutput? P50Micros, SpreadOutput? P99Micros, SpreadOutput? P99Ratio,
    SpreadOutput? CpuMicrosPerOperation, SpreadOutput? ClientCpuMicrosPerOperation, SpreadOutput? DeviceBytesPerOperation, SpreadOutput? LogSyncsPerOperation, SpreadOutput? OthersBusyCores, long Failures,
    ImmutableArray<LoadOutput> Rounds);

/// <summary>A cluster without clients.</summary>
/// <param name="CoreShare">CPU time of all its processes, as a share of one core.</param>
/// <param name="AllocatedBytesPerSecond">By each server, on its managed heap.</param>
/// <param name="Gc">How the garbage collector is set up; null where there is none.</param>
internal sealed record IdleOutput(string System, int Shards, double Seconds, double CoreShare, ImmutableArray<UseOutput> Servers, ImmutableArray<double?> AllocatedBytesPerSecond, string? Gc);

/// <summary>How long no write to the shards of a killed leader succeeded, for each kill in its turn.</summary>
internal sealed record KillsOutput(string System, int Shards, int Clients, SpreadOutput? LongestGapMillis, ImmutableArray<double> GapMillis);

/// <summary>What a put allocates on the managed heap.</summary>
internal sealed record AllocationOutput(string Load, double PutsPerSecond, double? LeaderBytesPerPut, ImmutableArray<double?> FollowerBytesPerPut);
