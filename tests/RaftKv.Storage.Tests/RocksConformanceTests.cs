using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;

namespace RaftKv.Storage.Tests;

/// <summary>RocksDB under the tests that every ordered store passes.</summary>
public sealed class RocksConformanceTests : OrderedStoreConformance, IDisposable
{
    private readonly TemporaryStores _stores = new();

    public void Dispose() => _stores.Dispose();

    protected override IOrderedStore Open(string name) => _stores.Open(name);
}

/// <summary>The same with memtables so small that RocksDB flushes and compacts by itself all the time.</summary>
public sealed class RocksConformanceWithTinyMemtablesTests : OrderedStoreConformance, IDisposable
{
    private readonly TemporaryStores _stores = new();

    public void Dispose() => _stores.Dispose();

    protected override IOrderedStore Open(string name) =>
        _stores.Open(name, new RocksStoreOptions { CreateIfMissing = true, WriteBufferBytes = 64 * 1024, ArenaBlockBytes = 4096, MaxOpenFiles = 20 });
}
