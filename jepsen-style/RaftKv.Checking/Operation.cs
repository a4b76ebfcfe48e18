namespace RaftKv.Checking;

/// <summary>
/// One operation of a client on one key: what was asked, what was answered, and when. Invariant: Call ≤ Return.
/// </summary>
/// <param name="Key">The object; keys are checked one by one, because linearizability is local (Herlihy &amp; Wing 1990).</param>
/// <param name="Process">Who asked. For people: the checker takes the order of operations from the times alone.</param>
/// <param name="Call">When the request left the client, in any unit that grows; equal times count as concurrent.</param>
/// <param name="Return">
/// When the answer arrived. <see cref="Never"/> if none did: always so for an unknown outcome, whatever is written here.
/// A definite outcome that never returned is allowed: a log proved it, and it took effect at some time after Call.
/// </param>
/// <param name="Description">Free text for the reader of a failure, such as the request's number.</param>
/// <param name="Position">What the answer said of its place in the shard's order; the <see cref="LinearizabilityChecker"/> does not look at it.</param>
public sealed record Operation(
    string Key,
    int Process,
    long Call,
    long Return,
    RegisterRequest Request,
    RegisterOutcome Outcome,
    string Description = "",
    Position? Position = null)
{
    /// <summary>The return time of an operation without an answer.</summary>
    public const long Never = long.MaxValue;

    /// <summary>The end of the interval in which the operation can have taken effect.</summary>
    internal long LatestEffect => Outcome.Kind == OutcomeKind.Unknown ? Never : Return;

    /// <summary>The request and its answer, on one line.</summary>
    public override string ToString() =>
        $"{Request} → {Outcome.Describe(Request.Kind)}{(Description.Length == 0 ? "" : $"  ({Description})")}";
}
