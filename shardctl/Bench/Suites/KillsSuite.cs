using System.Diagnostics;
using RaftKv.Bench;
using RaftKv.Client;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>
/// kill -9 of a leader under load, again and again: how long no write to its shards succeeds. Clients are connected to all servers, give a request up
/// after a short while and make another, each client for one shard: so the gap is the servers', but for that while.
/// </summary>
internal static class KillsSuite
{
    public const string Name = "kills";
    private const int Clients = 32;
    private const int Shards = 8;
    private const double MaxMedianMillis = 1000;
    private const double MaxWorstMillis = 2000;
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LoadBefore = TimeSpan.FromSeconds(2);

    /// <summary>A shard is well again when there was a success within this.</summary>
    private static readonly TimeSpan Well = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WatchAtLeast = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan WatchAtMost = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        KillsOutput raftKv = await RunRaftKvAsync(settings, progress, cancellation);
        KillsOutput etcd = await RunEtcdAsync(settings, progress, cancellation);
        return new BenchOutput(
            Name, $"kill -9 of a leader under load, {settings.Kills} times: longest gap without a successful write",
            [
                new FindingOutput("median gap, ms", raftKv.LongestGapMillis?.Median, $"< {MaxMedianMillis}", raftKv.LongestGapMillis?.Median < MaxMedianMillis),
                new FindingOutput("worst gap, ms", raftKv.LongestGapMillis?.Highest, $"< {MaxWorstMillis}", raftKv.LongestGapMillis?.Highest < MaxWorstMillis),
            ],
            Kills: [raftKv, etcd]);
    }

    private static async Task<KillsOutput> RunRaftKvAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using RaftKvCluster cluster = settings.NewRaftKv(Shards);
        ulong[] shards = [.. cluster.Map.Shards.Select(shard => shard.Id)];
        LoadPlan plan = Loads.Own(LoadProtocol.RaftKvHttp1, Clients);
        plan = plan with { Lanes = KeySpace.LanesOf(cluster.Map, shards, plan.Keys) };
        return await RunAsync(cluster, plan, async leader => [.. (await cluster.ShardsLedByAsync(leader, cancellation)).Select(shard => Array.IndexOf(shards, shard))], settings, progress, cancellation);
    }

    private static async Task<KillsOutput> RunEtcdAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using EtcdCluster cluster = settings.NewEtcd();
        return await RunAsync(cluster, Loads.Own(LoadProtocol.EtcdGrpc, Clients), _ => Task.FromResult<int[]>([0]), settings, progress, cancellation);
    }

    /// <param name="lanesOf">The lanes of keys that a server leads.</param>
    private static async Task<KillsOutput> RunAsync(
        BenchCluster cluster, LoadPlan plan, Func<BenchServer, Task<int[]>> lanesOf, CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        progress.Step($"starting {cluster.Name}");
        await cluster.StartAsync(cancellation);
        int lanes = Math.Max(1, plan.Lanes.Length);
        GapWatch gaps = new(lanes, Stopwatch.GetTimestamp());
        ClientEndpoint[] endpoints = [.. cluster.Servers.Select(server => server.Endpoint)];
        await using Load load = Load.Start(plan with { Endpoints = [.. endpoints], RequestTimeout = RequestTimeout, Seed = settings.Seed }, gaps);
        List<double> millis = [];
        while (millis.Count < settings.Kills)
        {
            progress.Step($"{cluster.Name}: kill {millis.Count + 1} of {settings.Kills}");
            BenchServer leader = await cluster.LeaderAsync(cancellation);
            await load.WaitAsync(LoadBefore, _ => { }, cancellation);
            int[] led = await lanesOf(leader);
            if (led.Length == 0) continue; // It has lost its leadership just now.
            gaps.Reset();
            await leader.KillAsync();
            millis.Add(LoadOutput.Round((await WatchAsync(load, gaps, led, cancellation)).TotalMilliseconds));
            leader.Start();
            await cluster.WaitReadyAsync(cancellation);
        }

        await load.StopAsync();
        return new KillsOutput(cluster.Name, lanes, plan.Clients, SpreadOutput.Of(millis.Select(gap => (double?)gap)), [.. millis]);
    }

    /// <summary>Until every lane is well again; the longest gap meanwhile.</summary>
    private static async Task<TimeSpan> WatchAsync(Load load, GapWatch gaps, int[] lanes, CancellationToken cancellation)
    {
        Stopwatch watch = Stopwatch.StartNew();
        long wellTicks = (long)(Well.TotalSeconds * Stopwatch.Frequency);
        do await load.WaitAsync(LookInterval, _ => { }, cancellation);
        while (watch.Elapsed < WatchAtLeast || (watch.Elapsed < WatchAtMost && !gaps.HasSucceededSince(lanes, Stopwatch.GetTimestamp() - wellTicks)));
        return Stopwatch.GetElapsedTime(0, gaps.Longest(lanes, Stopwatch.GetTimestamp()));
    }
}
