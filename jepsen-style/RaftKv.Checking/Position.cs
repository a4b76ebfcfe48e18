namespace RaftKv.Checking;

/// <summary>
/// Where an operation stands in the order of its shard, by the server's own word (<c>RaftKv-Shard</c>, <c>RaftKv-Index</c>): of a write its log entry, of
/// a read the applied index of the state it was read from.
/// </summary>
/// <param name="Index">Of the raft log.</param>
/// <param name="Item">Of a batch or transaction, which of its operations; 0 for a write by itself, <see cref="BehindEntry"/> for a read by itself.</param>
public readonly record struct Position(ulong Shard, ulong Index, int Item) : IComparable<Position>
{
    /// <summary>Behind everything that the entry did.</summary>
    public const int BehindEntry = int.MaxValue;

    public static Position OfWrite(ulong shard, ulong index, int item = 0) => new(shard, index, item);

    public static Position OfRead(ulong shard, ulong appliedIndex) => new(shard, appliedIndex, BehindEntry);

    /// <summary>Within one shard.</summary>
    public int CompareTo(Position other)
    {
        int byIndex = Index.CompareTo(other.Index);
        return byIndex != 0 ? byIndex : Item.CompareTo(other.Item);
    }

    public static bool operator <(Position left, Position right) => left.CompareTo(right) < 0;

    public static bool operator >(Position left, Position right) => left.CompareTo(right) > 0;

    public static bool operator <=(Position left, Position right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Position left, Position right) => left.CompareTo(right) >= 0;

    public override string ToString() => Item is 0 or BehindEntry ? $"shard {Shard} index {Index}" : $"shard {Shard} index {Index} item {Item}";
}
