namespace RaftKv.Checking.Replay;

/// <summary>
/// Checks a history against the order that the servers themselves claim: every answered operation names its position in its shard's log. Replayed in that order,
/// every answer must be what the operations before it lead to, and the order must agree with real time. Then that order is a linearization.
/// </summary>
/// <remarks>
/// O(n log n), and online: operations are added as they return, and with <see cref="Advance"/> now and then memory holds only what is still open. It trusts the
/// positions, which a server could invent consistently; so <see cref="LinearizabilityChecker"/>, which does not look at them, must agree (testing/checkers.md §4.2).
/// Keys that expire by themselves are not for it. Not thread-safe.
/// </remarks>
public sealed class ReplayChecker
{
    private readonly SortedDictionary<ulong, ShardReplay> _shards = [];
    private readonly Dictionary<string, KeyReplay> _keys = new(StringComparer.Ordinal);
    private long _lastReturn = long.MinValue;

    /// <summary>The first contradiction found; nothing is looked at after it.</summary>
    public ReplayViolation? Violation { get; private set; }

    /// <summary>Answered operations that were replayed.</summary>
    public long Replayed { get; private set; }

    /// <summary>Checks a whole history, in any order.</summary>
    public static ReplayViolation? Check(IEnumerable<Operation> history)
    {
        ReplayChecker checker = new();
        foreach (Operation operation in history.OrderBy(operation => operation.LatestEffect)) checker.Add(operation);
        return checker.Finish();
    }

    /// <summary>Adds an operation whose outcome is known, or known to remain unknown, in the order of returns.</summary>
    /// <exception cref="ArgumentException">It lacks its position or a revision, or returned before the last one.</exception>
    public void Add(Operation operation)
    {
        if (Violation is not null || operation.Outcome.Kind == OutcomeKind.Failed) return;
        if (operation.Outcome.Kind == OutcomeKind.Unknown)
        {
            if (operation.Request.Kind != RequestKind.Get) KeyOf(operation).AddUnknown(operation);
            return;
        }

        if (operation.Position is not { } position) throw new ArgumentException($"has no position: {operation}", nameof(operation));
        if (!ReportsRevisions(operation)) throw new ArgumentException($"does not report its revisions: {operation}", nameof(operation));
        if (operation.Return < _lastReturn) throw new ArgumentException($"returned before the last one: {operation}", nameof(operation));
        _lastReturn = operation.Return;
        if (!_shards.TryGetValue(position.Shard, out ShardReplay? shard)) _shards.Add(position.Shard, shard = new ShardReplay());
        if (shard.Overtaken(operation) is { } before)
        {
            Violation = new ReplayViolation(
                ReplayFault.RealTime, $"{position}: {(operation.Request.Kind == RequestKind.Get ? "a read" : "a write")} stands at index {position.Index}, but one at index {before.Position!.Value.Index} had returned {operation.Call - before.Return} before it was called",
                operation, [before]);
            return;
        }

        shard.Add(operation);
    }

    /// <summary>Replays what is settled. Every operation added from here on was called at <paramref name="oldestCall"/> or later.</summary>
    public void Advance(long oldestCall)
    {
        foreach (ShardReplay shard in _shards.Values)
        {
            ulong? below = shard.SettledBelow(oldestCall);
            while (Violation is null && shard.TryTake(below, out Operation? operation)) Replay(shard, operation);
        }
    }

    /// <summary>Replays the rest; nothing is added any more.</summary>
    public ReplayViolation? Finish()
    {
        Advance(Operation.Never);
        return Violation;
    }

    /// <summary>Without them there is nothing to replay by. A delete that found nothing has none.</summary>
    private static bool ReportsRevisions(Operation operation) => (operation.Outcome.Kind, operation.Request.Kind) switch
    {
        (OutcomeKind.Refused, _) => operation.Outcome.Revision is not null,
        (_, RequestKind.Get) => !operation.Outcome.Existed || operation.Outcome.Revision is not null,
        (_, RequestKind.Delete) when !operation.Outcome.Existed => true,
        _ => operation.Outcome is { Revision: not null, Previous: not null },
    };

    private void Replay(ShardReplay shard, Operation operation)
    {
        Replayed++;
        KeyReplay key = KeyOf(operation);
        if (shard.Place(operation) is { } misplaced)
        {
            string sentence = misplaced.Fault == ReplayFault.PositionTaken
                ? $"{operation.Position}: two writes claim this place"
                : $"{operation.Position}: revision {operation.Outcome.Revision} is not above {misplaced.Last.Outcome.Revision}, of an earlier write of the shard";
            Violation = new ReplayViolation(misplaced.Fault, sentence, operation, [misplaced.Last]);
            return;
        }

        if (key.Replay(operation) is { } why)
            Violation = new ReplayViolation(ReplayFault.Answer, $"{operation.Position}: {operation.Request} of \"{operation.Key}\" was answered {operation.Outcome.Describe(operation.Request.Kind)}, but {why}", operation, key.Latest);
    }

    private KeyReplay KeyOf(Operation operation)
    {
        if (!_keys.TryGetValue(operation.Key, out KeyReplay? key)) _keys.Add(operation.Key, key = new KeyReplay());
        return key;
    }
}
