using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Tests;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Calls at a node that does not lead: the origin's side of forwarding (design §4, §3.3).</summary>
public sealed class ForwardingTests
{
    private static readonly KvResponse Done = new() { Node = "n2", Group = new GroupId(1), Term = new Term(6), Index = new LogIndex(20), Revision = 5 };
    private static readonly KvResponse NotLeader = KvResponse.Fail(ErrorCode.NoLeader, "not here", "n2");

    [Fact]
    public void A_call_is_forwarded_to_the_leaders_node_with_both_boot_ids_and_the_answer_is_the_clients()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put(deadlineMicros: 3_000_000);
        SentForward forward = Assert.Single(node.TakeForwards());
        Assert.Equal(
            new SentForward(FrontNode.N2, FrontNode.BootId, FrontNode.BootOf(FrontNode.N2), 1, 1, 3_000_000, 1, 1, put.Request),
            forward with { Request = put.Request });
        Assert.Equal(put.Request, forward.Request);
        node.Answered(FrontNode.N2, 1, Done);
        Assert.Equal(Done with { Value = default }, put.Ended with { Value = default });
    }

    [Fact]
    public void Each_call_has_a_number_of_its_own_and_answers_find_their_call()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall[] calls = [node.Put(), node.GetOfLeader(), node.Put()];
        Assert.Equal([1UL, 2UL, 3UL], node.TakeForwards().Select(forward => forward.Number));
        node.Answered(FrontNode.N2, 2, Done with { Revision = 22 });
        node.Answered(FrontNode.N2, 3, Done with { Revision = 33 });
        node.Answered(FrontNode.N2, 1, Done with { Revision = 11 });
        Assert.Equal([11UL, 22UL, 33UL], calls.Select(call => call.Ended.Revision));
    }

    [Fact]
    public void Answers_to_nothing_to_another_life_or_for_the_second_time_are_ignored()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        node.Answered(FrontNode.N2, 77, Done);
        node.Answered(FrontNode.N2, 1, Done, originBoot: FrontNode.BootId + 1);
        Assert.Null(put.Response);
        node.Answered(FrontNode.N2, 1, Done);
        node.Answered(FrontNode.N2, 1, Done with { Revision = 6 });
        Assert.Equal(5UL, put.Ended.Revision);
    }

    [Fact]
    public void A_refused_call_waits_for_a_tick_and_is_forwarded_again_under_a_new_number()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        node.TakeForwards();
        node.Answered(FrontNode.N2, 1, NotLeader);
        Assert.Empty(node.TakeForwards()); // Not in a tight loop.
        node.Tick();
        SentForward again = Assert.Single(node.TakeForwards());
        Assert.Equal((2UL, 5_000_000UL - FrontNode.TickMicros), (again.Number, again.RemainingMicros));
        node.Answered(FrontNode.N2, 1, Done with { Revision = 1 }); // The first number means nothing any more.
        Assert.Null(put.Response);
        node.Answered(FrontNode.N2, 2, Done);
        Assert.Equal(Done with { Value = default }, put.Ended with { Value = default });
    }

    [Theory]
    [InlineData("overloaded")]
    [InlineData("precondition-failed")]
    [InlineData("wrong-shard")]
    [InlineData("outcome-unknown")]
    public void Other_errors_are_the_clients(string code)
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put();
        node.Answered(FrontNode.N2, 1, KvResponse.Fail(ErrorCode.Find(code)!, "why", "n2"));
        Assert.Same(ErrorCode.Find(code), put.Ended.Error);
    }

    [Fact]
    public void A_forwarded_write_without_an_answer_is_never_repeated_and_unknown_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put(deadlineMicros: 3_000_000);
        for (int i = 0; i < 59; i++) node.Tick();
        Assert.Single(node.TakeForwards());
        Assert.Null(put.Response);
        node.Tick();
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        node.Answered(FrontNode.N2, 1, Done); // Too late.
        Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
    }

    [Fact]
    public void A_write_that_could_not_be_sent_waits_for_a_leader_that_can_be_reached()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Links.Down[FrontNode.N2] = SendStatus.Unreachable;
        TestCall put = node.Put();
        for (int i = 0; i < 20; i++) node.Tick();
        Assert.Null(put.Response); // RetryMicros have long passed: it is not unknown, for it never left.
        node.Links.Down.Clear();
        node.Tick();
        node.Answered(FrontNode.N2, Assert.Single(node.TakeForwards()).Number, Done);
        Assert.Null(put.Ended.Error);
    }

    [Fact]
    public void Another_leader_is_asked_however_long_the_first_one_was_waited_for()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Get(deadlineMicros: 10_000_000);
        for (int tick = 0; tick < 40; tick++) node.Tick();
        node.TakeForwards();
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.Tick();
        Assert.Equal(FrontNode.N3, Assert.Single(node.TakeForwards()).To);
    }

    [Fact]
    public void What_cannot_be_reached_is_tried_once_a_tick_not_once_a_call()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Links.Down[FrontNode.N2] = SendStatus.Unreachable;
        for (int i = 0; i < 10; i++) node.Put();
        Assert.Equal(1, node.Links.Refused);
        node.Tick();
        Assert.Equal(2, node.Links.Refused);
    }

    [Fact]
    public void When_too_much_waits_for_the_leader_the_call_is_refused_at_once()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Links.Down[FrontNode.N2] = SendStatus.Full;
        TestCall put = node.Put();
        Assert.Same(ErrorCode.Overloaded, put.Ended.Error);
    }

    [Fact]
    public void A_slow_leader_is_asked_again_ever_more_rarely()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.GetOfLeader(deadlineMicros: 10_000_000);
        List<int> askedAt = [];
        for (int tick = 0; tick < 190; tick++)
        {
            askedAt.AddRange(node.TakeForwards().Select(_ => tick * 50));
            node.HearFromN2();
            node.Tick();
        }

        Assert.Equal([0, 500, 1_500, 3_500, 7_500], askedAt);
    }

    // This node holds no replica, so nobody tells it when another leads: it must not wait long with one because another kept silent.
    [Fact]
    public void The_silence_of_one_node_is_not_paid_back_to_another()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        node.Get(shard: 2, deadlineMicros: 10_000_000);
        List<(int At, NodeId To)> asked = [];
        for (int tick = 0; tick < 60; tick++)
        {
            asked.AddRange(node.TakeForwards().Select(forward => (tick * 50, forward.To)));
            node.Tick();
        }

        Assert.Equal([0, 500, 1_000, 1_500, 2_000, 2_500], asked.Select(ask => ask.At)); // Nobody answers, and they take turns.
        Assert.All(asked.Zip(asked.Skip(1)), pair => Assert.NotEqual(pair.First.To, pair.Second.To));
    }

    [Fact]
    public void A_write_that_could_never_be_sent_is_definite_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Links.Down[FrontNode.N2] = SendStatus.Unreachable;
        TestCall put = node.Put(deadlineMicros: 1_000_000);
        node.After(1_000_000);
        Assert.Same(ErrorCode.NoLeader, put.Ended.Error);
    }

    [Fact]
    public void A_write_whose_every_attempt_was_refused_is_definite_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall put = node.Put(deadlineMicros: 120_000);
        node.Answered(FrontNode.N2, 1, NotLeader);
        node.Tick();
        node.Answered(FrontNode.N2, 2, NotLeader);
        node.After(70_000);
        Assert.Same(ErrorCode.NoLeader, put.Ended.Error);
    }

    [Fact]
    public void A_forwarded_read_without_an_answer_is_repeated_and_definite_at_its_deadline()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        TestCall get = node.GetOfLeader(deadlineMicros: 1_200_000);
        for (int i = 0; i < 23; i++) node.Tick();
        Assert.Equal([1UL, 2UL], node.TakeForwards().Select(forward => forward.Number));
        node.Answered(FrontNode.N2, 1, Done);
        Assert.Null(get.Response);
        node.Tick();
        Assert.Same(ErrorCode.Deadline, get.Ended.Error); // The leader is known, but has not answered.
    }

    [Fact]
    public void Nothing_is_forwarded_while_no_leader_or_no_way_to_it_is_known()
    {
        FrontNode leaderless = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3));
        leaderless.Knows(FrontNode.N2, FrontNode.N3);
        TestCall put = leaderless.Put(deadlineMicros: 100_000);
        leaderless.Tick();
        Assert.Empty(leaderless.TakeForwards());

        FrontNode unconnected = FrontNode.FollowerOfN2();
        unconnected.Links.BootIds.Clear();
        TestCall other = unconnected.Put();
        unconnected.Tick();
        Assert.Empty(unconnected.TakeForwards());
        unconnected.Knows(FrontNode.N2);
        unconnected.Tick();
        Assert.Single(unconnected.TakeForwards());

        leaderless.Tick();
        Assert.Same(ErrorCode.NoLeader, put.Ended.Error);
        Assert.Null(other.Response);
    }

    [Fact]
    public void Another_leader_is_asked_once_it_is_known()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Put();
        node.TakeForwards();
        node.Receive(node.From(3, MessageKind.Heartbeat, 7));
        node.Answered(FrontNode.N2, 1, NotLeader);
        node.Tick();
        Assert.Equal((FrontNode.N3, FrontNode.BootOf(FrontNode.N3)), Assert.Single(node.TakeForwards()) is var again ? (again.To, again.AddresseeBoot) : default);
    }

    [Fact]
    public void What_was_forwarded_is_served_here_once_this_node_leads()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.Receive(node.From(2, MessageKind.Heartbeat, 7));
        TestCall get = node.GetOfLeader(deadlineMicros: long.MaxValue / 2);
        Assert.Equal(FrontNode.N2, Assert.Single(node.TakeForwards()).To);
        node.After(7_200_000_000);
        node.Receive(node.From(2, MessageKind.PreVoteResponse, 8));
        node.Receive(node.From(2, MessageKind.VoteResponse, 8));
        node.Receive(node.From(2, MessageKind.AppendResponse, 8) with { Index = new LogIndex(12) });
        node.After(500_000);
        node.Receive(node.From(2, MessageKind.HeartbeatResponse, 8) with { ReadRound = 3 });
        Assert.Equal((null, "n1"), (get.Ended.Error, get.Ended.Node));
    }

    // A node that holds no replica of the shard: it knows only the map, and what it is told.

    [Fact]
    public void A_node_without_a_replica_asks_any_and_follows_the_hint()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        TestCall put = node.Put(shard: 2);
        SentForward first = Assert.Single(node.TakeForwards());
        NodeId other = first.To == FrontNode.N2 ? FrontNode.N3 : FrontNode.N2;
        node.Answered(first.To, first.Number, NotLeader with { LeaderHint = other });
        node.Tick();
        Assert.Equal(other, Assert.Single(node.TakeForwards()).To);
        node.Answered(other, 2, Done);
        Assert.Null(put.Ended.Error);
        for (int i = 0; i < 5; i++)
        {
            node.Put(shard: 2); // The hint is remembered.
            Assert.Equal(other, Assert.Single(node.TakeForwards()).To);
        }
    }

    [Fact]
    public void The_node_that_served_a_call_is_asked_again()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        node.Put(shard: 2);
        SentForward first = Assert.Single(node.TakeForwards());
        node.Answered(first.To, first.Number, Done);
        for (int i = 0; i < 5; i++)
        {
            node.Put(shard: 2);
            Assert.Equal(first.To, Assert.Single(node.TakeForwards()).To);
        }
    }

    [Fact]
    public void A_refusal_without_a_hint_makes_it_ask_another_replica()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        node.Put(shard: 2);
        HashSet<NodeId> asked = [];
        for (ulong number = 1; number <= 4; number++)
        {
            asked.Add(Assert.Single(node.TakeForwards()).To);
            node.Answered(FrontNode.N2, number, NotLeader);
            node.Tick();
        }

        Assert.Equal(2, asked.Count);
    }

    /// <summary>One replica's node has never been reached: the other may lead, and knows who does.</summary>
    [Theory]
    [InlineData("n2")]
    [InlineData("n3")]
    public void A_replica_that_cannot_be_reached_is_passed_over(string reachable)
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.NodeOf(reachable));
        node.Put(shard: 2);
        node.Put(shard: 2);
        Assert.Equal([FrontNode.NodeOf(reachable), FrontNode.NodeOf(reachable)], node.TakeForwards().Select(forward => forward.To));
    }

    [Fact]
    public void A_hint_at_a_node_that_cannot_be_reached_is_passed_over()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2);
        node.Put(shard: 2);
        SentForward first = Assert.Single(node.TakeForwards());
        node.Answered(FrontNode.N2, first.Number, NotLeader with { LeaderHint = FrontNode.N3 });
        node.Tick();
        Assert.Equal(FrontNode.N2, Assert.Single(node.TakeForwards()).To); // It may know better by now.
    }

    /// <summary>The hinted leader dies: its link stays silent and its boot id known, and only another replica can say who leads now.</summary>
    [Fact]
    public void A_hint_at_a_node_that_fell_silent_is_forgotten()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        node.Put(shard: 2);
        SentForward first = Assert.Single(node.TakeForwards());
        NodeId dead = first.To == FrontNode.N2 ? FrontNode.N3 : FrontNode.N2;
        node.Answered(first.To, first.Number, NotLeader with { LeaderHint = dead });
        node.Tick();
        Assert.Equal(dead, Assert.Single(node.TakeForwards()).To);

        TestCall get = node.Get(shard: 2, deadlineMicros: 10_000_000);
        HashSet<NodeId> asked = [];
        for (int i = 0; i < 40; i++)
        {
            asked.UnionWith(node.TakeForwards().Select(forward => forward.To));
            node.Tick();
        }

        Assert.Contains(first.To, asked);
        Assert.Null(get.Response);
    }

    [Fact]
    public void Writes_that_end_unknown_make_the_next_one_ask_another_replica()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        node.Put(shard: 2);
        SentForward first = Assert.Single(node.TakeForwards());
        NodeId dead = first.To == FrontNode.N2 ? FrontNode.N3 : FrontNode.N2;
        node.Answered(first.To, first.Number, NotLeader with { LeaderHint = dead });
        node.Tick();
        HashSet<NodeId> asked = [];
        for (int i = 0; i < 4; i++)
        {
            node.TakeForwards();
            TestCall put = node.Put(shard: 2, deadlineMicros: 100_000);
            asked.Add(Assert.Single(node.TakeForwards()).To);
            node.After(100_000);
            Assert.Same(ErrorCode.OutcomeUnknown, put.Ended.Error);
        }

        Assert.Contains(first.To, asked);
    }

    [Fact]
    public void The_forwarding_frames_are_those_of_version_1()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.Call(new KvRequest(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray()), 3_000_000);
        byte[] forward = Assert.Single(node.Links.Take()).Body;
        FrontNode leader = FrontNode.Alone();
        leader.Forwarded(7, new KvRequest(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray()));
        byte[] answer = Assert.Single(leader.Links.Take()).Body;
        GoldenHex.AssertEqual("forwarding-v1.txt", [("forward", forward), ("answer", answer)]);
    }
}
