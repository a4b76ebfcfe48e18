using RaftKv.MultiRaft.Ports;

namespace RaftKv.OrderedStores;

/// <summary>What an ordered store promises, as a sorted map; conformance tests compare the store with it.</summary>
/// <remarks>
/// What a crash would leave is any state between the last flush and now, cut between batches, because a store may flush
/// by itself. So the model remembers those states instead of one.
/// </remarks>
public sealed class StoreModel
{
    private readonly List<SortedDictionary<byte[], byte[]>> _crashStates = [NewMap()];

    public SortedDictionary<byte[], byte[]> Rows { get; private set; } = NewMap();

    public void Write(WriteBatch batch)
    {
        var next = new SortedDictionary<byte[], byte[]>(Rows, Rows.Comparer);
        foreach (WriteBatch.Row row in batch)
        {
            if (row.IsPut) next[row.Key.ToArray()] = row.Value.ToArray();
            else next.Remove(row.Key.ToArray());
        }
        Rows = next;
        _crashStates.Add(next);
    }

    public void Flush() => _crashStates.RemoveRange(0, _crashStates.Count - 1);

    public byte[]? Get(byte[] key) => Rows.GetValueOrDefault(key);

    /// <summary>What <see cref="IOrderedStore.GetPersisted"/> may answer.</summary>
    public IEnumerable<byte[]?> Persisted(byte[] key) => _crashStates.Select(state => state.GetValueOrDefault(key));

    public List<(byte[] Key, byte[] Value)> Scan(byte[] start, byte[] end) =>
        [.. from row in Rows
            where Compare(row.Key, start) >= 0 && (end.Length == 0 || Compare(row.Key, end) < 0)
            select (row.Key, row.Value)];

    public static List<(byte[] Key, byte[] Value)> Scan(IOrderedCursor cursor, byte[] start)
    {
        List<(byte[] Key, byte[] Value)> rows = [];
        for (cursor.Seek(start); cursor.IsValid; cursor.Next())
            rows.Add((cursor.Key.ToArray(), cursor.Value.ToArray()));
        return rows;
    }

    public static List<(byte[] Key, byte[] Value)> Scan(IOrderedStore store, byte[] start, byte[] end)
    {
        using IOrderedCursor cursor = store.OpenCursor(end);
        return Scan(cursor, start);
    }

    private static SortedDictionary<byte[], byte[]> NewMap() => new(Comparer<byte[]>.Create(Compare));

    private static int Compare(byte[] left, byte[] right) => left.AsSpan().SequenceCompareTo(right);
}
