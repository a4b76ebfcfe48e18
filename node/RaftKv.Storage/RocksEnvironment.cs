using System.Collections.Concurrent;
using RaftKv.MultiRaft.Ports;
using RaftKv.Storage.Native;

namespace RaftKv.Storage;

/// <summary>
/// What all RocksDB stores of a node share: one block cache, which bounds the memory of reads, one budget for memtables, which bounds that of writes, and one Env
/// with the threads that flush and compact.
/// </summary>
/// <remarks>
/// Owned by the node; thread-safe. Dispose it after its stores; a store or cursor still open keeps its share alive. The
/// threads belong to RocksDB's default Env, of which a process has one: a second environment sets their number anew.
/// </remarks>
public sealed class RocksEnvironment : IDisposable
{
    private const long DefaultMemtableBytes = 64 * 1024 * 1024;
    private readonly ConcurrentDictionary<RocksOrderedStore, bool> _open = new();
    private volatile bool _isDisposed;

    /// <summary>Loads the library; throws <see cref="RocksDbUnavailableException"/> when there is none that will do.</summary>
    /// <param name="blockCacheBytes">Capacity of the cache of data, index and filter blocks; at least 0.</param>
    /// <param name="memtableBytes">What written rows may take in memory before the store with most of them is flushed; while flushes run, up to three times that.</param>
    /// <param name="compactionThreads">At least 1.</param>
    /// <param name="flushThreads">At least 1; they are apart, so that a flush never waits for a compaction.</param>
    public RocksEnvironment(long blockCacheBytes, long memtableBytes = DefaultMemtableBytes, int compactionThreads = 1, int flushThreads = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(blockCacheBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(memtableBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(compactionThreads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(flushThreads, 1);
        LibraryName = RocksDbLibrary.Probe();
        Cache = new RocksCacheHandle((nuint)blockCacheBytes);
        Env = new RocksEnvHandle(compactionThreads, flushThreads);
        Memtables = new MemtableBudget(memtableBytes, RocksStoreOptions.Default.WriteBufferBytes);
    }

    /// <summary>The name under which librocksdb was found.</summary>
    public string LibraryName { get; }

    internal RocksCacheHandle Cache { get; }

    internal RocksEnvHandle Env { get; }

    internal MemtableBudget Memtables { get; }

    /// <summary>Of all stores that are open. One that is closed meanwhile does not count.</summary>
    public StoreSize TotalSize()
    {
        StoreSize total = default;
        foreach (RocksOrderedStore store in _open.Keys)
        {
            try
            {
                total += store.Size;
            }
            catch (ObjectDisposedException)
            {
                // Just closed.
            }
        }

        return total;
    }

    internal void Add(RocksOrderedStore store) => _open.TryAdd(store, true);

    internal void Remove(RocksOrderedStore store) => _open.TryRemove(store, out _);

    /// <summary>Keeps the environment's pointers valid until the scope is disposed; throws when it is disposed itself.</summary>
    internal UseScope Use() => new(this);

    public void Dispose()
    {
        _isDisposed = true;
        Env.Dispose();
        Cache.Dispose();
    }

    internal readonly ref struct UseScope
    {
        private readonly RocksEnvironment _environment;

        public UseScope(RocksEnvironment environment)
        {
            ObjectDisposedException.ThrowIf(environment._isDisposed, environment);
            bool added = false;
            environment.Cache.DangerousAddRef(ref added);
            environment.Env.DangerousAddRef(ref added);
            _environment = environment;
        }

        public void Dispose()
        {
            _environment.Env.DangerousRelease();
            _environment.Cache.DangerousRelease();
        }
    }
}
