namespace RaftKv.Checking;

/// <summary>
/// The operations on one key that say something, in the order of their calls, with what follows from all of them
/// together. Dropped are failed operations, which had no effect, and gets without an answer, which had none that anybody
/// can know. Operation n of the search is <see cref="Operations"/>[n].
/// </summary>
internal sealed class KeyHistory
{
    private readonly ILookup<long, Operation> _getsByValue;

    public KeyHistory(string key, IReadOnlyList<Operation> operations)
    {
        Key = key;
        Operations = [.. operations.Where(SaysSomething).OrderBy(operation => operation.Call)];
        Intervals = [.. Operations.Select(ToInterval)];
        Revisions = [.. Operations.Select(ReportedRevision)];
        _getsByValue = Operations.Where(IsFinding).ToLookup(get => get.Outcome.Value);
        LearnFromGets();
        FindTwins();
    }

    public string Key { get; }

    public Operation[] Operations { get; }

    /// <summary>When each can have taken effect.</summary>
    public Interval[] Intervals { get; }

    /// <summary>The revision that each change took, where that is known; only of changes that are required.</summary>
    public ulong?[] Revisions { get; }

    private static bool SaysSomething(Operation operation) => operation.Outcome.Kind switch
    {
        OutcomeKind.Failed => false,
        OutcomeKind.Unknown => operation.Request.Kind != RequestKind.Get,
        _ => true,
    };

    private static Interval ToInterval(Operation operation) =>
        new(operation.Call, operation.LatestEffect, Required: operation.Outcome.Kind != OutcomeKind.Unknown);

    private static bool IsFinding(Operation operation) => operation.Request.Kind == RequestKind.Get && operation.Outcome.Existed;

    private static ulong? ReportedRevision(Operation operation)
    {
        bool isChange = operation.Request.Kind != RequestKind.Get && operation.Outcome.Kind == OutcomeKind.Ok;
        return isChange ? operation.Outcome.Revision : null;
    }

    /// <summary>
    /// A put whose value a get found did take effect, before the first such get returned, and with the revision that it
    /// reports. Saying so spares the search all orders in which it did not. Only if no other put has that value, so that
    /// wrong ids in a history cannot make a wrong verdict.
    /// </summary>
    /// <remarks>
    /// The interval ends one tick after that get, which excludes nothing more than the get itself does: it cannot return
    /// before the put is placed. But when both cannot be placed, the get is then the one reported. A get that returned
    /// before the put was called cannot be explained at all; it stays as it is, and fits nowhere.
    /// </remarks>
    private void LearnFromGets()
    {
        ILookup<long, int> puts = Enumerable.Range(0, Operations.Length)
            .Where(i => Operations[i].Request.Kind == RequestKind.Put && Operations[i].Outcome.Kind != OutcomeKind.Refused)
            .ToLookup(i => Operations[i].Request.Value);
        for (int i = 0; i < Operations.Length; i++)
        {
            Operation put = Operations[i];
            bool isOnlyWriter = puts[put.Request.Value].SequenceEqual([i]);
            if (!isOnlyWriter || !_getsByValue.Contains(put.Request.Value)) continue;
            long firstReturn = _getsByValue[put.Request.Value].Min(get => get.Return);
            if (firstReturn < put.Call) continue;
            Revisions[i] ??= _getsByValue[put.Request.Value].Select(get => get.Outcome.Revision).FirstOrDefault(revision => revision is not null);
            if (Intervals[i].Required) continue;
            long end = Math.Min(firstReturn, Operation.Never - 1) + 1;
            Intervals[i] = new Interval(put.Call, end, Required: true);
        }
    }

    /// <summary>
    /// Unknown operations with the same request, except for a value that nobody found, are told apart by their calls
    /// only.
    /// </summary>
    private void FindTwins()
    {
        Dictionary<RegisterRequest, int> latest = [];
        for (int i = 0; i < Operations.Length; i++)
        {
            RegisterRequest request = Operations[i].Request;
            if (Intervals[i].Required || _getsByValue.Contains(request.Value)) continue;
            RegisterRequest anonymous = request with { Value = 0 };
            if (latest.TryGetValue(anonymous, out int twin)) Intervals[i] = Intervals[i] with { Twin = twin };
            latest[anonymous] = i;
        }
    }
}
