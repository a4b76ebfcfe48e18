using System.Collections.Immutable;
using System.Diagnostics;
using RaftKv.Bench;
using RaftKv.Harness.Faults;

namespace RaftKv.Harness.Failover;

/// <summary>What one repetition has shown.</summary>
/// <param name="Bite">If it did not bite, the rest is worth nothing.</param>
internal sealed record Measured(
    FaultBite Bite, DateTimeOffset StruckAt, string LeaderAfter, double GapMillis, double GapStartMillis, double QuietGapMillis, long Acknowledged, ImmutableSortedDictionary<string, long> Refused, ImmutableSortedDictionary<string, long> Unknown);

/// <summary>
/// One repetition: a cluster that is well, a steady stream of writes, the fault hits the leader, the watch until writes are steady again, no more writes, healing, until the cluster is well. Only the watch counts:
/// from the moment before the fault strikes to the moment before it is healed.
/// </summary>
internal sealed class Repetition(FailoverCluster cluster, LeaderFault fault, int seed)
{
    private static readonly TimeSpan FlowPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(1);

    /// <summary>So long more, by chance: faults hit at any moment between two heartbeats.</summary>
    private static readonly TimeSpan MoreAtMost = TimeSpan.FromMilliseconds(400);

    /// <summary>A shard is well again when it has acknowledged a write within this.</summary>
    private static readonly TimeSpan Well = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan WatchAtLeast = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan WatchAtMost = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Throws <see cref="Cluster.NodeDiedException"/> and <see cref="Cluster.ToolFailedException"/>; the fault is healed then, too.</summary>
    public async Task<Measured> RunAsync(CancellationToken stop)
    {
        Leadership before = await cluster.SettledAsync(stop);
        LoadPlan plan = cluster.Load with { Seed = seed };
        AcknowledgementLog log = new(Math.Max(1, plan.Lanes.Length), cluster.Shards);
        Tally tally = new();
        await using Load load = Load.Start(plan, log);
        await FlowAsync(load, log, stop);
        await load.WaitAsync(Steady + (MoreAtMost * new Random(seed).NextDouble()), _ => { }, stop);

        load.CountInto(tally);
        DateTimeOffset struckAt = DateTimeOffset.UtcNow;
        long from = Stopwatch.GetTimestamp();
        long to;
        FaultBite bite;
        try
        {
            await fault.StrikeAsync(cluster, before.Leader);
            await WatchAsync(load, log, before.Led, from, stop);
            load.CountInto(null);
            to = Stopwatch.GetTimestamp();
            await load.StopAsync();
        }
        finally
        {
            bite = await fault.HealAsync(cluster, before.Leader);
        }

        Leadership after = await cluster.SettledAsync(stop);
        WriteGap gap = Longest(log, before.Led, from, to);
        WriteGap quiet = Longest(log, before.Led, from - Ticks(Steady), from);
        return new Measured(
            bite, struckAt, after.Leader.Name, Millis(gap.Length), Millis(gap.Start - from), Millis(quiet.Length), tally.Puts.Count,
            tally.Refused.ToImmutableSortedDictionary(StringComparer.Ordinal), tally.Unknown.ToImmutableSortedDictionary(StringComparer.Ordinal));
    }

    /// <summary>Until every shard takes writes.</summary>
    private async Task FlowAsync(Load load, AcknowledgementLog log, CancellationToken stop)
    {
        Stopwatch watch = Stopwatch.StartNew();
        do
        {
            if (watch.Elapsed > FlowPatience) throw new Cluster.NodeDiedException($"{cluster.System} took no writes for {FlowPatience.TotalSeconds} s though all members said that they were well");
            await load.WaitAsync(LookInterval, _ => { }, stop);
        }
        while (!log.HasSucceededSince(Enumerable.Range(0, cluster.Shards), 0));
    }

    /// <summary>Until every shard that was led by the struck node is well again, and longer.</summary>
    private static async Task WatchAsync(Load load, AcknowledgementLog log, ImmutableArray<int> shards, long from, CancellationToken stop)
    {
        TimeSpan watched;
        do
        {
            await load.WaitAsync(LookInterval, _ => { }, stop);
            watched = Stopwatch.GetElapsedTime(from);
        }
        while (watched < WatchAtLeast || (watched < WatchAtMost && !log.HasSucceededSince(shards, Stopwatch.GetTimestamp() - Ticks(Well))));
    }

    private static WriteGap Longest(AcknowledgementLog log, ImmutableArray<int> shards, long from, long to) => shards.Select(shard => WriteGap.Longest(log.Of(shard), from, to)).MaxBy(gap => gap.Length);

    private static double Millis(long ticks) => Math.Round(ticks * 1000.0 / Stopwatch.Frequency, 1);

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}
