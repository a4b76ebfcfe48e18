using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.Rows;

public sealed class ShardMetaTests
{
    private static readonly ShardMeta Meta = new(new LogIndex(12), new Term(6), 3, 4, 5, new HashRange(6, 7), new ShardEpoch(8, 9), 10, 11, 12, 14, 13, 15);

    [Fact]
    public void A_meta_row_can_be_read_back()
    {
        using SimStore store = new();
        KvStateMachine.InitialiseStore(store, Meta, Configuration.Empty);
        Assert.Equal(Meta, ShardMeta.ReadFrom(store, Shard.Id));
        Assert.NotNull(store.GetPersisted(RowLayout.MetaKey));
    }

    [Fact]
    public void Without_a_meta_row_a_store_is_not_opened()
    {
        using SimStore store = new();
        Assert.ThrowsAny<StoreFailedException>(() => new KvStateMachine(Shard.Id, store, Limits.Default));
    }

    [Fact]
    public void A_truncated_row_another_format_and_a_byte_too_many_are_a_failed_store()
    {
        byte[] row = Encode(Meta);
        for (int length = 0; length < row.Length; length++) AssertRefused(row[..length]);
        AssertRefused([4, .. row[1..]]);
        AssertRefused([0, .. row[1..]]);
        AssertRefused([.. row, 0]);
    }

    /// <summary>A range that ends before it starts is no range: rot, and an error like any other of the store.</summary>
    [Fact]
    public void A_range_that_cannot_be_is_a_failed_store()
    {
        byte[] row = Encode(Meta);
        row[1 + (5 * 8)] = 7;
        AssertRefused(row);
        new Random(1).NextBytes(row.AsSpan(1 + (5 * 8)));
        (row[48], row[56]) = (0xFF, 0x01);
        AssertRefused(row);
    }

    private static void AssertRefused(byte[] row)
    {
        using SimStore store = new();
        WriteBatch batch = new();
        batch.Put(RowLayout.MetaKey, row);
        store.Write(batch);
        Assert.ThrowsAny<StoreFailedException>(() => ShardMeta.ReadFrom(store, Shard.Id));
    }

    private static byte[] Encode(ShardMeta meta)
    {
        ByteWriter writer = new();
        meta.Write(writer);
        return writer.ToArray();
    }
}
