using System.Globalization;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Lists;

namespace RaftKv.Harness.Workloads;

/// <summary>Keys come and go under a few prefixes, and the prefixes are listed: what a list shows and leaves out must agree with the single keys.</summary>
internal sealed class ListWorkload : Workload
{
    private const int Prefixes = 3;
    private const int KeysPerPrefix = 40;

    /// <inheritdoc/>
    public override string Name => "list";

    /// <inheritdoc/>
    public override string Summary => "lists of a prefix agree with the single keys, over all shards";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Get, CallKind.Put, CallKind.Delete, CallKind.List];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        string prefix = PrefixOf(worker.Random.Next(Prefixes));
        string key = prefix + worker.Random.Next(KeysPerPrefix).ToString(CultureInfo.InvariantCulture);
        switch (worker.Random.Next(10))
        {
            case < 2:
                await worker.Client.ListAsync(prefix, stop);
                break;
            case < 4:
                await worker.Client.GetAsync(key, stop: stop);
                break;
            case < 6:
                await worker.Client.WriteAsync(KvOperation.Delete(key), stop: stop);
                break;
            default:
                await worker.Client.WriteAsync(KvOperation.Put(key, NextValue()), stop: stop);
                break;
        }
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreAnsweredAsync(Enumerable.Range(0, Prefixes), prefix => worker.Client.ListAsync(PrefixOf(prefix), stop));

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [ListChecker.Check(history), .. RegisterChecks.Of(history)];

    private static string PrefixOf(int number) => $"list{number.ToString(CultureInfo.InvariantCulture)}/";
}
