using System.Collections.Immutable;

namespace RaftKv.Checking.Histories;

/// <summary>One request as its client meant it: a call, or all the attempts at one write that one idempotency key ties together, of which one at most happens.</summary>
/// <remarks>
/// It may take effect between the call of the first attempt and the first definite answer, which says what became of it; answers after that only repeat it, and
/// whether they do is for the exactly-once checker. A request that writes nothing is not tied to others: the store keeps no record of reads.
/// </remarks>
public sealed class LogicalRequest
{
    private static readonly Comparison<ClientCall> s_byCall = static (left, right) => left.Call.CompareTo(right.Call);

    private LogicalRequest(IReadOnlyList<ClientCall> attempts)
    {
        Attempts = attempts;
        ClientCall? told = null;
        bool allFailed = true;
        foreach (ClientCall attempt in attempts)
        {
            allFailed &= attempt.Outcome == OutcomeKind.Failed;
            if (attempt.Outcome is OutcomeKind.Ok or OutcomeKind.Refused && (told is null || attempt.Return < told.Return)) told = attempt;
        }

        Answer = told ?? attempts[0];
        Outcome = told?.Outcome ?? (allFailed ? OutcomeKind.Failed : OutcomeKind.Unknown);
        Return = Outcome == OutcomeKind.Unknown ? Operation.Never : Answer.Return;
    }

    /// <summary>In the order of their calls; at least one.</summary>
    public IReadOnlyList<ClientCall> Attempts { get; }

    /// <summary>The first definite answer; without one the first attempt.</summary>
    public ClientCall Answer { get; }

    public CallKind Kind => Answer.Kind;

    public long Call => Attempts[0].Call;

    /// <summary><see cref="Operation.Never"/> for an unknown outcome.</summary>
    public long Return { get; }

    public OutcomeKind Outcome { get; }

    /// <summary>The requests of a history in the order of their calls.</summary>
    public static IReadOnlyList<LogicalRequest> Of(IEnumerable<ClientCall> history)
    {
        List<LogicalRequest> requests = [];
        Dictionary<string, List<ClientCall>> keyed = new(StringComparer.Ordinal);
        foreach (ClientCall call in history)
        {
            if (call.IdempotencyKey.Length == 0 || !call.IsWrite) requests.Add(new LogicalRequest([call]));
            else if (keyed.TryGetValue(call.IdempotencyKey, out List<ClientCall>? attempts)) attempts.Add(call);
            else keyed.Add(call.IdempotencyKey, [call]);
        }

        foreach (List<ClientCall> attempts in keyed.Values)
        {
            attempts.Sort(s_byCall);
            requests.Add(new LogicalRequest(attempts));
        }

        // The key makes it the same for every order of the input that lists equal calls in one order.
        return [.. requests.OrderBy(request => request.Call).ThenBy(request => request.Return).ThenBy(request => request.Answer.Process)];
    }

    /// <summary>All single operations of a history but those that lists found, in the order of their calls.</summary>
    public static IReadOnlyList<LogicalOperation> OperationsOf(IEnumerable<ClientCall> history) => [.. Of(history).SelectMany(request => request.Operations())];

    /// <summary>
    /// What it did on each key, or may have done. Of a transaction of unknown outcome both branches, since nobody knows which ran; of one that is Ok the one that ran.
    /// </summary>
    public IEnumerable<LogicalOperation> Operations() => Kind switch
    {
        CallKind.List => [],
        CallKind.Batch => BatchItems(),
        CallKind.Txn => TxnItems(),
        _ => [new LogicalOperation(Answer.Operations[0], Attempts, Answer, 0, Call, Return, Outcome, Outcome is OutcomeKind.Ok or OutcomeKind.Refused ? Placed(ResultOf(Answer, 0), Answer.Operations[0], 0) : null)],
    };

    private IEnumerable<LogicalOperation> BatchItems()
    {
        for (int i = 0; i < Answer.Operations.Length; i++)
        {
            KvOperation asked = Answer.Operations[i];
            if (asked.Kind != RequestKind.Get) yield return BatchItem(asked, i, Attempts);
            else
                foreach (ClientCall attempt in Attempts) yield return BatchItem(asked, i, [attempt]); // Every attempt reads anew.
        }
    }

