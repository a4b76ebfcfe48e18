using System.Text;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.Storage.Native;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage;

/// <summary>
/// A shard replica's store in RocksDB: one directory, the default column family, never a write-ahead log (design §7).
/// Background flushes keep the promise of the port because memtables are cut between batches and flushed in order.
/// </summary>
/// <remarks>
/// Owned by its replica. Writes and flushes come from one thread at a time; reads from any thread beside them. Every
/// error of RocksDB is a <see cref="StoreFailedException"/> with the store's path. Use after <see cref="Dispose"/> is an
/// <see cref="ObjectDisposedException"/>. Hot path: a read allocates its result, a write nothing.
/// </remarks>
public sealed unsafe class RocksOrderedStore : IOrderedStore
{
    private readonly RocksEnvironment _environment;
    /// <summary>What RocksDB keeps beside a row in a memtable: the links of a skip list, sequence number, lengths.</summary>
    private const int MemtableRowBytes = 40;

    private readonly RocksDatabaseHandle _database;
    private readonly MemtableBudget.Account? _memory;
    private int _writers;

    /// <param name="budget">None: it is only read.</param>
    private RocksOrderedStore(RocksEnvironment environment, RocksDatabaseHandle database, string path, MemtableBudget? budget)
    {
        _environment = environment;
        _database = database;
        DirectoryPath = path;
        _memory = budget?.Open(new Memtable(this));
        environment.Add(this);
    }

    public string DirectoryPath { get; }

    /// <summary>
    /// Opens the store in <paramref name="path"/>, or creates it if the options say so; its files are durable then, the
    /// entry of the directory itself is the caller's to sync. Throws <see cref="StoreFailedException"/>, also when the
    /// store is open already, here or in another process.
    /// </summary>
    /// <remarks>
    /// Rot is found here or by the read that meets it, with one exception: rot in a length field of the MANIFEST looks
    /// like a torn write, and the store opens as of an earlier flush. The caller compares its applied index with where
    /// the Raft log begins, and treats a gap as a damaged store.
    /// </remarks>
    public static RocksOrderedStore Open(RocksEnvironment environment, string path, RocksStoreOptions? options = null)
    {
        RocksDatabaseHandle database = RocksOpening.Open(environment, path, options ?? RocksStoreOptions.Default);
        return new RocksOrderedStore(environment, database, path, environment.Memtables);
    }

    /// <summary>
    /// Opens the store in <paramref name="path"/> to look at it: nothing in its directory changes, and writing fails. What was not flushed is
    /// gone already. Throws <see cref="StoreFailedException"/>. No other process may have it open; RocksDB does not check that here.
    /// </summary>
    /// <param name="withOwnCache">What is read comes from the disk then, even if the node's block cache holds it.</param>
    public static RocksOrderedStore OpenReadOnly(RocksEnvironment environment, string path, bool withOwnCache = false) =>
        new(environment, RocksOpening.OpenReadOnly(environment, path, withOwnCache), path, budget: null);

    public byte[]? Get(ReadOnlySpan<byte> key)
    {
        using RocksDatabaseHandle.UseScope use = _database.Use();
        return Read(key, _database.ReadNewest);
    }

    public byte[]? GetPersisted(ReadOnlySpan<byte> key)
    {
        using RocksDatabaseHandle.UseScope use = _database.Use();
        return Read(key, _database.ReadPersisted);
    }

    /// <inheritdoc/>
    /// <remarks>A cursor that is still open when the store is disposed keeps the database open until it is closed.</remarks>
    public IOrderedCursor OpenCursor(ReadOnlySpan<byte> end = default) => new RocksCursor(_database, DirectoryPath, end);

    public void Write(WriteBatch batch)
    {
        using RocksDatabaseHandle.UseScope use = _database.Use();
        Invariant.Holds(Interlocked.Exchange(ref _writers, 1) == 0, $"two writers at once in store {DirectoryPath}");
        byte* error = null;
        try
        {
            _database.Batch.Fill(batch);
            rocksdb_write(_database.Pointer, _database.WriteWithoutLog, _database.Batch.Pointer, &error);
            _database.Batch.Trim(batch.Bytes.Length);
        }
        finally
        {
            Volatile.Write(ref _writers, 0);
        }
        RocksError.ThrowIfSet(error, DirectoryPath, "write");
        _memory?.OnWritten(batch.Bytes.Length + (long)batch.Count * MemtableRowBytes);
    }

    /// <inheritdoc/>
    public void BeginFlush()
    {
        _memory?.OnFlushBegun();
        RunFlush(_database.FlushInBackground);
    }

