namespace RaftKv.Checking;

/// <summary>How much an outcome says about the effect of its operation (design §3.3).</summary>
public enum OutcomeKind : byte
{
    /// <summary>May have taken effect at any time after the call, may yet, or may never. What we know when we know nothing.</summary>
    Unknown,

    /// <summary>Definitely had and will have no effect, and says nothing about the key. The checker drops it.</summary>
    Failed,

    /// <summary>The condition did not hold: a read of what the key was instead.</summary>
    Refused,

    /// <summary>Took effect once, between call and return.</summary>
    Ok,
}

/// <summary>
/// The answer to a request. Revisions are optional: null means that the answer did not report one, and nothing is
/// checked; 0 means that the answer reported the key absent or nothing changed. What the server reports is never rejected as bad input: an
/// impossible answer is the finding.
/// </summary>
/// <param name="Existed">Ok only: the get found a value, the delete found something to delete. Otherwise unused, false.</param>
/// <param name="Value">The id of the value that a get found; otherwise 0.</param>
/// <param name="Revision">
/// Of a write: the revision assigned to it. Of a get: the mod revision of the value found. Refused: the mod revision
/// that the condition met, 0 if the key was absent.
/// </param>
/// <param name="Previous">Of a write: the mod revision of the value replaced or deleted, 0 if the key was absent. Otherwise unused.</param>
public readonly record struct RegisterOutcome(OutcomeKind Kind, bool Existed, long Value, ulong? Revision, ulong? Previous)
{
    public static RegisterOutcome Unknown => default;

    public static RegisterOutcome Failed => new(OutcomeKind.Failed, false, 0, null, null);

    /// <summary>A get that found no value.</summary>
    public static RegisterOutcome Absent => new(OutcomeKind.Ok, false, 0, null, null);

    /// <summary>A delete that found nothing: it changed nothing, so no revision was assigned (design §9).</summary>
    public static RegisterOutcome NothingDeleted => new(OutcomeKind.Ok, false, 0, null, null);

    public static RegisterOutcome Found(long value, ulong? revision = null) => new(OutcomeKind.Ok, true, value, revision, null);

    public static RegisterOutcome Written(ulong? revision = null, ulong? previous = null) => new(OutcomeKind.Ok, false, 0, revision, previous);

    public static RegisterOutcome Deleted(ulong? revision = null, ulong? previous = null) => new(OutcomeKind.Ok, true, 0, revision, previous);

    public static RegisterOutcome Refused(ulong? current = null) => new(OutcomeKind.Refused, false, 0, current, null);

    /// <summary>Without an answer there is nothing to report; otherwise the harness made something up.</summary>
    internal bool IsWellFormed => Kind is OutcomeKind.Ok or OutcomeKind.Refused || this == new RegisterOutcome(Kind, false, 0, null, null);

    internal string Describe(RequestKind request) => Kind switch
    {
        OutcomeKind.Unknown => "unknown",
        OutcomeKind.Failed => "failed",
        OutcomeKind.Refused => $"refused{Show(", current", Revision)}",
        _ => request switch
        {
            RequestKind.Get => Existed ? $"v{Value}{Show(", revision", Revision)}" : "absent",
            RequestKind.Put => $"written{Show(", revision", Revision)}{Show(", previous", Previous)}",
            _ => Existed ? $"deleted{Show(", revision", Revision)}{Show(", previous", Previous)}" : "nothing to delete",
        },
    };

    private static string Show(string name, ulong? revision) => revision is { } known ? $"{name} {known}" : "";
}
