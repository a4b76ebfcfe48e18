namespace RaftKv.Kv.Tests.Routing;

/// <summary>Forwarded requests that parse but must never reach the log: there they would stop every replica, at each start again.</summary>
public sealed class HostileForwardTests
{
    /// <summary>Leaders propose it themselves; it has no result, and nobody may ask for it from outside.</summary>
    [Fact]
    public void An_expire_is_not_taken_from_another_node()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, new KvRequest(KvOperation.Expire, default));
        Assert.Equal((11UL, 1L), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
    }

    /// <summary>Items that a batch does not have, and content that is none.</summary>
    [Fact]
    public void Batches_and_reads_that_do_not_hold_are_not_taken_from_another_node()
    {
        FrontNode node = FrontNode.Alone();
        byte[] key = node.KeyIn(1);
        KvRequest put = new(KvOperation.Put, key);
        KvRequest get = new(KvOperation.Get, key);
        KvRequest[] hostile =
        [
            Batch(),
            Batch(new KvBatchItem(0, get)),
            Batch(new KvBatchItem(0, new KvRequest(KvOperation.Expire, default))),
            Batch(new KvBatchItem(0, Batch(new KvBatchItem(0, put)))),
            Batch(new KvBatchItem(0, put with { IdempotencyKey = new byte[] { 1 } })),
            Batch(new KvBatchItem(1, put), new KvBatchItem(1, put)),
            Batch(new KvBatchItem(1, put), new KvBatchItem(0, put)),
            Batch(new KvBatchItem(0, put)) with { Key = key },
            Batch(new KvBatchItem(0, put)) with { TtlMillis = 1 },
            Batch(new KvBatchItem(0, put)) with { Condition = KvCondition.Absent },
            Batch(new KvBatchItem(0, put)) with { Value = new byte[] { 1, 2, 3 } },
            Gets(),
            Gets(put),
            Gets(Gets(get)),
        ];
        for (int i = 0; i < hostile.Length; i++) node.Forwarded((ulong)i + 1, hostile[i]);
        Assert.Equal((11UL, (long)hostile.Length), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
        Assert.Empty(node.TakeAnswers());

        static KvRequest Batch(params KvBatchItem[] items) => new(KvOperation.Batch, default, new KvBatch(0, [.. items]).Encode());
        static KvRequest Gets(params KvRequest[] gets) => new(KvOperation.GetMany, default, new KvGets(100, [.. gets]).Encode());
    }

    /// <summary>What a transaction cannot have: two writes of a key share a revision, and one row.</summary>
    [Fact]
    public void Transactions_that_do_not_hold_are_not_taken_from_another_node()
    {
        FrontNode node = FrontNode.Alone();
        byte[] key = node.KeyIn(1);
        KvRequest put = new(KvOperation.Put, key);
        KvRequest get = new(KvOperation.Get, key);
        KvRequest[] hostile =
        [
            Txn([], [], []),
            Txn([], [put, put], []),
            Txn([], [], [put, new KvRequest(KvOperation.Delete, key)]),
            Txn([], [put with { Condition = KvCondition.Absent }], []),
            Txn([], [put with { IdempotencyKey = new byte[] { 1 } }], []),
            Txn([], [get with { Revision = 1 }], []),
            Txn([], [new KvRequest(KvOperation.Expire, default)], []),
            Txn([], [Txn([], [put], [])], []),
            Txn([new KvCompare(key, 0, KvRelation.Equal, 0)], [], []),
            Txn([new KvCompare(key, KvTarget.Value, (KvRelation)5, 0)], [], []),
            Txn([new KvCompare(default, KvTarget.Value, KvRelation.Equal, 0)], [], []),
            Txn([], [put], []) with { Operation = KvOperation.ReadTxn },
            Txn([], [], [put]) with { Operation = KvOperation.ReadTxn },
            Txn([], [put], []) with { Key = key },
            new KvRequest(KvOperation.Recall, key, new byte[] { 1, 2, 3 }),
            new KvRequest(KvOperation.Recall, default, new byte[8]),
        ];
        for (int i = 0; i < hostile.Length; i++) node.Forwarded((ulong)i + 1, hostile[i]);
        Assert.Equal((11UL, (long)hostile.Length), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
        Assert.Empty(node.TakeAnswers());

        static KvRequest Txn(KvCompare[] compare, KvRequest[] then, KvRequest[] otherwise) => new(KvOperation.Txn, default, new KvTxn([.. compare], [.. then], [.. otherwise]).Encode());
    }

    /// <summary>A dedup record's key holds its length in a byte.</summary>
    [Theory]
    [InlineData(256)]
    [InlineData(5_000)]
    public void An_idempotency_key_that_no_record_can_hold_is_not_taken_from_another_node(int length)
    {
        FrontNode node = FrontNode.Alone();
        KvRequest put = new(KvOperation.Put, node.KeyIn(1), default, IdempotencyKey: new byte[length]);
        node.Forwarded(1, put);
        Assert.Equal((11UL, 1L), (node.Group.LastIndex.Value, node.Host.Worker.DroppedFrames));
    }
}
