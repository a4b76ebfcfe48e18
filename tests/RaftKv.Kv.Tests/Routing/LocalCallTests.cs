using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Calls at the node that leads.</summary>
public sealed class LocalCallTests
{
    [Fact]
    public void A_put_and_a_get_are_served_here_and_say_where_they_stand()
    {
        FrontNode node = FrontNode.Alone();
        KvResponse put = node.Put("one").Ended;
        Assert.Equal(
            new KvResponse { Node = "n1", Group = new GroupId(1), Term = new Term(6), Index = new LogIndex(12), Revision = 1, Created = 1, Version = 1 },
            put);
        KvResponse get = node.Get().Ended;
        Assert.Equal("one"u8, get.Value.Span);
        Assert.Equal(put with { Existed = true }, get with { Value = default });
        Assert.Equal((2UL, 1UL, 2UL, true), node.Put("two").Ended is var again ? (again.Revision, again.PrevRevision, again.Version, again.Existed) : default);
        Assert.Empty(node.Links.Sent);
    }

    [Fact]
    public void A_get_of_nothing_says_so()
    {
        KvResponse get = FrontNode.Alone().Get().Ended;
        Assert.Null(get.Error);
        Assert.False(get.Existed);
        Assert.Equal((0UL, 0UL, 0), (get.Revision, get.Version, get.Value.Length));
    }

    [Fact]
    public void A_refused_condition_is_a_definite_answer_with_the_keys_revision()
    {
        FrontNode node = FrontNode.Alone();
        node.Put();
        KvResponse refused = node.Call(new KvRequest(KvOperation.Put, node.KeyIn(1), default, KvCondition.Absent)).Ended;
        Assert.Same(ErrorCode.PreconditionFailed, refused.Error);
        Assert.Equal((1UL, true, "the key's revision is 1"), (refused.Revision, refused.Existed, refused.Detail));
    }

    [Fact]
    public void Each_key_goes_to_its_own_shard()
    {
        FrontNode node = FrontNode.Alone(shards: 8);
        for (ulong shard = 1; shard <= 8; shard++) Assert.Equal((new GroupId(shard), 1UL), node.Put(shard: shard).Ended is var put ? (put.Group, put.Revision) : default);
    }

    [Fact]
    public void A_call_waits_for_a_leader_and_is_served_at_a_tick()
    {
        FrontNode node = new(ShardMap.Initial(["n1"], 1, 1));
        TestCall put = node.Put(deadlineMicros: long.MaxValue / 2);
        TestCall get = node.Get(deadlineMicros: long.MaxValue / 2);
        Assert.Null(put.Response);
        node.After(7_200_000_000);
        Assert.Equal(Role.Leader, node.Group.Role);
        node.Tick();
        Assert.Null(put.Ended.Error);
        Assert.Null(get.Ended.Error);
    }

