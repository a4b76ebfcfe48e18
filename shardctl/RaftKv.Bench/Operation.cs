namespace RaftKv.Bench;

/// <summary>One request to be made. It looks into the buffers of the workload that drew it, and is valid until that draws the next.</summary>
internal readonly ref struct Operation
{
    /// <summary>A linearizable get; else a put.</summary>
    public bool IsRead { get; init; }

    /// <summary>Not empty; letters, digits and hyphens only, so that it stands in a path as it is.</summary>
    public ReadOnlySpan<byte> Key { get; init; }

    /// <summary>Of a put.</summary>
    public ReadOnlySpan<byte> Value { get; init; }

    /// <summary>Of a put that has one: a UUIDv7 as text; else empty.</summary>
    public ReadOnlySpan<byte> IdempotencyKey { get; init; }
}

/// <summary>What became of a request.</summary>
public enum AnswerKind
{
    Done,

    /// <summary>A read was answered: the key has no value.</summary>
    Absent,

    /// <summary>Definitely not applied.</summary>
    Refused,

    /// <summary>It may have been applied, or may be yet.</summary>
    Unknown,
}

/// <param name="Slot">Of the connection; which request it answers.</param>
/// <param name="Reason">Of what failed: a stable word or two to count by, as the server names it; else empty.</param>
internal readonly record struct Answer(int Slot, AnswerKind Kind, string Reason = "");
