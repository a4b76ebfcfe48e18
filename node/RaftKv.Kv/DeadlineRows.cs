using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>
/// The deadline rows of one kind, in the order in which they pass. Remembers where the first can be, so that nobody walks over what was deleted in front of it, of which
/// an LSM tree keeps a trace until it compacts.
/// </summary>
/// <remarks>Owned by APPLY. Invariant: no row's deadline is before NextMillis; with none there is no row.</remarks>
internal sealed class DeadlineRows(byte tag)
{
    private readonly ByteWriter _key = new();

    /// <summary>The deadline of the first row, or an earlier one if that row has gone since; shard time.</summary>
    public ulong? NextMillis { get; private set; } = 0;

    /// <summary>Another row will be written.</summary>
    public void Note(ulong deadline) => NextMillis = NextMillis is { } next ? Math.Min(next, deadline) : deadline;

    /// <summary>The keys of at most so many rows of the store whose deadline has passed, in order. The caller deletes them.</summary>
    public List<byte[]> Passed(IOrderedStore store, ulong nowMillis, int limit)
    {
        List<byte[]> passed = [];
        if (NextMillis is not { } first || first > nowMillis) return passed;
        using IOrderedCursor cursor = SeekTo(store, first);
        for (; cursor.IsValid && RowLayout.DeadlineOf(cursor.Key, tag) is { } deadline && deadline <= nowMillis && passed.Count < limit; cursor.Next())
        {
            passed.Add(cursor.Key.ToArray());
            NextMillis = deadline;
        }

        return passed;
    }

    /// <summary>Looks it up, in a store that holds everything written.</summary>
    public void FindNext(IOrderedStore store)
    {
        if (NextMillis is not { } first) return;
        using IOrderedCursor cursor = SeekTo(store, first);
        NextMillis = cursor.IsValid ? RowLayout.DeadlineOf(cursor.Key, tag) : null;
    }

    private IOrderedCursor SeekTo(IOrderedStore store, ulong deadline)
    {
        _key.Clear();
        RowLayout.WriteDeadline(_key, tag, deadline);
        IOrderedCursor cursor = store.OpenCursor();
        cursor.Seek(_key.Written);
        return cursor;
    }
}
