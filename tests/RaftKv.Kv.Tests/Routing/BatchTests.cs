using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>A batch's parts at the shard that owns their keys: here, forwarded, and over unknown outcomes.</summary>
public sealed class BatchTests
{
    private static readonly KvResponse Applied = new() { Node = "n2", Group = new GroupId(1), Term = new Term(6), Index = new LogIndex(20), Revision = 5 };

    [Fact]
    public void The_writes_are_one_entry_and_each_takes_a_revision_of_its_own()
    {
        FrontNode node = FrontNode.Alone();
        KvResponse answer = node.Call(Batch(default, Put("a", "1"), Put("b", "2") with { Condition = KvCondition.RevisionIs, Revision = 9 }, Put("a", "3"), Delete("b"))).Ended;
        Assert.Equal((null, "n1", 12UL, 6UL), (answer.Error, answer.Node, answer.Index.Value, answer.Term.Value));
        Assert.Equal(12UL, node.Group.LastIndex.Value);
        Assert.Equal(
            [(null, 12UL, 1UL, 0UL, false), (ErrorCode.PreconditionFailed, 12UL, 0UL, 0UL, false), (null, 12UL, 2UL, 1UL, true), (null, 12UL, 2UL, 0UL, false)],
            answer.Items.Select(item => (item.Error, item.Index.Value, item.Revision, item.PrevRevision, item.Existed)));
        Assert.All(answer.Items, item => Assert.Equal(("n1", new GroupId(1), new Term(6)), (item.Node, item.Group, item.Term)));
    }

    [Fact]
    public void Gets_are_served_from_one_state_as_far_as_their_values_fit()
    {
        FrontNode node = FrontNode.Alone();
        node.Call(Batch(default, Put("a", "one"), Put("b", "two"), Put("c", "")));
        KvResponse answer = node.Call(Gets(6, Get("a"), Get("nothing"), Get("a") with { Revision = 9 }, Get("b"), Get("c"), Get("b"))).Ended;
        Assert.Equal(
            [(null, true, "one"), (null, false, ""), (ErrorCode.BadRevision, false, ""), (null, true, "two"), (null, true, "")],
            answer.Items.Select(item => (item.Error, item.Existed, System.Text.Encoding.UTF8.GetString(item.Value.Span))));
        Assert.All(answer.Items, item => Assert.Equal(answer.Index, item.Index));
    }

    [Fact]
    public void Both_can_be_forwarded()
    {
        FrontNode node = FrontNode.Alone();
        node.Forwarded(1, Batch(default, Put("a", "1"), Delete("b")));
        node.Forwarded(2, Gets(100, Get("a"), Get("b")));
        SentAnswer[] answers = node.TakeAnswers();
        Assert.Equal([(1UL, 1UL), (1UL, 0UL)], answers[0].Response.Items.Select(item => (item.Revision, item.PrevRevision == 0 ? item.Version : 9)));
        Assert.Equal([true, false], answers[1].Response.Items.Select(item => item.Existed));
    }

    [Fact]
    public void A_key_of_another_shard_is_refused_for_itself()
    {
        FrontNode node = FrontNode.Alone(shards: 2);
        KvRequest mine = new(KvOperation.Put, node.KeyIn(2), Entries("1"));
        KvRequest others = new(KvOperation.Put, node.KeyIn(1), Entries("1"));
        node.Forwarded(1, Batch(default, mine, others), group: 2);
        node.Forwarded(2, Gets(100, new KvRequest(KvOperation.Get, others.Key), new KvRequest(KvOperation.Get, mine.Key)), group: 2);
        SentAnswer[] answers = node.TakeAnswers();
        Assert.Equal([null, ErrorCode.WrongShard], answers[0].Response.Items.Select(item => item.Error));
        Assert.Equal([ErrorCode.WrongShard, null], answers[1].Response.Items.Select(item => item.Error));
    }

    [Fact]
    public void A_repetition_replays_each_item_by_its_position()
    {
        FrontNode node = FrontNode.Alone();
        KvRequest batch = Batch("id-1", Put("a", "1"), Put("a", "2"), Delete("b"));
        KvResponse first = node.Call(batch).Ended;
        node.Call(Batch(default, Put("a", "between")));
        KvResponse second = node.Call(batch).Ended;
        Assert.Equal(14UL, second.Index.Value);
        Assert.Equal(first.Items.Select(item => item with { IsReplay = true }), second.Items);
        Assert.Equal("between"u8, node.Call(new KvRequest(KvOperation.Get, Entries("a"))).Ended.Value.Span);
    }

    [Fact]
    public void Another_batch_under_the_same_key_is_refused_item_by_item_where_it_meets_the_first()
    {
        FrontNode node = FrontNode.Alone();
        node.Call(Batch("id-1", Put("a", "1"), Put("b", "2")));
        KvResponse other = node.Call(Batch("id-1", Put("a", "1"), Put("b", "3"), Put("c", "4"))).Ended;
        Assert.Equal([ErrorCode.IdempotencyKeyReused, ErrorCode.IdempotencyKeyReused, null], other.Items.Select(item => item.Error));
    }

    /// <summary>Keyed, it may be repeated; what only the last attempt knows says nothing of the first.</summary>
    [Fact]
    public void After_an_unknown_attempt_each_item_is_what_is_known_of_all_attempts()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall call = node.Call(Batch("id-1", Put("a", "1"), Put("b", "2"), Put("c", "3"), Put("d", "4")));
        node.After(500_000);
        Assert.Equal(2, node.TakeForwards().Length);
        node.Answered(FrontNode.N2, 2, Applied with
        {
            Items = [Applied, Applied with { IsReplay = true }, KvResponse.Fail(ErrorCode.IdempotencyRecordsFull, "full"), KvResponse.Fail(ErrorCode.PreconditionFailed, "")],
        });
        Assert.Equal([null, null, ErrorCode.OutcomeUnknown, ErrorCode.PreconditionFailed], call.Ended.Items.Select(item => item.Error));
    }

    [Fact]
    public void Without_a_key_a_forwarded_batch_is_unknown_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall call = node.Call(Batch(default, Put("a", "1")), deadlineMicros: 100_000);
        node.After(100_000);
        Assert.Same(ErrorCode.OutcomeUnknown, call.Ended.Error);
    }

    private static byte[] Entries(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static KvRequest Put(string key, string value) => new(KvOperation.Put, Entries(key), Entries(value));

    private static KvRequest Delete(string key) => new(KvOperation.Delete, Entries(key));

    private static KvRequest Get(string key) => new(KvOperation.Get, Entries(key));

    private static KvRequest Batch(string? id, params KvRequest[] items) =>
        new(KvOperation.Batch, default, new KvBatch(KvBatch.FingerprintOf(items), [.. items.Select((item, i) => new KvBatchItem((uint)i, item))]).Encode(), IdempotencyKey: Entries(id ?? ""));

    private static KvRequest Gets(uint maxValueBytes, params KvRequest[] gets) => new(KvOperation.GetMany, default, new KvGets(maxValueBytes, [.. gets]).Encode());
}
