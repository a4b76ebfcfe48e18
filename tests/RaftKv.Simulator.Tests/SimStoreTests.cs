using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;

namespace RaftKv.Simulator.Tests;

/// <summary>The simulator's store keeps what RocksDB keeps: both pass the same conformance tests.</summary>
public sealed class SimStoreTests : OrderedStoreConformance
{
    private readonly Dictionary<string, SimStore> _stores = [];

    [Fact]
    public void A_crash_keeps_what_was_flushed_and_nothing_else()
    {
        SimStore store = new();
        Put(store, 1);
        store.Flush();
        Put(store, 2);
        store.Crash();
        Assert.NotNull(store.Get([1]));
        Assert.Null(store.Get([2]));
    }

    protected override IOrderedStore Open(string name)
    {
        if (!_stores.TryGetValue(name, out SimStore? store)) _stores.Add(name, store = new SimStore());
        return store;
    }

    private static void Put(SimStore store, byte key)
    {
        WriteBatch batch = new();
        batch.Put([key], [key]);
        store.Write(batch);
    }
}
