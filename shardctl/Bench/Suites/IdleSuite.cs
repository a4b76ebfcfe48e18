using RaftKv.Bench.Meters;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>What fresh clusters without clients use: RaftKv with 64 shards, then etcd.</summary>
internal static class IdleSuite
{
    public const string Name = "idle";
    private const int Shards = 64;
    private const double MaxCoreShare = 0.02;
    private const long MaxResidentBytes = 200 * 1024 * 1024;

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        IdleOutput raftKv = await MeasureAsync(settings.NewRaftKv(Shards), Shards, settings, progress, cancellation);
        IdleOutput etcd = await MeasureAsync(settings.NewEtcd(), 1, settings, progress, cancellation);
        double? resident = raftKv.Servers.Max(server => server.ResidentBytes);
        return new BenchOutput(
            Name, "fresh and idle, three nodes",
            [
                new FindingOutput($"share of a core, {Shards} shards", raftKv.CoreShare, $"< {MaxCoreShare}", raftKv.CoreShare < MaxCoreShare),
                new FindingOutput($"largest node resident, {Shards} shards, MiB", LoadOutput.Round(resident / 1024 / 1024 ?? double.NaN), "< 200", resident < MaxResidentBytes),
            ],
            Idle: [raftKv, etcd]);
    }

    private static async Task<IdleOutput> MeasureAsync(BenchCluster cluster, int shards, CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using (cluster)
        {
            progress.Step($"{cluster.Name}: starting");
            await cluster.StartAsync(cancellation);
            progress.Step($"{cluster.Name}: leaving it alone for {settings.IdleTime.TotalSeconds} s");
            await Task.Delay(settings.IdleTime, cancellation);
            progress.Step($"{cluster.Name}: watching it for {settings.IdleTime.TotalSeconds} s");
            ProcessMeter processes = new([.. cluster.Servers.Select(server => server.ProcessId)]);
            (IReadOnlyList<ServerUse> uses, _) = await WatchAsync(processes, settings, cancellation);
            double cpuMicros = uses.Sum(use => use.CpuMicros ?? 0);
            // Only then are they asked what they allocate: a server that answers does not idle. Compiling the code that answers costs it some 300 ms
            // of CPU, and the end of the connection a minute later some 200 ms.
            progress.Step($"{cluster.Name}: asking what it allocates in {settings.IdleTime.TotalSeconds} s");
            (uses, string? gc) = await WatchAsync(cluster.Meter, settings, cancellation);
            return new IdleOutput(
                cluster.Name, shards, settings.IdleTime.TotalSeconds, LoadOutput.Round(cpuMicros / settings.IdleTime.TotalMicroseconds), [.. uses.Select(use => UseOutput.Of(use, 0))],
                [.. uses.Select(use => use.AllocatedBytes is { } bytes ? LoadOutput.Round(bytes / settings.IdleTime.TotalSeconds) : (double?)null)], gc);
        }
    }

    /// <summary>What is used in the idle time, and how the garbage collector is set up.</summary>
    private static async Task<(IReadOnlyList<ServerUse> Uses, string? Gc)> WatchAsync(IServerMeter meter, CompareSettings settings, CancellationToken cancellation)
    {
        IReadOnlyList<ServerSample> before = await meter.SampleAsync(cancellation);
        await Task.Delay(settings.IdleTime, cancellation);
        IReadOnlyList<ServerSample> after = await meter.SampleAsync(cancellation);
        return (ServerUse.Between(before, after), after[0].Gc);
    }
}
