namespace RaftKv.Checking;

public enum RequestKind : byte
{
    Get,
    Put,
    Delete,
}

public enum ConditionKind : byte
{
    None,

    /// <summary>Only if the key's current mod revision is the given one; never holds for an absent key.</summary>
    IfMatch,

    /// <summary>Only if the key is absent. Puts only.</summary>
    IfNoneMatch,
}

/// <summary>
/// What a client asks of a versioned register. <paramref name="Value"/> is the id of the value a put writes, one id per
/// write attempt; <paramref name="MatchRevision"/> ≥ 1 belongs to <see cref="ConditionKind.IfMatch"/>, otherwise it is 0.
/// </summary>
public readonly record struct RegisterRequest(RequestKind Kind, ConditionKind Condition, long Value, ulong MatchRevision)
{
    public static RegisterRequest Get => default;

    public static RegisterRequest Put(long value) => new(RequestKind.Put, ConditionKind.None, value, 0);

    public static RegisterRequest PutIfMatch(long value, ulong revision) => new(RequestKind.Put, ConditionKind.IfMatch, value, revision);

    public static RegisterRequest PutIfNoneMatch(long value) => new(RequestKind.Put, ConditionKind.IfNoneMatch, value, 0);

    public static RegisterRequest Delete => new(RequestKind.Delete, ConditionKind.None, 0, 0);

    public static RegisterRequest DeleteIfMatch(ulong revision) => new(RequestKind.Delete, ConditionKind.IfMatch, 0, revision);

    /// <summary>True if a client can send this. Our own harness made it, so false is a programming error, not a verdict.</summary>
    internal bool IsWellFormed => Kind switch
    {
        RequestKind.Get => Condition == ConditionKind.None,
        RequestKind.Delete => Condition != ConditionKind.IfNoneMatch,
        _ => true,
    } && (Condition == ConditionKind.IfMatch ? MatchRevision > 0 : MatchRevision == 0);

    public override string ToString()
    {
        string verb = Kind switch
        {
            RequestKind.Get => "get",
            RequestKind.Put => $"put v{Value}",
            _ => "delete",
        };
        return Condition switch
        {
            ConditionKind.IfMatch => $"{verb} if-match {MatchRevision}",
            ConditionKind.IfNoneMatch => $"{verb} if-none-match",
            _ => verb,
        };
    }
}
