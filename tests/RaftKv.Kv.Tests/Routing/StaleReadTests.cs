using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Reads that any replica may serve: at once, from what it has, and honest about how old that may be.</summary>
public sealed class StaleReadTests
{
    private static readonly KvResponse NoReplica = KvResponse.Fail(ErrorCode.NoLeader, "no replica", "n2");

    [Fact]
    public void A_follower_serves_it_at_once_and_asks_nobody()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        KvResponse read = Stale(node).Ended;
        Assert.Equal((null, "n1", 10UL, 30_000L), (read.Error, read.Node, read.Index.Value, read.AgeMicros));
        Assert.Empty(node.Links.Sent);
    }

    [Fact]
    public void It_is_served_without_a_leader_and_without_a_majority()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.After(7_200_000_000);
        Assert.NotEqual(Role.Leader, node.Group.Role);
        Assert.Null(Stale(node).Ended.Error);
    }

    [Fact]
    public void Who_never_heard_a_leader_does_not_know_the_age()
    {
        FrontNode node = new(ShardMap.Initial(["n1", "n2", "n3"], 1, 3));
        Assert.Equal((null, null), (Stale(node).Ended.Error, Stale(node).Ended.AgeMicros));
    }

    /// <summary>However long the heartbeat that brings it back was on its way, and whatever it tells.</summary>
    [Fact]
    public void It_is_as_old_as_the_mark_that_its_leader_brings_back()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6));
        Assert.Equal(30_000, Stale(node).Ended.AgeMicros); // It brings back none.
        ulong mark = node.SentMark();
        node.After(7_000_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6) with { Hint = new LogIndex(10), Mark = mark });
        Assert.Equal(7_000_000, Stale(node).Ended.AgeMicros);
    }

    /// <summary>A life before a reboot may have had another clock, which showed more or less than this one.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0x8000_0000_0000_0000)]
    public void A_mark_of_another_life_says_nothing(ulong mark)
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6) with { Mark = mark });
        Assert.Equal(30_000, Stale(node).Ended.AgeMicros);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6) with { Mark = node.SentMark() + 1 }); // Of the future.
        Assert.Equal(30_000, Stale(node).Ended.AgeMicros);
    }

    /// <summary>A heartbeat never commits more than the follower has acknowledged; that it is behind it learns from the leader's own commit index.</summary>
    [Fact]
    public void A_heartbeat_that_tells_of_entries_not_here_yet_makes_nothing_younger()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6));
        node.Receive(node.ProvedHeartbeat(commit: 11));
        node.After(10_000);
        Assert.Equal(40_000, Stale(node).Ended.AgeMicros);
        node.Receive(NoOp(node, 11));
        node.After(5_000);
        // Complete up to the mark by which it was committed.
        Assert.Equal(15_000, Stale(node).Ended.AgeMicros);
    }

    /// <summary>Else a follower under constant load, always one entry behind, would never know an age.</summary>
    [Fact]
    public void A_mark_stays_until_it_is_reached_though_the_leader_goes_on()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(100_000);
        node.Receive(NoOp(node, 11) with { Commit = new LogIndex(10) }, NoOp(node, 12) with { Commit = new LogIndex(10) }, NoOp(node, 13) with { Commit = new LogIndex(10) });
        node.After(100_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6));
        ulong mark = node.SentMark();
        node.Post(Commits(11));
        node.Step();
        node.Post(Commits(12));
        node.Step();
        node.Post(Commits(13));
        node.Host.Applier.RunOnce(); // Up to 12; that STEP hears of it only behind the next heartbeat.
        node.Step();
        Assert.Equal(12UL, node.Group.Applied.Value);
        Assert.Equal(0, node.Host.Worker.AgeMicros(node.Now, node.Group.Group));

        Message Commits(ulong index) => node.From(2, MessageKind.Heartbeat, 6) with { Commit = new LogIndex(index), Hint = new LogIndex(index), Mark = mark };
    }

    [Fact]
    public void A_message_of_another_term_or_of_nobodys_leader_says_nothing()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6));
        ulong mark = node.SentMark();
        node.Receive(node.From(3, MessageKind.Heartbeat, 5) with { Mark = mark }, node.From(2, MessageKind.PreVote, 7) with { Mark = mark });
        Assert.Equal(30_000, Stale(node).Ended.AgeMicros);
    }

    /// <summary>A leader may have been replaced since it sent what a majority last answered, however late the answer came in.</summary>
    [Fact]
    public void A_leaders_age_counts_from_what_its_majority_has_answered()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        Message sent = HeartbeatSent(node); // Its second; the first was of the election.
        node.Tick();
        node.Receive(node.From(2, MessageKind.HeartbeatResponse, 6) with { ReadRound = sent.ReadRound });
        node.Tick();
        Assert.Equal(2 * FrontNode.TickMicros, Stale(node).Ended.AgeMicros);
        node.Receive(node.From(3, MessageKind.HeartbeatResponse, 6) with { ReadRound = sent.ReadRound });
        node.Tick();
        Assert.Equal(3 * FrontNode.TickMicros, Stale(node).Ended.AgeMicros);
    }

    /// <summary>Whom it no longer leads, perhaps, for that its word does not count: a mark waits until the leader is proved to have led after it came in.</summary>
    [Fact]
    public void A_leader_brings_back_a_mark_only_once_a_majority_has_answered_what_it_sent_later()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        Message first = HeartbeatSent(node);
        Assert.Equal(0UL, first.Mark);
        node.Receive(node.From(3, MessageKind.HeartbeatResponse, 6) with { ReadRound = first.ReadRound, Mark = 77 });
        Message second = HeartbeatSent(node); // The first has a majority, but may have been sent before the mark was.
        Assert.Equal(0UL, second.Mark);
        Assert.Equal(0UL, HeartbeatSent(node).Mark);
        node.Receive(node.From(2, MessageKind.HeartbeatResponse, 6) with { ReadRound = second.ReadRound, Mark = 88 });
        Message[] proved = [HeartbeatSent(node), HeartbeatSent(node, to: 2)];
        Assert.Equal([77UL, 0UL], proved.Select(message => message.Mark));
    }

    /// <summary>Whoever sleeps hears nothing; that its leader's node lives does not say that its leader still leads.</summary>
    [Fact]
    public void A_follower_asleep_is_as_old_as_what_it_heard_last_and_wakes_its_leader()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.HearFromN2();
        node.Receive(node.From(2, MessageKind.Heartbeat, 6) with { Commit = new LogIndex(10), Hint = new LogIndex(10) });
        node.Receive(node.ProvedHeartbeat(commit: 10));
        node.Receive(node.From(2, MessageKind.Hibernate, 6) with { Index = new LogIndex(10) });
        Assert.True(node.Group.IsAsleep);
        for (int i = 0; i < 40; i++)
        {
            node.Tick();
            node.HearFromN2();
        }

        node.Links.Take();
        Assert.Equal(40 * FrontNode.TickMicros, Stale(node).Ended.AgeMicros);
        Assert.False(node.Group.IsAsleep);
        Message woken = Assert.Single(node.TakeRaftMessages(), sent => sent.Kind == MessageKind.HeartbeatResponse && sent.To == node.Group.Leader);
        node.Receive(node.From(2, MessageKind.Heartbeat, 6) with { Hint = new LogIndex(10), Mark = woken.Mark });
        Assert.Equal(0, Stale(node).Ended.AgeMicros);
    }

    /// <summary>On waking it takes everybody for heard, so that it does not step down at once; an age may not build on that.</summary>
    [Fact]
    public void A_leader_asleep_is_woken_and_younger_only_when_a_majority_has_answered()
    {
        FrontNode node = FrontNode.LeaderOfThree();
        node.Receive(node.From(2, MessageKind.HeartbeatResponse, 6) with { ReadRound = HeartbeatSent(node).ReadRound });
        node.Tick();
        node.Receive(node.From(2, MessageKind.AppendResponse, 6) with { Index = new LogIndex(11) }, node.From(3, MessageKind.AppendResponse, 6) with { Index = new LogIndex(11) });
        for (int i = 0; i < 1_000 && !node.Group.IsAsleep; i++)
        {
            node.Tick();
            node.Receive(node.From(2, MessageKind.HibernateResponse, 6), node.From(3, MessageKind.HibernateResponse, 6));
        }

        Assert.True(node.Group.IsAsleep);
        for (int i = 0; i < 100; i++) node.Tick();
        long? asleep = Stale(node).Ended.AgeMicros;
        Assert.InRange(asleep!.Value, 100 * FrontNode.TickMicros, 150 * FrontNode.TickMicros);
        Assert.False(node.Group.IsAsleep);
        node.Tick();
        Assert.Equal(asleep + FrontNode.TickMicros, Stale(node).Ended.AgeMicros);
        Message sent = HeartbeatSent(node);
        node.Receive(node.From(2, MessageKind.HeartbeatResponse, 6) with { ReadRound = sent.ReadRound });
        node.Tick();
        Assert.Equal(FrontNode.TickMicros, Stale(node).Ended.AgeMicros);
    }

    [Fact]
    public void Alone_a_leader_is_up_to_date_as_of_its_last_heartbeat()
    {
        FrontNode node = FrontNode.Alone();
        node.Put();
        node.Tick();
        for (int i = 0; i < 10 && Stale(node).Ended.AgeMicros > 0; i++) node.Tick();
        node.After(7_000);
        Assert.Equal(7_000, Stale(node).Ended.AgeMicros);
    }

    [Fact]
    public void Served_for_another_node_the_age_goes_with_the_answer()
    {
        FrontNode node = FrontNode.FollowerOfN2();
        node.After(30_000);
        node.Forwarded(7, Request(node, 1));
        SentAnswer answer = Assert.Single(node.TakeAnswers());
        Assert.Equal((null, 30_000L), (answer.Response.Error, answer.Response.AgeMicros));
        node.Forwarded(8, Request(node, 1), group: 9);
        Assert.Same(ErrorCode.NoLeader, Assert.Single(node.TakeAnswers()).Response.Error);
    }

    [Fact]
    public void A_node_without_a_replica_asks_the_replicas_in_turn_and_learns_nothing_of_leaders()
    {
        FrontNode node = FrontNode.WithoutShard2(FrontNode.N2, FrontNode.N3);
        TestCall read = Stale(node, 2);
        SentForward first = Assert.Single(node.TakeForwards());
        Assert.Equal(KvConsistency.Stale, KvRequest.Decode(first.Request).Consistency);
        node.Answered(first.To, first.Number, NoReplica);
        node.Tick();
        SentForward second = Assert.Single(node.TakeForwards());
        Assert.NotEqual(first.To, second.To);
        node.Answered(second.To, second.Number, new KvResponse { Node = "n3", AgeMicros = 5 });
        Assert.Equal((null, 5L), (read.Ended.Error, read.Ended.AgeMicros));

        // Had it taken the answer for a leader's, both would go there.
        NodeId[] asked = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            node.Put(shard: 2);
            return Assert.Single(node.TakeForwards()).To;
        })];
        Assert.Equal(2, asked.Distinct().Count());
    }

    [Fact]
    public void Where_no_replica_can_be_reached_the_deadline_says_so()
    {
        FrontNode node = FrontNode.WithoutShard2();
        TestCall read = Stale(node, 2, 100_000);
        node.After(100_000);
        Assert.Equal((ErrorCode.Deadline, "no replica could be reached before the deadline"), (read.Ended.Error, read.Ended.Detail));
    }

    [Fact]
    public void A_revision_above_the_shards_is_refused_naming_both()
    {
        FrontNode node = FrontNode.Alone();
        node.Put("one");
        node.Put("two");
        KvRequest at = new(KvOperation.Get, node.KeyIn(1));
        Assert.Equal("one"u8, node.Call(at with { Revision = 1 }).Ended.Value.Span);
        Assert.Equal("two"u8, node.Call(at with { Revision = 2 }).Ended.Value.Span);
        KvResponse refused = node.Call(at with { Revision = 3 }).Ended;
        Assert.Equal((ErrorCode.BadRevision, 2UL, "revision 3 is above 2, the newest one at index 13"), (refused.Error, refused.Revision, refused.Detail));
    }

    /// <summary>Ticks until this leader sends its next heartbeats; the one to a replica.</summary>
    private static Message HeartbeatSent(FrontNode node, ulong to = 3)
    {
        node.Links.Take();
        for (int i = 0; i < 10; i++)
        {
            node.Tick();
            if (node.TakeRaftMessages().Where(message => message.Kind == MessageKind.Heartbeat && message.To.Value == to).ToArray() is [var sent]) return sent;
        }

        throw new InvalidOperationException("no heartbeat");
    }

    private static Message NoOp(FrontNode node, ulong index) => node.From(2, MessageKind.Append, 6) with
    {
        Index = new LogIndex(index - 1),
        LogTerm = new Term(index == 11 ? 5UL : 6UL),
        Commit = new LogIndex(index),
        Entries = new Entry[] { new(new LogIndex(index), new Term(6), EntryKind.NoOp, 0, 0, 0, default) },
    };

    private static KvRequest Request(FrontNode node, ulong shard) => new(KvOperation.Get, node.KeyIn(shard), Consistency: KvConsistency.Stale);

    private static TestCall Stale(FrontNode node, ulong shard = 1, long deadlineMicros = 5_000_000) => node.Call(Request(node, shard), deadlineMicros);
}