    [Fact]
    public void Without_a_leader_the_deadline_is_definite()
    {
        FrontNode node = new(ShardMap.Initial(["n1"], 1, 1));
        TestCall put = node.Put(deadlineMicros: 100_000);
        TestCall get = node.Get(deadlineMicros: 100_000);
        node.After(99_999);
        Assert.Null(put.Response);
        node.Tick();
        Assert.Same(ErrorCode.NoLeader, put.Ended.Error);
        Assert.Same(ErrorCode.NoLeader, get.Ended.Error);
        Assert.Equal(10UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void The_deadline_of_an_appended_write_is_unknown_and_that_of_a_read_is_not()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Put(deadlineMicros: 100_000);
        TestCall get = node.Get(deadlineMicros: 100_000);
        node.After(100_000);
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        Assert.Same(ErrorCode.Deadline, get.Ended.Error); // It leads, and got no majority's word in time.
        // The entry is committed after all; nobody waits for it any more.
        node.Receive(node.From(2, MessageKind.AppendResponse, 6) with { Index = new LogIndex(12) });
        Assert.Equal(12UL, node.Group.Applied.Value);
    }

    [Fact]
    public void More_calls_than_the_limit_are_refused_at_once()
    {
        FrontNode node = new(ShardMap.Initial(["n1"], 1, 1), options => options with { MaxCalls = 2 });
        TestCall[] waiting = [node.Put(deadlineMicros: 100_000), node.Get(deadlineMicros: 100_000)];
        KvResponse refused = node.Put().Ended;
        Assert.Equal((ErrorCode.Overloaded, "2 requests are under way, the limit is 2", (2L, 2L)), (refused.Error, refused.Detail, refused.Exceeded!.Value));
        Assert.All(waiting, call => Assert.Null(call.Response));
        node.After(100_000);
        Assert.Null(node.Put().Response); // There is room again.
    }

    // Whoever waits for a leader waits with its value; the number alone would let 64 GiB wait.
    [Fact]
    public void More_bytes_than_the_limit_are_refused_at_once()
    {
        FrontNode node = new(ShardMap.Initial(["n1"], 1, 1), options => options with { MaxCallBytes = 2_000 });
        TestCall waiting = node.Put(new string('x', 1_000), deadlineMicros: 100_000);
        KvResponse refused = node.Put(new string('x', 1_000)).Ended;
        Assert.Equal((ErrorCode.Overloaded, $"requests of {waiting.Request.Length} bytes are under way, the limit is 2000"), (refused.Error, refused.Detail));
        Assert.Equal((2_000L, (long)waiting.Request.Length), refused.Exceeded);
        Assert.Null(node.Put().Response); // A small one has room.
        node.After(100_000);
        Assert.NotNull(waiting.Response);
        Assert.Null(node.Put(new string('x', 1_000)).Response); // There is room again.
    }

    [Fact]
    public void A_write_beyond_what_may_be_uncommitted_is_refused_before_it_is_appended()
    {
        FrontNode node = FrontNode.Alone(host: options => options with { MaxUncommittedBytes = 100 });
        KvRequest large = new(KvOperation.Put, node.KeyIn(1), new byte[200]);
        TestCall first = node.Post(large);
        TestCall second = node.Post(large);
        node.Settle();
        Assert.Null(first.Ended.Error);
        Assert.Same(ErrorCode.Overloaded, second.Ended.Error);
        Assert.Equal(12UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void A_superseded_write_is_tried_again_at_the_new_leader_once()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Put();
        node.IsReplacedByN2(term: 7, index: 12, previousTerm: 6);
        SentForward forward = Assert.Single(node.TakeForwards());
        Assert.Equal(FrontNode.N2, forward.To);
        Assert.Equal(put.Request, forward.Request);
        for (int i = 0; i < 20; i++) node.Tick();
        Assert.Empty(node.TakeForwards());
        node.Answered(FrontNode.N2, forward.Number, new KvResponse { Node = "n2", Revision = 9 });
        Assert.Equal(9UL, put.Ended.Revision);
    }

    [Fact]
    public void A_write_that_ended_is_not_tried_again_when_it_is_superseded()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Put(deadlineMicros: 100_000);
        node.After(100_000);
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        node.IsReplacedByN2(term: 7, index: 12, previousTerm: 6);
        node.Tick();
        Assert.Empty(node.TakeForwards());
    }

    /// <summary>Deposed is no proof: the entry may yet be committed, as long as its index is not.</summary>
    [Fact]
    public void A_write_whose_leader_was_deposed_waits_and_is_not_tried_again()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall put = node.Put(deadlineMicros: 1_000_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        for (int i = 0; i < 10; i++) node.Tick();
        Assert.Empty(node.TakeForwards());
        Assert.Null(put.Response);
        // The new leader had the entry after all, and commits it with its own.
        node.Receive(node.From(2, MessageKind.Append, 7) with { Index = new LogIndex(12), LogTerm = new Term(6), Commit = new LogIndex(12) });
        Assert.Equal((null, 1UL), (put.Ended.Error, put.Ended.Revision));
    }

    [Fact]
    public void A_read_dropped_with_the_leadership_is_asked_of_the_new_leader_at_once()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        TestCall get = node.Get();
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        Assert.Equal(FrontNode.N2, Assert.Single(node.TakeForwards()).To);
        Assert.Null(get.Response);
    }
}
