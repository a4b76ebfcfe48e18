using System.Runtime.InteropServices;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage.Native;

/// <summary>An LRU block cache. Open databases hold a reference, so it is destroyed after the last of them.</summary>
internal sealed unsafe class RocksCacheHandle : SafeHandle
{
    public RocksCacheHandle(nuint capacityBytes) : base(0, ownsHandle: true) =>
        SetHandle((nint)rocksdb_cache_create_lru(capacityBytes));

    public override bool IsInvalid => handle == 0;

    public Cache* Pointer => (Cache*)handle;

    protected override bool ReleaseHandle()
    {
        rocksdb_cache_destroy(Pointer);
        return true;
    }
}

/// <summary>RocksDB's operating system port and its background threads; referenced by open databases like the cache.</summary>
internal sealed unsafe class RocksEnvHandle : SafeHandle
{
    public RocksEnvHandle(int compactionThreads, int flushThreads) : base(0, ownsHandle: true)
    {
        SetHandle((nint)rocksdb_create_default_env());
        rocksdb_env_set_background_threads(Pointer, compactionThreads);
        rocksdb_env_set_high_priority_background_threads(Pointer, flushThreads);
    }

    public override bool IsInvalid => handle == 0;

    public Env* Pointer => (Env*)handle;

    protected override bool ReleaseHandle()
    {
        rocksdb_env_destroy(Pointer);
        return true;
    }
}
