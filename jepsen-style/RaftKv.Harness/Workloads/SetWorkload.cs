using System.Globalization;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Sets;

namespace RaftKv.Harness.Workloads;

/// <summary>Every write adds a key of its own; lists of them all read the set. Nothing shows a lost write more plainly.</summary>
internal sealed class SetWorkload : Workload
{
    private const int AddsPerList = 60;

    /// <summary>A list shows one state of a shard a page, and a page is a thousand keys at most: so a set is no larger.</summary>
    private const int AddsPerSet = 900;
    private long _last;

    /// <inheritdoc/>
    public override string Name => "set";

    /// <inheritdoc/>
    public override string Summary => "no acknowledged write is lost: each adds a key, lists read them all";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Put, CallKind.List];

    /// <inheritdoc/>
    public override int LeastSuccesses(CallKind kind, double seconds) => kind == CallKind.List ? 2 : base.LeastSuccesses(kind, seconds);

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        long number = Interlocked.Increment(ref _last);
        if (number % AddsPerList == 0) await worker.Client.ListAsync(PrefixOf(worker.Random.NextInt64(1 + (number / AddsPerSet))), stop);
        else await worker.Client.WriteAsync(KvOperation.Put(PrefixOf(number / AddsPerSet) + number.ToString(CultureInfo.InvariantCulture), number.ToString(CultureInfo.InvariantCulture)), stop: stop);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreAnsweredAsync(Enumerable.Range(0, 1 + (int)(_last / AddsPerSet)), set => worker.Client.ListAsync(PrefixOf(set), stop));

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [Sets(history), .. RegisterChecks.Of(history)];

    /// <summary>All sets as one.</summary>
    private static CheckVerdict Sets(IReadOnlyList<ClientCall> history)
    {
        CheckVerdict[] each = [.. PrefixesIn(history).DefaultIfEmpty(PrefixOf(0)).Select(prefix => SetChecker.Check(history, prefix))];
        return each.FirstOrDefault(check => check.Finding is not null) ?? each.FirstOrDefault(check => check.Unknown is not null) ?? new CheckVerdict(each[0].Checker, each.Sum(check => check.Checked), null);
    }

    private static string PrefixOf(long set) => $"set{set.ToString(CultureInfo.InvariantCulture)}/";
}