    /// <summary>Each item for itself: an attempt may have told the outcome of some only.</summary>
    private static LogicalOperation BatchItem(KvOperation asked, int item, IReadOnlyList<ClientCall> attempts)
    {
        ClientCall? told = null;
        bool allFailed = true;
        foreach (ClientCall attempt in attempts)
        {
            OutcomeKind outcome = attempt.Outcome == OutcomeKind.Ok ? ResultOf(attempt, item).Outcome : attempt.Outcome;
            allFailed &= outcome == OutcomeKind.Failed;
            if (outcome is OutcomeKind.Ok or OutcomeKind.Refused && (told is null || attempt.Return < told.Return)) told = attempt;
        }

        if (told is null)
        {
            OutcomeKind outcome = allFailed ? OutcomeKind.Failed : OutcomeKind.Unknown;
            return new LogicalOperation(asked, attempts, attempts[0], item, attempts[0].Call, allFailed ? attempts[0].Return : Operation.Never, outcome, null);
        }

        KvResult result = ResultOf(told, item);
        return new LogicalOperation(asked, attempts, told, item, attempts[0].Call, told.Return, result.Outcome, Placed(result, asked, item));
    }

    private IEnumerable<LogicalOperation> TxnItems()
    {
        if (Outcome != OutcomeKind.Ok)
        {
            ImmutableArray<KvOperation> then = Conditioned(Answer);
            for (int i = 0; i < then.Length; i++) yield return TxnItem(then[i], i, null);
            for (int i = 0; i < Answer.Else.Length; i++) yield return TxnItem(Answer.Else[i], i, null);
            yield break;
        }

        ImmutableArray<KvOperation> ran = Answer.Succeeded ? Conditioned(Answer) : Answer.Else;
        if (!Answer.Succeeded && RefusalOf(Answer) is { } refusal) yield return refusal;
        for (int i = 0; i < ran.Length; i++) yield return TxnItem(ran[i], i, TxnResult(ran[i], i));
    }

    private LogicalOperation TxnItem(KvOperation asked, int item, KvResult? result) => new(asked, Attempts, Answer, item, Call, Return, Outcome, result);

    /// <summary>A transaction that can write is an entry of the log, and its reads stand in it; one that cannot stands behind what it saw.</summary>
    private KvResult TxnResult(KvOperation asked, int item)
    {
        KvResult result = ResultOf(Answer, item);
        return Answer.IsWrite ? At(result, item) : Placed(result, asked, item);
    }

    /// <summary>
    /// One comparison that did not hold is the refused condition of the write that it guarded, if the other branch read what the key was instead. Of several, nobody
    /// knows which did not hold.
    /// </summary>
    private LogicalOperation? RefusalOf(ClientCall txn)
    {
        if (txn.Compares is not [var compare]) return null;
        KvOperation? guarded = Conditioned(txn).FirstOrDefault(operation => operation.Key == compare.Key && operation.Condition != ConditionKind.None);
        int read = IndexOf(txn.Else, operation => operation.Key == compare.Key);
        if (guarded is null || read < 0 || txn.Else[read].Kind != RequestKind.Get) return null;
        KvResult found = ResultOf(txn, read);
        return new LogicalOperation(
            guarded, Attempts, txn, read, Call, Return, OutcomeKind.Refused, At(found with { Outcome = OutcomeKind.Refused, Value = null, Previous = 0 }, read));
    }

    /// <summary>The branch <b>then</b>, where the comparison of a key is the condition of the first operation on it, if that writes.</summary>
    private static ImmutableArray<KvOperation> Conditioned(ClientCall txn)
    {
        if (txn.Compares.IsEmpty) return txn.Operations;
        ImmutableArray<KvOperation>.Builder then = txn.Operations.ToBuilder();
        foreach (KvCompare compare in txn.Compares)
        {
            int write = IndexOf(then, operation => operation.Kind != RequestKind.Get && operation.Key == compare.Key);
            if (write < 0) continue;
            if (compare.Revision > 0) then[write] = then[write].IfMatch(compare.Revision);
            else if (then[write].Kind == RequestKind.Put) then[write] = then[write].IfAbsent();
        }

        return then.ToImmutable();
    }

    private static int IndexOf(IReadOnlyList<KvOperation> branch, Func<KvOperation, bool> isIt)
    {
        for (int i = 0; i < branch.Count; i++)
            if (isIt(branch[i])) return i;
        return -1;
    }

    private static KvResult Placed(KvResult result, KvOperation asked, int item) => At(result, asked.Kind == RequestKind.Get ? Position.BehindEntry : item);

    private static KvResult At(KvResult result, int item) => result.Position is { } position ? result with { Position = position with { Item = item } } : result;

    private static KvResult ResultOf(ClientCall call, int item) =>
        item < call.Results.Length ? call.Results[item] : throw new ArgumentException($"an answer without the result of item {item}: {CallText.Of(call)}", nameof(call));
}
