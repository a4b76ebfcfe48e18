using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>A node's shard stores: sorted maps, of which a crash keeps what was flushed.</summary>
internal sealed class SimShardStores(SplitMix? random = null, int flushChance = 0) : IShardStores
{
    private readonly SortedDictionary<(ulong Group, ulong Generation), SimStore> _stores = [];

    public IReadOnlyList<(GroupId Group, ulong Generation)> List() => [.. _stores.Keys.Select(key => (new GroupId(key.Group), key.Generation))];

    /// <inheritdoc/>
    public long RoomBytes { get; set; } = long.MaxValue;

    public IOrderedStore Create(GroupId group, ulong generation)
    {
        SimStore store = new(random, flushChance);
        if (!_stores.TryAdd((group.Value, generation), store)) throw new StoreFailedException($"{group}/{generation}: exists");
        return store;
    }

    public IOrderedStore Open(GroupId group, ulong generation) =>
        _stores.TryGetValue((group.Value, generation), out SimStore? store) && store is { IsStaged: false, IsRotten: false } ? store : throw new StoreDamagedException($"{group}/{generation}: no such store, or a rotten one");

    /// <summary>Of one of the stores a block rots: whoever reads it, now or after a restart, is told so.</summary>
    public bool TryRot(SplitMix chance)
    {
        SimStore[] whole = [.. _stores.Values.Where(store => !store.IsStaged)];
        if (whole.Length == 0) return false;
        whole[(int)chance.Below(whole.Length)].IsRotten = true;
        return true;
    }

    public void Delete(GroupId group, ulong generation) => _stores.Remove((group.Value, generation));

    public IStagedStore Stage(GroupId group, ulong generation)
    {
        SimStore store = (SimStore)Create(group, generation);
        store.IsStaged = true;
        return new SimStagedStore(store);
    }

    public void SyncDirectories() { }

    /// <summary>The process is gone: memtables with it.</summary>
    public void Crash()
    {
        foreach (SimStore store in _stores.Values) store.Crash();
        // What is not finished may be there or not; a start has to cope with both.
        if (random is null || random.Chance(500_000)) return;
        foreach (var unfinished in _stores.Where(pair => pair.Value.IsStaged).Select(pair => pair.Key).ToArray()) _stores.Remove(unfinished);
    }
}

/// <summary>
/// An ordered store in memory, with the crash behaviour of a store without a write-ahead log. In a world there is one thread; the lock is for the port's
/// promise that reads may come beside writes.
/// </summary>
/// <param name="random">Flushes by chance after any write, as an engine does when it likes: null never does.</param>
/// <param name="flushChance">In millionths.</param>
internal sealed class SimStore(SplitMix? random = null, int flushChance = 0) : IOrderedStore
{
    private readonly Lock _gate = new();
    private SortedRows _rows = new();
    private SortedRows _flushed = new();

    /// <summary>Cursors over <see cref="_rows"/>: while there are any, a write leaves those rows as they are and goes on with a copy.</summary>
    private int _openCursors;

    /// <summary>What it holds is not what was written: reads fail.</summary>
    public bool IsRotten { get; set; }

    /// <summary>It is being filled with a snapshot's files, and not a store yet.</summary>
    public bool IsStaged { get; set; }

    public byte[]? Get(ReadOnlySpan<byte> key)
    {
        lock (_gate) return Whole(_rows).Find(key);
    }

    public byte[]? GetPersisted(ReadOnlySpan<byte> key)
    {
        lock (_gate) return Whole(_flushed).Find(key);
    }

    public IOrderedCursor OpenCursor(ReadOnlySpan<byte> end = default) => new Cursor(this, end.ToArray());

    private SortedRows Whole(SortedRows rows) => IsRotten ? throw new StoreDamagedException("a block's checksum is wrong") : rows;

    public void Write(WriteBatch batch)
    {
        lock (_gate)
        {
            if (_openCursors > 0) _rows = _rows.Clone();
            _openCursors = 0;
            foreach (WriteBatch.Row row in batch)
            {
                if (row.IsPut) _rows.Put(row.Key.ToArray(), row.Value.ToArray());
                else _rows.Remove(row.Key);
            }
        }

        if (random is not null && random.Chance(flushChance)) Flush();
    }

