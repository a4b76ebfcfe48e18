using RaftKv.MultiRaft.Ports;

namespace RaftKv.Storage.Tests;

/// <summary>One node's environment and a directory for its stores, deleted at the end of the test.</summary>
internal sealed class TemporaryStores : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("raftkv-storage-").FullName;

    public RocksEnvironment Environment { get; } = new(blockCacheBytes: 8 * 1024 * 1024);

    public string PathOf(string name) => Path.Combine(_root, name);

    public RocksOrderedStore Open(string name = "store", RocksStoreOptions? options = null) =>
        RocksOrderedStore.Open(Environment, PathOf(name), options ?? new RocksStoreOptions { CreateIfMissing = true });

    public void Dispose()
    {
        Environment.Dispose();
        Directory.Delete(_root, recursive: true);
    }
}

internal static class StoreExtensions
{
    public static void Put(this IOrderedStore store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var batch = new WriteBatch();
        batch.Put(key, value);
        store.Write(batch);
    }
}
