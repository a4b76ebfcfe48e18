using System.Diagnostics;
using System.Globalization;
using RaftKv.Bench;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Failover;

/// <summary>How a failover benchmark is to be made.</summary>
/// <param name="Repetitions">Of each fault, with each system.</param>
/// <param name="Etcd">The program; null: RaftKv alone.</param>
/// <param name="IsHttp1">RaftKv is spoken to over HTTP/1.1; else over HTTP/2, as etcd is.</param>
/// <param name="Build">Of raftkv-node.</param>
/// <param name="Directory">Absolute, on a disk; the results are in it, and while clusters run their data.</param>
internal sealed record FailoverSettings(IReadOnlyList<string> Faults, int Repetitions, int Shards, bool IsHttp1, int Seed, string NodeProgram, string Build, string? Etcd, string Directory)
{
    public string ResultsFile => Path.Combine(Directory, "results.jsonl");

    public IReadOnlyList<string> Systems => Etcd is null ? [RaftKvFailover.Name] : [RaftKvFailover.Name, EtcdFailover.Name];
}

/// <summary>A repetition could not be made, however often it was tried; the message says why.</summary>
internal sealed class FailoverFailedException(string message) : Exception(message);

/// <summary>Makes the repetitions that are missing. Clusters of all systems run side by side, only one is written to at a time.</summary>
/// <param name="progress">Told each step.</param>
internal sealed class FailoverRun(FailoverSettings settings, StepProgress progress) : IAsyncDisposable
{
    private const int Tries = 3;

    /// <summary>Then clusters are made anew: what they hold stays small.</summary>
    private const int RepetitionsPerCluster = 25;
    private readonly Dictionary<string, FailoverCluster> _clusters = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private int _made;

    /// <summary>Returns all results, those of earlier starts included. Throws <see cref="FailoverFailedException"/>.</summary>
    public async Task<IReadOnlyList<FailoverResult>> RunAsync(CancellationToken stop)
    {
        PlannedRepetition[] plan = [.. FailoverPlan.Of(settings.Faults, settings.Repetitions, settings.Systems)];
        Dictionary<PlannedRepetition, FailoverResult> done = FailoverPlan.ReadDone(settings.ResultsFile, settings.Build, settings.Shards, settings.IsHttp1);
        PlannedRepetition[] missing = [.. plan.Where(planned => !done.ContainsKey(planned))];
        if (missing.Length < plan.Length) progress.Step($"{plan.Length - missing.Length} of {plan.Length} repetitions of build {settings.Build} were made before");
        foreach (var life in missing.GroupBy(planned => (planned.Fault, Life: (planned.Number - 1) / RepetitionsPerCluster)))
        {
            string directory = Path.Combine(settings.Directory, string.Create(CultureInfo.InvariantCulture, $"{life.Key.Fault}-{life.Key.Life + 1}"));
            foreach (PlannedRepetition planned in life)
            {
                FailoverResult result = await MakeAsync(planned, directory, stop);
                FailoverPlan.Append(settings.ResultsFile, result);
                done[planned] = result;
                _made++;
                progress.Step(Line(result, missing.Length));
            }

            await EndClustersAsync();
        }

        return [.. plan.Select(planned => done[planned])];
    }

    public async ValueTask DisposeAsync() => await EndClustersAsync();

    private async Task<FailoverResult> MakeAsync(PlannedRepetition planned, string directory, CancellationToken stop)
    {
        for (int tried = 1; ; tried++)
        {
            string why;
            try
            {
                FailoverCluster cluster = await ClusterAsync(planned, directory, stop);
                string leader = (await cluster.SettledAsync(stop)).Leader.Name;
                Measured measured = await new Repetition(cluster, LeaderFault.Make(planned.Fault), Seeds.Of(settings.Seed, planned.Number, tried)).RunAsync(stop);
                if (measured.Bite.HasBitten)
                {
                    return new FailoverResult(
                        settings.Build, planned.Fault, planned.System, settings.Shards, settings.IsHttp1, planned.Number, measured.StruckAt, measured.Bite.Target, measured.LeaderAfter, measured.GapMillis, measured.GapStartMillis, measured.QuietGapMillis, measured.Acknowledged,
                        measured.Refused, measured.Unknown, measured.Bite.Evidence);
                }

                why = $"it did not bite {leader}: {string.Join(", ", measured.Bite.Evidence.Select(count => $"{count.Key} {count.Value}"))}";
            }
            catch (Exception failure) when (failure is NodeDiedException or ToolFailedException)
            {
                why = failure.Message;
                await EndClustersAsync();
            }

            string what = $"{planned.Fault} {planned.Number} of {planned.System}: {why}";
            if (tried == Tries) throw new FailoverFailedException(what);
            progress.Step($"{what}; once more");
        }
    }

    private async Task<FailoverCluster> ClusterAsync(PlannedRepetition planned, string directory, CancellationToken stop)
    {
        if (_clusters.TryGetValue(planned.System, out FailoverCluster? running)) return running;
        progress.Step($"starting {planned.System}");
        Directory.CreateDirectory(directory);
        string own = Path.Combine(directory, planned.System);
        if (Directory.Exists(own)) Directory.Delete(own, recursive: true);
        bool hasImages = LeaderFault.NeedsImages(planned.Fault);
        int seed = Seeds.Of(settings.Seed, planned.Number);
        return _clusters[planned.System] = planned.System == EtcdFailover.Name
            ? await EtcdFailover.StartAsync(settings.Etcd!, directory, seed, hasImages, stop)
            : await RaftKvFailover.StartAsync(settings.NodeProgram, directory, settings.Shards, settings.IsHttp1 ? LoadProtocol.RaftKvHttp1 : LoadProtocol.RaftKvHttp2, seed, hasImages, stop);
    }

    /// <summary>Logs stay, data go.</summary>
    private async Task EndClustersAsync()
    {
        foreach (FailoverCluster cluster in _clusters.Values)
        {
            string[] data = [.. cluster.Nodes.Where(node => node.Disk is null).Select(node => node.DataDirectory)];
            await cluster.DisposeAsync();
            foreach (string directory in data)
                if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
        }

        _clusters.Clear();
    }

    private string Line(FailoverResult result, int toMake)
    {
        TimeSpan left = _watch.Elapsed / _made * (toMake - _made);
        string failed = result.Failed == 0 ? "" : $", {result.Refused.Values.Sum()} failed and {result.Unknown.Values.Sum()} unknown";
        return string.Create(CultureInfo.InvariantCulture, $"{_made} of {toMake}, {left:h\\:mm\\:ss} left: {result.Fault} {result.Number} of {result.System}: gap {result.GapMillis:F0} ms{failed}; {result.Leader} led, then {result.LeaderAfter}");
    }
}