    /// <inheritdoc/>
    public ICheckpoint CreateCheckpoint() => RocksCheckpoint.Create(_environment, _database, DirectoryPath);

    /// <inheritdoc/>
    /// <remarks>Also throws when background work has failed before, so that the store stands still.</remarks>
    public void Flush()
    {
        _memory?.OnFlushBegun();
        RunFlush(_database.FlushAndWait);
        ThrowIfFailed();
    }

    /// <inheritdoc/>
    /// <remarks>
    /// RocksDB counts every failure, but goes on by itself after one alone: no room on the disk. Rows that were to be flushed stay in memory then and are written anew, to another
    /// file, and a compaction has replaced nothing. After any other it takes no more writes, and refuses even an empty one with what it was.
    /// </remarks>
    public void ThrowIfFailed()
    {
        if (Property("rocksdb.background-errors\0"u8) == 0) return;
        using RocksDatabaseHandle.UseScope use = _database.Use();
        using RocksBatchHandle nothing = new();
        byte* error = null;
        rocksdb_write(_database.Pointer, _database.WriteWithoutLog, nothing.Pointer, &error);
        RocksError.ThrowIfSet(error, DirectoryPath, "background work");
    }

    /// <inheritdoc/>
    public StoreSize Size
    {
        get
        {
            using RocksDatabaseHandle.UseScope use = _database.Use();
            long memory = (long)Property("rocksdb.cur-size-all-mem-tables\0"u8); // First: what a flush moves meanwhile counts twice rather than not at all.
            long live = (long)Property("rocksdb.estimate-live-data-size\0"u8);
            return new StoreSize((long)Property("rocksdb.total-sst-files-size\0"u8), live, memory, (long)Property("rocksdb.estimate-num-keys\0"u8));
        }
    }

    /// <summary>
    /// Closes the store. RocksDB flushes at a clean close, but does not report whether that worked: whoever relies on
    /// what was written calls <see cref="Flush"/> first.
    /// </summary>
    public void Dispose()
    {
        _environment.Remove(this);
        _memory?.Dispose();
        _database.Dispose();
    }

    private void RunFlush(FlushOptions* options)
    {
        using RocksDatabaseHandle.UseScope use = _database.Use();
        byte* error = null;
        rocksdb_flush(_database.Pointer, options, &error);
        RocksError.ThrowIfSet(error, DirectoryPath, "flush");
    }

    /// <param name="name">Ends with a zero byte.</param>
    private ulong Property(ReadOnlySpan<byte> name)
    {
        using RocksDatabaseHandle.UseScope use = _database.Use();
        ulong value;
        fixed (byte* start = name)
        {
            if (rocksdb_property_int(_database.Pointer, start, &value) != 0)
                throw RocksError.Failure(DirectoryPath, $"reading {Encoding.ASCII.GetString(name[..^1])}", "RocksDB does not know it");
        }

        return value;
    }

    /// <summary>Pinned, so that a value in the block cache is copied once, into the result.</summary>
    private byte[]? Read(ReadOnlySpan<byte> key, ReadOptions* options)
    {
        byte* error = null;
        PinnedValue* pinned;
        fixed (byte* start = key)
            pinned = rocksdb_get_pinned(_database.Pointer, options, start, (nuint)key.Length, &error);
        RocksError.ThrowIfSet(error, DirectoryPath, "get");
        if (pinned == null) return null;
        try
        {
            nuint length;
            byte* value = rocksdb_pinnableslice_value(pinned, &length);
            return new ReadOnlySpan<byte>(value, checked((int)length)).ToArray();
        }
        finally
        {
            rocksdb_pinnableslice_destroy(pinned);
        }
    }

    /// <summary>For the budget, which may ask beside the closing of this store: then there is nothing to flush any more.</summary>
    private sealed class Memtable(RocksOrderedStore store) : MemtableBudget.IMemtable
    {
        public bool IsFlushing
        {
            get
            {
                ulong waiting = 0;
                UnlessClosed(() => waiting = store.Property("rocksdb.num-immutable-mem-table\0"u8));
                return waiting > 0;
            }
        }

        public void BeginFlush() => UnlessClosed(store.BeginFlush);

        public void AwaitFlush() => UnlessClosed(store.Flush);

        private void UnlessClosed(Action action)
        {
            try
            {
                action();
            }
            catch (ObjectDisposedException)
            {
            }
            catch (StoreDamagedException)
            {
                // Another store's write must not take the blame; this one's next use finds out for itself.
                store._memory?.Dispose();
            }
        }
    }
}
