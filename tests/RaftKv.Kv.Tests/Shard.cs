using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests;

/// <summary>What the tests of the state machine share.</summary>
internal static class Shard
{
    public static readonly GroupId Id = new(1);

    public static ShardMeta BirthMeta(HashRange range) => ShardMeta.AtBirth(new ShardDescription(1, range, ShardEpoch.Initial, [new ShardReplica(1, "n1")]));

    /// <summary>Every row of a store, in order.</summary>
    public static List<(byte[] Key, byte[] Value)> RowsOf(IOrderedStore store)
    {
        List<(byte[], byte[])> rows = [];
        using IOrderedCursor cursor = store.OpenCursor();
        for (cursor.Seek([]); cursor.IsValid; cursor.Next()) rows.Add((cursor.Key.ToArray(), cursor.Value.ToArray()));
        return rows;
    }

    /// <summary>The same as text, to compare stores by.</summary>
    public static string[] TextOf(IOrderedStore store) => [.. RowsOf(store).Select(row => $"{Convert.ToHexString(row.Key)}={Convert.ToHexString(row.Value)}")];
}
