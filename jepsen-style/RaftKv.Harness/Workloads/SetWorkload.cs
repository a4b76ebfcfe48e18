using System.Globalization;
using RaftKv.Checking;
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
    public override async Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop)
    {
        for (long set = 0; set <= _last / AddsPerSet; set++) if ((await worker.Client.ListAsync(PrefixOf(set), stop)).Outcome != OutcomeKind.Ok) return false;
        return true;
    }

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [Sets(history), .. RegisterChecks.Of(history)];

    /// <summary>All sets as one.</summary>
    private static CheckVerdict Sets(IReadOnlyList<ClientCall> history)
    {
        string[] prefixes = [.. history.SelectMany(call => call.Operations).Select(operation => operation.Key[..(operation.Key.IndexOf('/', StringComparison.Ordinal) + 1)]).Distinct().Order(StringComparer.Ordinal)];
        CheckVerdict[] each = [.. prefixes.DefaultIfEmpty(PrefixOf(0)).Select(prefix => SetChecker.Check(history, prefix))];
        return each.FirstOrDefault(check => check.Finding is not null) ?? each.FirstOrDefault(check => check.Unknown is not null) ?? new CheckVerdict(each[0].Checker, each.Sum(check => check.Checked), null);
    }

    private static string PrefixOf(long set) => $"set{set.ToString(CultureInfo.InvariantCulture)}/";
}
