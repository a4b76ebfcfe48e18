using System.Text;

namespace RaftKv.Checking.Histories;

/// <summary>
/// A history as operations on single keys, which is what the replay and the search for a linearization check: calls on one key, the items of batches, the items of
/// transactions that were applied, and what lists found. Each of them stands in the interval of its call.
/// </summary>
/// <remarks>
/// <para>Left out: keys that were ever put with a ttl, since nobody calls for their deletion (the ttl checker's); stale reads (the monotonic checker's); what a list
/// did <b>not</b> find (the list checker's).</para>
/// <para>Values are numbered by their text: two writes of one text share a number. The search allows that: it draws conclusions from a value only if it has one
/// writer. The replay does too: where unknown writes share a value, any of them may have been the one that was seen. But a lie is the easier to find the fewer
/// writes explain it, so workloads write each value once.</para>
/// <para>In a list all keys of a shard are of one state: that of the index which the first of them names. Later ones name where they were fetched.</para>
/// </remarks>
public sealed class RegisterHistory
{
    private const int MostCharacters = 80;
    private readonly Dictionary<Operation, ClientCall[]> _calls = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, long> _ids = new(StringComparer.Ordinal);
    private readonly List<string> _values = [""];
    private readonly List<Operation> _operations = [];

    private RegisterHistory(IReadOnlyList<ClientCall> history)
    {
        KeysWithTtl = history.SelectMany(call => call.Operations.Concat(call.Else)).Where(operation => operation.TtlSeconds is not null).Select(operation => operation.Key).ToHashSet(StringComparer.Ordinal);
        foreach (LogicalOperation operation in LogicalRequest.OperationsOf(history)) Add(operation);
        foreach (ClientCall call in history.Where(call => call is { Kind: CallKind.List, Outcome: OutcomeKind.Ok })) AddList(call);
    }

    /// <summary>On all keys that are left in, in the order of their calls but for what lists found, which follows.</summary>
    public IReadOnlyList<Operation> Operations => _operations;

    /// <summary>Those that are left out.</summary>
    public IReadOnlySet<string> KeysWithTtl { get; }

    public static RegisterHistory Of(IReadOnlyList<ClientCall> history) => new(history);

    /// <summary>The calls that an operation stands for: one, or the attempts at one write.</summary>
    public IReadOnlyList<ClientCall> CallsOf(Operation operation) => _calls[operation];

    /// <summary>The text of a value's number.</summary>
    public string ValueOf(long id) => _values[(int)id];

    /// <summary>
    /// The operations as the replay takes them: without a position an answered write is to it one whose effect nobody knows, and a read says nothing.
    /// </summary>
    public IReadOnlyList<Operation> ForReplay()
    {
        List<Operation> replayable = new(_operations.Count);
        foreach (Operation operation in _operations)
        {
            if (operation.Position is not null || operation.Outcome.Kind is OutcomeKind.Unknown or OutcomeKind.Failed) replayable.Add(operation);
            else if (operation.Outcome.Kind == OutcomeKind.Ok && operation.Request.Kind != RequestKind.Get) replayable.Add(WithoutAnswer(operation));
        }

        return replayable;
    }

    /// <summary>What the numbers of the values stand for, one a line.</summary>
    internal string Legend(IEnumerable<Operation> operations)
    {
        StringBuilder text = new();
        foreach (long id in operations.SelectMany(ValuesIn).Where(id => id > 0).Distinct().Order())
        {
            string value = ValueOf(id);
            text.Append($"v{id} = \"{(value.Length <= MostCharacters ? value : value[..MostCharacters] + "…")}\"\n");
        }

        return text.ToString();
    }

    /// <summary>The calls that operations stand for, in the order of time.</summary>
    internal IReadOnlyList<ClientCall> CallsOf(IEnumerable<Operation> operations) =>
        [.. operations.SelectMany(operation => _calls[operation]).Distinct(ReferenceEqualityComparer.Instance).Cast<ClientCall>().OrderBy(call => call.Call)];

    private static IEnumerable<long> ValuesIn(Operation operation) => [operation.Request.Value, operation.Outcome.Value];

    private void Add(LogicalOperation operation)
    {
        if (KeysWithTtl.Contains(operation.Key)) return;
        bool isStale = operation is { IsWrite: false, Answer: { Kind: CallKind.Get, Freshness: Freshness.Stale } };
        if (isStale) return;
        RegisterRequest request = new(operation.Asked.Kind, operation.Asked.Condition, operation.Asked.Value is { } value ? IdOf(value) : 0, operation.Asked.MatchRevision);
        Keep(new Operation(operation.Key, operation.Answer.Process, operation.Call, operation.Return, request, OutcomeOf(operation), DescriptionOf(operation), operation.Result?.Position), [.. operation.Attempts]);
    }

    private void AddList(ClientCall list)
    {
        if (list.Freshness == Freshness.Stale) return;
        Dictionary<ulong, ulong> indexes = [];
        foreach (KvResult found in list.Results)
            if (found.Position is { } position) indexes[position.Shard] = Math.Min(position.Index, indexes.GetValueOrDefault(position.Shard, ulong.MaxValue));
        foreach (KvResult found in list.Results)
        {
            if (KeysWithTtl.Contains(found.Key) || found.Value is null) continue;
            Position? at = found.Position is { } position ? Position.OfRead(position.Shard, indexes[position.Shard]) : null;
            Keep(new Operation(found.Key, list.Process, list.Call, list.Return, RegisterRequest.Get, RegisterOutcome.Found(IdOf(found.Value), found.Revision), "in a list", at), [list]);
        }
    }

    private void Keep(Operation operation, ClientCall[] calls)
    {
        _operations.Add(operation);
        _calls.Add(operation, calls);
    }

    private Operation WithoutAnswer(Operation answered)
    {
        Operation unknown = answered with { Return = Operation.Never, Outcome = RegisterOutcome.Unknown };
        _calls[unknown] = _calls[answered];
        return unknown;
    }

    private RegisterOutcome OutcomeOf(LogicalOperation operation) => (operation.Outcome, operation.Asked.Kind) switch
    {
        (OutcomeKind.Unknown, _) => RegisterOutcome.Unknown,
        (OutcomeKind.Failed, _) => RegisterOutcome.Failed,
        (OutcomeKind.Refused, _) => RegisterOutcome.Refused(operation.Result!.Revision),
        (_, RequestKind.Get) when operation.Result!.Existed => RegisterOutcome.Found(IdOf(operation.Result.Value ?? ""), operation.Result.Revision),
        (_, RequestKind.Get) => RegisterOutcome.Absent with { Revision = operation.Result!.Revision },
        (_, RequestKind.Put) => RegisterOutcome.Written(operation.Result!.Revision, operation.Result.Previous),
        _ when operation.Result!.Existed => RegisterOutcome.Deleted(operation.Result.Revision, operation.Result.Previous),
        _ => RegisterOutcome.NothingDeleted with { Revision = operation.Result!.Revision, Previous = operation.Result.Previous },
    };

    private static string DescriptionOf(LogicalOperation operation)
    {
        string part = operation.Answer.Kind switch
        {
            CallKind.Batch => $"item {operation.Item} of a batch",
            CallKind.Txn => $"item {operation.Item} of a transaction",
            _ => "",
        };
        if (operation.Attempts.Count == 1) return part;
        return $"{part}{(part.Length == 0 ? "" : ", ")}{operation.Attempts.Count} attempts";
    }

    private long IdOf(string value)
    {
        if (_ids.TryGetValue(value, out long id)) return id;
        id = _values.Count;
        _values.Add(value);
        _ids.Add(value, id);
        return id;
    }
}
