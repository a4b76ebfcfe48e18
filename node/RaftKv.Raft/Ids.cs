namespace RaftKv.Raft;

/// <summary>A leadership period; at most one leader each (Raft paper §5.1). 0 means before the first election.</summary>
public readonly record struct Term(ulong Value) : IComparable<Term>
{
    public static Term Zero => default;

    public Term Next => new(Value + 1);

    public int CompareTo(Term other) => Value.CompareTo(other.Value);

    public static bool operator <(Term left, Term right) => left.Value < right.Value;

    public static bool operator >(Term left, Term right) => left.Value > right.Value;

    public static bool operator <=(Term left, Term right) => left.Value <= right.Value;

    public static bool operator >=(Term left, Term right) => left.Value >= right.Value;

    public override string ToString() => $"t{Value}";
}

/// <summary>A position in one group's log, 1 and up. 0 means before the first entry.</summary>
public readonly record struct LogIndex(ulong Value) : IComparable<LogIndex>
{
    public static LogIndex Zero => default;

    public LogIndex Next => new(Value + 1);

    /// <summary>The index before this one. Not defined at 0.</summary>
    public LogIndex Previous => new(checked(Value - 1));

    public static LogIndex Min(LogIndex left, LogIndex right) => left < right ? left : right;

    public static LogIndex Max(LogIndex left, LogIndex right) => left > right ? left : right;

    public int CompareTo(LogIndex other) => Value.CompareTo(other.Value);

    public static bool operator <(LogIndex left, LogIndex right) => left.Value < right.Value;

    public static bool operator >(LogIndex left, LogIndex right) => left.Value > right.Value;

    public static bool operator <=(LogIndex left, LogIndex right) => left.Value <= right.Value;

    public static bool operator >=(LogIndex left, LogIndex right) => left.Value >= right.Value;

    public static LogIndex operator +(LogIndex left, ulong right) => new(checked(left.Value + right));

    public override string ToString() => Value.ToString();
}

/// <summary>One Raft group. A shard and its group share the id; 0 is the controller's group.</summary>
public readonly record struct GroupId(ulong Value) : IComparable<GroupId>
{
    public int CompareTo(GroupId other) => Value.CompareTo(other.Value);

    public override string ToString() => $"s{Value}";
}

/// <summary>A process with its data directory: XXH64 of its name, never 0. The core only carries it to the host, as an address.</summary>
public readonly record struct NodeId(ulong Value) : IComparable<NodeId>
{
    public int CompareTo(NodeId other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString("x16");
}

/// <summary>
/// A group's member, unique in the group for ever: (term of the entry that adds it) × 2^16 + a counter within that term;
/// initial replicas are 1…n. Ids grow along the committed log. 0 means none.
/// </summary>
public readonly record struct ReplicaId(ulong Value) : IComparable<ReplicaId>
{
    public static ReplicaId None => default;

    public bool IsNone => Value == 0;

    public int CompareTo(ReplicaId other) => Value.CompareTo(other.Value);

    public override string ToString() => IsNone ? "-" : $"r{Value}";
}
