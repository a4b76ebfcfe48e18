using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>A leader whose disk is below the floor takes no puts, and everything else (design §10; lessons L1, L18).</summary>
public sealed class OutOfSpaceTests
{
    private static readonly DiskSpace Full = new(FreeBytes: 99, FloorBytes: 100);
    private static readonly DiskSpace JustEnough = new(FreeBytes: 100, FloorBytes: 100);
    private static readonly KvRequest Put = new(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray());
    private static readonly KvRequest Delete = new(KvOperation.Delete, "key"u8.ToArray());
    private static readonly KvRequest Get = new(KvOperation.Get, "key"u8.ToArray());

    [Fact]
    public void A_put_is_refused_before_it_is_appended_and_names_limit_and_actual()
    {
        FrontNode node = Alone(Full);
        KvResponse refused = node.Call(Put).Ended;
        Assert.Same(ErrorCode.OutOfSpace, refused.Error);
        Assert.Equal(("n1", new GroupId(1), (100L, 99L)), (refused.Node, refused.Group, refused.Exceeded!.Value));
        Assert.Equal("node n1, which leads shard 1, has 99 bytes of disk free, and takes no puts below 100; deletes go on", refused.Detail);
        Assert.Equal(11UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void A_forwarded_put_is_refused_by_the_leader_and_the_numbers_travel()
    {
        FrontNode node = Alone(Full);
        node.Forwarded(1, Put);
        node.Forwarded(2, Delete);
        SentAnswer[] answers = node.TakeAnswers();
        Assert.Equal((1UL, ErrorCode.OutOfSpace, (100L, 99L)), (answers[0].Number, answers[0].Response.Error, answers[0].Response.Exceeded!.Value));
        Assert.Equal((2UL, null), (answers[1].Number, answers[1].Response.Error));
        Assert.Equal(12UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void What_a_node_forwards_is_refused_by_the_leaders_disk_and_not_by_its_own()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        See(node, Full);
        TestCall put = node.Put();
        SentForward forward = Assert.Single(node.TakeForwards());
        node.Answered(FrontNode.N2, forward.Number, KvResponse.OutOfSpace(new DiskSpace(7, 9), "n2", new GroupId(1)));
        Assert.Equal((ErrorCode.OutOfSpace, "n2", (9L, 7L)), (put.Ended.Error, put.Ended.Node, put.Ended.Exceeded!.Value));
    }

    [Fact]
    public void Deletes_and_reads_go_on()
    {
        FrontNode node = Alone(JustEnough);
        Assert.Null(node.Call(Put).Ended.Error);
        See(node, Full);
        Assert.Equal("value"u8, node.Call(Get).Ended.Value.Span);
        Assert.True(node.Call(Delete).Ended is { Error: null, Existed: true });
        Assert.Null(node.Call(Batch(Delete, Delete with { Key = "other"u8.ToArray() })).Ended.Error);
        Assert.Null(node.Call(Txn([Delete], [Get])).Ended.Error);
        Assert.Null(node.Call(new KvRequest(KvOperation.ReadTxn, default, new KvTxn([], [Get], []).Encode())).Ended.Error);
    }

    [Fact]
    public void A_put_in_a_batch_or_in_either_branch_of_a_transaction_is_one_too()
    {
        FrontNode node = Alone(Full);
        foreach (KvRequest request in (KvRequest[])[Batch(Delete, Put with { Key = "other"u8.ToArray() }), Txn([Put], [Delete]), Txn([Delete], [Put])])
            Assert.Equal((ErrorCode.OutOfSpace, (100L, 99L)), node.Call(request).Ended is var refused ? (refused.Error, refused.Exceeded!.Value) : default);
        Assert.Equal(11UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void Keys_expire_all_the_same()
    {
        FrontNode node = Alone(JustEnough);
        Assert.Null(node.Call(Put with { TtlMillis = 1_000 }).Ended.Error);
        See(node, Full);
        for (int i = 0; i < 40; i++) node.Tick();
        Assert.False(node.Call(Get).Ended.Existed);
    }

    [Fact]
    public void It_clears_itself()
    {
        FrontNode node = Alone(Full);
        Assert.Same(ErrorCode.OutOfSpace, node.Call(Put).Ended.Error);
        See(node, JustEnough);
        Assert.Null(node.Call(Put).Ended.Error);
    }

    /// <summary>The refusal is the last attempt's; the first one may have been applied (design §3.3).</summary>
    [Fact]
    public void After_an_unknown_attempt_it_is_no_proof()
    {
        FrontNode node = FrontNode.FollowerOfN2(options => options with { RetryMicros = FrontNode.TickMicros });
        TestCall put = node.Call(Put with { IdempotencyKey = "once"u8.ToArray() });
        SentForward first = Assert.Single(node.TakeForwards());
        node.Tick();
        SentForward second = Assert.Single(node.TakeForwards());
        Assert.NotEqual(first.Number, second.Number);
        node.Answered(FrontNode.N2, second.Number, KvResponse.OutOfSpace(Full, "n2", new GroupId(1)));
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        Assert.Null(put.Ended.Exceeded);
        Assert.Contains("the last one ended with out-of-space", put.Ended.Detail, StringComparison.Ordinal);
    }

    private static FrontNode Alone(DiskSpace space)
    {
        FrontNode node = FrontNode.Alone();
        See(node, space);
        return node;
    }

    /// <summary>The shell has looked at the disk.</summary>
    private static void See(FrontNode node, DiskSpace space)
    {
        node.Host.Worker.PostCompletion(space);
        node.Settle();
    }

    private static KvRequest Batch(params KvRequest[] writes) =>
        new(KvOperation.Batch, default, new KvBatch(0, [.. writes.Select((write, i) => new KvBatchItem((uint)i, write))]).Encode());

    private static KvRequest Txn(KvRequest[] then, KvRequest[] otherwise) => new(KvOperation.Txn, default, new KvTxn([], [.. then], [.. otherwise]).Encode());
}