    public void Flush()
    {
        lock (_gate) _flushed = _rows.Clone();
    }

    /// <summary>Done at some time, or not before the next crash.</summary>
    public void BeginFlush()
    {
        if (random is null || random.Chance(500_000)) Flush();
    }

    public ICheckpoint CreateCheckpoint()
    {
        lock (_gate) return new SimCheckpoint(Whole(_flushed));
    }

    /// <summary>A snapshot's rows take the place of everything, flushed.</summary>
    public void Fill(SortedRows rows)
    {
        lock (_gate) _rows = rows;
        Flush();
        IsStaged = false;
    }

    public void ThrowIfFailed() { }

    public StoreSize Size
    {
        get
        {
            lock (_gate) return new(_flushed.Bytes, _flushed.Bytes, _rows.Bytes, _rows.Count);
        }
    }

    public void Crash()
    {
        lock (_gate)
        {
            _openCursors = 0;
            _rows = _flushed.Clone();
        }
    }

    /// <summary>Closing flushes nothing here, so that nothing depends on it.</summary>
    public void Dispose() { }

    private sealed class Cursor : IOrderedCursor
    {
        private readonly SimStore _store;
        private readonly SortedRows _view;
        private readonly byte[] _end;
        private int _position;
        private bool _isClosed;

        public Cursor(SimStore store, byte[] end)
        {
            _store = store;
            _end = end;
            lock (store._gate)
            {
                _view = store.Whole(store._rows);
                store._openCursors++;
            }

            _position = _view.Count;
        }

        public bool IsValid => _position < _view.Count && (_end.Length == 0 || _view.KeyAt(_position).AsSpan().SequenceCompareTo(_end) < 0);

        public ReadOnlySpan<byte> Key => _view.KeyAt(_position);

        public ReadOnlySpan<byte> Value => _view.ValueAt(_position);

        public void Seek(ReadOnlySpan<byte> key) => _position = _view.LowerBound(key);

        public void Next() => _position++;

        public void Dispose()
        {
            if (_isClosed) return;
            _isClosed = true;
            lock (_store._gate)
                if (_view == _store._rows) _store._openCursors--;
        }
    }
}

/// <summary>Rows in two parallel sorted lists. Arrays are immutable once in, so a clone shares them.</summary>
internal sealed class SortedRows
{
    private readonly List<byte[]> _keys;
    private readonly List<byte[]> _values;

    public SortedRows() : this([], []) { }

    private SortedRows(List<byte[]> keys, List<byte[]> values)
    {
        _keys = keys;
        _values = values;
    }

    public int Count => _keys.Count;

    public long Bytes => _keys.Sum(key => (long)key.Length) + _values.Sum(value => (long)value.Length);

    public byte[] KeyAt(int position) => _keys[position];

    public byte[] ValueAt(int position) => _values[position];

    public byte[]? Find(ReadOnlySpan<byte> key)
    {
        int position = LowerBound(key);
        return IsAt(position, key) ? _values[position] : null;
    }

    public void Put(byte[] key, byte[] value)
    {
        int position = LowerBound(key);
        if (IsAt(position, key))
        {
            _values[position] = value;
            return;
        }

        _keys.Insert(position, key);
        _values.Insert(position, value);
    }

    public void Remove(ReadOnlySpan<byte> key)
    {
        int position = LowerBound(key);
        if (!IsAt(position, key)) return;
        _keys.RemoveAt(position);
        _values.RemoveAt(position);
    }

    /// <summary>The first position whose key is at or above <paramref name="key"/>.</summary>
    public int LowerBound(ReadOnlySpan<byte> key)
    {
        int low = 0;
        int high = _keys.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_keys[middle].AsSpan().SequenceCompareTo(key) < 0) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    public SortedRows Clone() => new([.. _keys], [.. _values]);

    private bool IsAt(int position, ReadOnlySpan<byte> key) => position < _keys.Count && _keys[position].AsSpan().SequenceEqual(key);
}
