namespace RaftKv.Checking.Histories;

/// <summary>
/// One operation on one key as its client meant it, whichever call brought it: a call of its own, an item of a batch, an item of a transaction. All attempts that one
/// idempotency key ties together are one operation. Invariant: Call ≤ Return.
/// </summary>
/// <param name="Asked">Of a write in a transaction with the condition that its comparison of the key puts on it.</param>
/// <param name="Attempts">All calls that may have done it, in the order of their calls.</param>
/// <param name="Answer">The first that told a definite outcome; without one the first.</param>
/// <param name="Item">Of a batch or transaction, which of its operations; else 0.</param>
/// <param name="Return">When the outcome was known; <see cref="Operation.Never"/> if it is not.</param>
/// <param name="Outcome">Unknown if no attempt told it; Failed only if every attempt did.</param>
/// <param name="Result">There for Ok and Refused, with the position made the same way for every kind of call.</param>
public sealed record LogicalOperation(
    KvOperation Asked, IReadOnlyList<ClientCall> Attempts, ClientCall Answer, int Item, long Call, long Return, OutcomeKind Outcome, KvResult? Result)
{
    public string Key => Asked.Key;

    public bool IsWrite => Asked.Kind != RequestKind.Get;

    public bool IsOk => Outcome == OutcomeKind.Ok;

    /// <summary>It changed the key, or nobody knows that it did not.</summary>
    public bool MayHaveChanged => IsWrite && (Outcome == OutcomeKind.Unknown || (IsOk && Changed));

    /// <summary>It is known to have changed the key. A delete of nothing has not.</summary>
    public bool HasChanged => IsWrite && IsOk && Changed;

    private bool Changed => Asked.Kind == RequestKind.Put || Result is not { Existed: false };
}
