using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>What a put allocates on the leader's node and on each follower's, alone and beside 63 idle shards.</summary>
internal static class AllocationsSuite
{
    public const string Name = "allocations";
    private const int Clients = 64;
    private const int ManyShards = 64;
    private const double MaxLeaderBytes = 2048;
    private const double MaxFollowerBytes = 512;
    private const double MaxDifference = 0.05;

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        AllocationOutput alone = await MeasureAsync(settings, 1, "one shard", progress, cancellation);
        AllocationOutput crowded = await MeasureAsync(settings, ManyShards, $"one shard beside {ManyShards - 1} idle ones", progress, cancellation);
        string title = $"allocated per put, {Clients} clients at the leader over HTTP/1.1, {settings.AllocationTime.TotalSeconds} s";
        return new BenchOutput(Name, title, Judge(alone, crowded), Allocations: [alone, crowded]);
    }

    /// <param name="alone">One shard.</param>
    /// <param name="crowded">The same load with many idle shards beside it.</param>
    internal static ImmutableArray<FindingOutput> Judge(AllocationOutput alone, AllocationOutput crowded)
    {
        double? follower = MoreOf(alone.FollowerBytesPerPut);
        return
        [
            new FindingOutput("bytes on the leader", alone.LeaderBytesPerPut, $"≤ {MaxLeaderBytes}", alone.LeaderBytesPerPut <= MaxLeaderBytes),
            new FindingOutput("bytes on a follower, the larger", follower, $"≤ {MaxFollowerBytes}", follower <= MaxFollowerBytes),
            Difference("the leader", alone.LeaderBytesPerPut, crowded.LeaderBytesPerPut),
            Difference("a follower, the larger", follower, MoreOf(crowded.FollowerBytesPerPut)),
            Difference("a follower, the smaller", LessOf(alone.FollowerBytesPerPut), LessOf(crowded.FollowerBytesPerPut)),
        ];
    }

    /// <summary>Which node follows is chance: the follower that allocates more is compared with the one that does so in the other run.</summary>
    private static FindingOutput Difference(string where, double? alone, double? crowded)
    {
        double? difference = crowded / alone - 1;
        return new FindingOutput($"more on {where}, beside {ManyShards - 1} idle shards", difference is { } share ? LoadOutput.Round(share) : null, $"within {MaxDifference}", Math.Abs(difference ?? 1) <= MaxDifference);
    }

    /// <summary>Not known unless it is of each.</summary>
    private static double? MoreOf(ImmutableArray<double?> bytes) => bytes.Contains(null) ? null : bytes.Max();

    private static double? LessOf(ImmutableArray<double?> bytes) => bytes.Contains(null) ? null : bytes.Min();

    private static async Task<AllocationOutput> MeasureAsync(CompareSettings settings, int shards, string load, StepProgress progress, CancellationToken cancellation)
    {
        await using RaftKvCluster cluster = settings.NewRaftKv(shards);
        progress.Step($"{load}: starting");
        await cluster.StartAsync(cancellation);
        BenchServer leader = await cluster.LeaderAsync(cancellation);
        progress.Step($"{load}: counting for {settings.AllocationTime.TotalSeconds} s");
        LoadPlan plan = Loads.Own(LoadProtocol.RaftKvHttp1, Clients);
        ImmutableArray<ImmutableArray<int>> lanes = KeySpace.LanesOf(cluster.Map, [cluster.Map.Shards[0].Id], plan.Keys);
        plan = plan with { Endpoints = [leader.Endpoint], Lanes = lanes, WarmUp = settings.WarmUp, Duration = settings.AllocationTime, Seed = settings.Seed };
        LoadResult result = await LoadRun.RunAsync(plan, cluster.Meter, null, progress.Detail, cancellation);
        return new AllocationOutput(load, LoadOutput.Round(result.Throughput), PerPut(result, leader.Name), [.. cluster.Servers.Where(server => server != leader).Select(server => PerPut(result, server.Name))]);
    }

    private static double? PerPut(LoadResult result, string node)
    {
        ServerUse? use = result.Servers.FirstOrDefault(server => server.Name == node);
        return use?.AllocatedBytes is { } bytes && result.Tally.Operations > 0 ? LoadOutput.Round(bytes / (double)result.Tally.Operations) : null;
    }
}
