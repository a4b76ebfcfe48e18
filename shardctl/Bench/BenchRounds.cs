using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Client;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench;

/// <summary>Puts several loads on several clusters, in turn, several times over. Only one cluster runs at a time: the others are held.</summary>
internal sealed class BenchRounds(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
{
    /// <summary>A run during which leadership moved is made anew, this often.</summary>
    private const int MaxRepeats = 3;
    private BenchCluster? _running;

    /// <summary>Starts the clusters, and leaves all but the last held.</summary>
    public async Task StartAsync(params IReadOnlyList<BenchCluster> clusters)
    {
        foreach (BenchCluster cluster in clusters)
        {
            progress.Step($"starting {cluster.Name}");
            _running?.Pause();
            await cluster.StartAsync(cancellation);
            _running = cluster;
        }
    }

    /// <summary>Writes every key of the case's plan, at the leader of its cluster.</summary>
    public async Task FillAsync(BenchCase filled)
    {
        progress.Step($"writing the keys of {filled.Cluster.Name}");
        await SwitchToAsync(filled.Cluster);
        BenchServer leader = await filled.Cluster.LeaderAsync(cancellation);
        await LoadRun.FillAsync(filled.Plan with { Endpoints = [leader.Endpoint], Seed = settings.Seed }, progress.Detail, cancellation);
    }

    /// <summary>In each round every case once; every other round in the opposite order.</summary>
    public async Task<ImmutableArray<CaseOutput>> RunAsync(IReadOnlyList<BenchCase> cases)
    {
        Dictionary<BenchCase, List<LoadOutput>> rounds = cases.ToDictionary(one => one, _ => new List<LoadOutput>());
        for (int round = 1; round <= settings.Rounds; round++)
        {
            foreach ((int number, BenchCase one) in round % 2 == 1 ? cases.Index() : cases.Index().Reverse())
            {
                progress.Step($"round {round} of {settings.Rounds}: {one.Cluster.Name}, {one.Load}");
                await SwitchToAsync(one.Cluster);
                // A seed of its own for each: the same puts again would be data that compresses as no real data does.
                rounds[one].Add(await RunAsync(one, settings.Seed + (round * cases.Count) + number));
            }
        }

        return [.. cases.Select(one => Summarise(one, rounds))];
    }

    internal static CaseOutput Summarise(BenchCase one, IReadOnlyDictionary<BenchCase, List<LoadOutput>> rounds)
    {
        List<LoadOutput> own = rounds[one];
        List<LoadOutput>? other = one.ComparedWith is { } compared ? rounds[compared] : null;
        return new CaseOutput(
            one.Load, one.Cluster.Name, one.ComparedWith is { } with ? $"{with.Cluster.Name}, {with.Load}" : null,
            Of(load => load.OperationsPerSecond), Ratio(load => load.OperationsPerSecond), Of(P50), Of(P99), Ratio(P99),
            Of(load => load.Total?.CpuMicrosPerOperation), Of(load => load.ClientCpuMicrosPerOperation), Of(load => load.DeviceBytesPerOperation), Of(load => load.Total?.LogSyncsPerOperation), Of(load => load.OthersBusyCores),
            own.Sum(FailuresOf), [.. own]);

        SpreadOutput? Of(Func<LoadOutput, double?> figure) => SpreadOutput.Of(own.Select(figure));
        SpreadOutput? Ratio(Func<LoadOutput, double?> figure) => other is null ? null : SpreadOutput.Of(own.Zip(other, (mine, its) => figure(mine) / figure(its)));
        static double? P50(LoadOutput load) => (load.Puts ?? load.Gets)?.P50Micros;
        static double? P99(LoadOutput load) => (load.Puts ?? load.Gets)?.P99Micros;
        static long FailuresOf(LoadOutput load) => load.Refused.Values.Sum() + load.Unknown.Values.Sum() + load.FailedGets.Values.Sum();
    }

    private async Task SwitchToAsync(BenchCluster cluster)
    {
        if (_running == cluster) return;
        _running?.Pause();
        progress.Detail("waking up");
        await cluster.ResumeAsync(cancellation);
        _running = cluster;
    }

    private async Task<LoadOutput> RunAsync(BenchCase one, int seed)
    {
        for (int attempt = 1; ; attempt++)
        {
            progress.Detail("looking for the leader");
            BenchServer leader = await one.Cluster.LeaderAsync(cancellation);
            ImmutableArray<ClientEndpoint> endpoints = one.IsSpread ? [.. one.Cluster.Servers.Select(server => server.Endpoint)] : [leader.Endpoint];
            LoadPlan plan = one.Plan with { Endpoints = endpoints, WarmUp = settings.WarmUp, Duration = settings.Duration, Seed = seed };
            LoadResult result = await LoadRun.RunAsync(plan, one.Cluster.Meter, BlockDevice.Under(settings.Directory), progress.Detail, cancellation);
            if (attempt == MaxRepeats || await one.Cluster.LeaderAsync(cancellation) == leader) return LoadOutput.Of(plan, result);
            progress.Step($"leadership of {one.Cluster.Name} moved meanwhile: once more");
        }
    }
}
