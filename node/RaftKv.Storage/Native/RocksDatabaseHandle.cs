using System.Runtime.InteropServices;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage.Native;

/// <summary>
/// An open database with the option objects and the write batch of its calls. Reads in progress and open iterators hold a reference: closing
/// it while there are some ends new use at once and closes the database when the last is gone.
/// </summary>
/// <remarks>
/// Release order, first to last: iterators and pinned values, the database, its option objects and batch, then the references on the
/// node's cache and Env. RocksDB asserts parts of that order, and Debian's build has assertions on.
/// </remarks>
internal sealed unsafe class RocksDatabaseHandle : SafeHandle
{
    private const int PersistedReadTier = 2; // ReadTier::kPersistedTier: memtables are skipped once something was written without WAL

    private readonly RocksCacheHandle _cache;
    private readonly RocksEnvHandle _env;
    private volatile bool _isDisposed;

    /// <summary>Takes ownership of <paramref name="db"/>, which was opened with <paramref name="cache"/> and <paramref name="env"/>.</summary>
    public RocksDatabaseHandle(Db* db, RocksCacheHandle cache, RocksEnvHandle env) : base(0, ownsHandle: true)
    {
        bool added = false;
        cache.DangerousAddRef(ref added);
        env.DangerousAddRef(ref added);
        _cache = cache;
        _env = env;
        ReadNewest = rocksdb_readoptions_create();
        ReadPersisted = rocksdb_readoptions_create();
        rocksdb_readoptions_set_read_tier(ReadPersisted, PersistedReadTier);
        WriteWithoutLog = rocksdb_writeoptions_create();
        rocksdb_writeoptions_disable_WAL(WriteWithoutLog, 1);
        FlushAndWait = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(FlushAndWait, 1);
        FlushInBackground = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(FlushInBackground, 0);
        SetHandle((nint)db);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Valid inside a <see cref="Use"/> scope only, like the options below.</summary>
    public Db* Pointer => (Db*)handle;

    public ReadOptions* ReadNewest { get; }

    public ReadOptions* ReadPersisted { get; }

    public WriteOptions* WriteWithoutLog { get; }

    public FlushOptions* FlushAndWait { get; }

    public FlushOptions* FlushInBackground { get; }

    /// <summary>For the store's single writer. Here, so that closing the store beside a write cannot free it under the writer.</summary>
    public RocksBatchHandle Batch { get; } = new();

    /// <summary>Keeps the database open until the scope is disposed; throws <see cref="ObjectDisposedException"/> when it is disposed.</summary>
    public UseScope Use() => new(this);

    /// <summary>Keeps the database open until <see cref="SafeHandle.DangerousRelease"/>; throws like <see cref="Use"/>.</summary>
    public void AddUser()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, typeof(RocksOrderedStore));
        bool added = false;
        DangerousAddRef(ref added);
    }

    /// <summary>A safe handle that others still hold would admit new users after its disposal.</summary>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle()
    {
        rocksdb_close(Pointer);
        rocksdb_readoptions_destroy(ReadNewest);
        rocksdb_readoptions_destroy(ReadPersisted);
        rocksdb_writeoptions_destroy(WriteWithoutLog);
        rocksdb_flushoptions_destroy(FlushAndWait);
        rocksdb_flushoptions_destroy(FlushInBackground);
        Batch.Dispose();
        _env.DangerousRelease();
        _cache.DangerousRelease();
        return true;
    }

    internal readonly ref struct UseScope
    {
        private readonly RocksDatabaseHandle _database;

        public UseScope(RocksDatabaseHandle database)
        {
            database.AddUser();
            _database = database;
        }

        public void Dispose() => _database.DangerousRelease();
    }
}
