namespace RaftKv.Raft.Tests.Spec;

/// <summary>Design §6, hibernation: what a group asleep does not do, what wakes it, and that it sleeps only when nothing is left to do anywhere.</summary>
public sealed class HibernationTests
{
    private static readonly Configuration WithLearner = Some.Of([1, 2, 3], 4);

    [Fact]
    public void A_group_sleeps_when_every_voter_and_every_learner_has_agreed()
    {
        Replica leader = Replica.LeadingOf(WithLearner);
        leader.TryHibernate();
        Message[] questions = leader.TakeSent();
        Assert.Equal([2UL, 3UL, 4UL], questions.Select(question => question.To.Value));
        Assert.All(questions, question => Assert.Equal((MessageKind.Hibernate, 11UL), (question.Kind, question.Index.Value)));
        Agree(leader, 2, 3);
        Assert.False(leader.Group.IsAsleep);
        Agree(leader, 4);
        Assert.True(leader.Group.IsAsleep);
    }

    [Fact]
    public void An_answer_counts_once()
    {
        Replica leader = Replica.LeadingOf(WithLearner);
        leader.TryHibernate();
        Agree(leader, 2, 2, 3, 3);
        Assert.False(leader.Group.IsAsleep);
    }

    // "Entered only when every voter and learner has acknowledged the last index and commit."
    [Theory]
    [InlineData("an entry is not committed")]
    [InlineData("an entry is not applied")]
    [InlineData("a voter lacks an entry")]
    [InlineData("the learner lacks an entry")]
    [InlineData("a read waits")]
    [InlineData("leadership is being handed over")]
    [InlineData("the configuration is joint")]
    public void A_leader_with_something_left_to_do_asks_nobody_to_sleep(string left)
    {
        Replica leader = Replica.LeadingOf(WithLearner);
        leader.HoldsApply = left.EndsWith("applied", StringComparison.Ordinal) || left.EndsWith("joint", StringComparison.Ordinal);
        if (left.EndsWith("joint", StringComparison.Ordinal)) leader.Change(MemberChange.Promote(new ReplicaId(4)));
        else if (left.StartsWith("a read", StringComparison.Ordinal)) leader.Read(1);
        else if (left.StartsWith("leadership", StringComparison.Ordinal)) leader.Transfer(2);
        else leader.Propose("x");
        foreach (ulong follower in Acknowledging(left)) leader.Receive(Some.Ack(follower, 1, 6, 12));
        leader.TakeSent();
        leader.TryHibernate();
        Assert.DoesNotContain(leader.TakeSent(), message => message.Kind == MessageKind.Hibernate);
        Assert.False(leader.Group.IsAsleep);

        static ulong[] Acknowledging(string left) => left switch
        {
            "an entry is not applied" or "the configuration is joint" => [2, 3, 4],
            "a voter lacks an entry" => [2, 4],
            "the learner lacks an entry" => [2, 3],
            _ => [],
        };
    }

    [Fact]
    public void A_new_leader_asks_nobody_to_sleep_before_its_no_op_is_everywhere()
    {
        Cluster cluster = Cluster.Born(3);
        cluster[1].TimeOut();
        cluster.Deliver(message => message.Kind is not MessageKind.AppendResponse);
        cluster[1].TryHibernate();
        Assert.DoesNotContain(cluster[1].TakeSent(), message => message.Kind == MessageKind.Hibernate);
    }

    [Fact]
    public void Work_that_comes_between_the_question_and_the_answers_keeps_the_leader_awake()
    {
        Replica leader = Replica.LeadingOf(WithLearner);
        leader.TryHibernate();
        Agree(leader, 2, 3);
        leader.Propose("x");
        Agree(leader, 4);
        Assert.False(leader.Group.IsAsleep);
    }

    [Theory]
    [InlineData(11, 11, true)] // Everything, committed and applied.
    [InlineData(11, 10, false)] // It has the entry, but does not know that it is committed.
    [InlineData(10, 10, false)]
    public void A_follower_agrees_only_if_it_has_applied_all_there_is(ulong last, ulong commit, bool agrees)
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        follower.Receive(last == 11 ? Some.Append(1, 2, 6, 10, 5, commit, 6) : Some.Append(1, 2, 6, 10, 5, commit));
        Message answer = Assert.Single(follower.Answer(Some.Message(MessageKind.Hibernate, 1, 2, 6) with { Index = new LogIndex(11) }));
        Assert.Equal((MessageKind.HibernateResponse, !agrees, agrees), (answer.Kind, answer.Rejected, follower.Group.IsAsleep));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_follower_whose_disk_or_state_machine_is_not_done_does_not_agree(bool holdsWrites, bool holdsApply)
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        follower.Receive(Some.Heartbeat(1, 2, 6));
        (follower.HoldsWrites, follower.HoldsApply) = (holdsWrites, holdsApply);
        follower.Receive(Some.Append(1, 2, 6, 10, 5, 11, 6));
        follower.Receive(Some.Message(MessageKind.Hibernate, 1, 2, 6) with { Index = new LogIndex(11) });
        Assert.False(follower.Group.IsAsleep);
        follower.PersistAll();
        Assert.True(Assert.Single(follower.TakeSent(), message => message.Kind == MessageKind.HibernateResponse).Rejected);
    }

    [Fact]
    public void Whoever_does_not_agree_keeps_all_awake_and_the_next_heartbeat_wakes_who_did()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].TryHibernate();
        cluster.Deliver(message => message.To.Value == 2);
        Assert.True(cluster[2].Group.IsAsleep);
        cluster.Drop(message => message.To.Value == 3);
        cluster[1].Receive(Some.Message(MessageKind.HibernateResponse, 3, 1, 6) with { Rejected = true });
        cluster.Deliver();
        Assert.False(cluster[1].Group.IsAsleep);
        cluster[1].TickAfter(200);
        cluster.Deliver();
        Assert.All(cluster.Replicas, replica => Assert.False(replica.Group.IsAsleep));
    }

    [Fact]
    public void A_group_asleep_exchanges_nothing_and_elects_nobody_however_long()
    {
        Cluster cluster = Asleep();
        for (int minute = 0; minute < 60; minute++)
        {
            cluster.Clock.Advance(60_000);
            foreach (Replica replica in cluster.Replicas) replica.Tick();
        }

        Assert.Empty(cluster.Replicas.SelectMany(replica => replica.TakeSent()));
        Assert.Equal(6UL, cluster.Leader!.Term);
    }

    [Fact]
    public void A_proposal_a_read_a_change_or_a_hand_over_wakes_the_whole_group()
    {
        Action<Replica>[] works =
        [
            leader => leader.Propose("x"),
            leader => leader.Read(1),
            leader => leader.Change(MemberChange.AddLearner(new NodeId(4))),
            leader => leader.Transfer(2),
        ];
        foreach (Action<Replica> work in works)
        {
            Cluster cluster = Asleep();
            cluster.Clock.Advance(3_600_000);
            work(cluster[1]);
            Assert.False(cluster[1].Group.IsAsleep);
            cluster.Settle();
            cluster[1].Tick(); // Its heartbeat is due.
            cluster.Settle();
            Assert.All(cluster.Replicas, replica => Assert.False(replica.Group.IsAsleep));
            Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        }
    }

    // Whatever it is; only a late answer of one that sleeps is no reason.
    [Fact]
    public void Any_message_wakes_but_a_late_answer_of_a_sleeper()
    {
        foreach (MessageKind kind in Enum.GetValues<MessageKind>().Where(kind => kind is not (MessageKind.Removed or MessageKind.Append or MessageKind.Heartbeat or MessageKind.Hibernate)))
        {
            Cluster cluster = Asleep();
            cluster[1].Receive(Some.Message(kind, 2, 1, 6));
            Assert.Equal(kind == MessageKind.HibernateResponse, cluster[1].Group.IsAsleep);
        }

        foreach (MessageKind kind in (MessageKind[])[MessageKind.Append, MessageKind.Heartbeat, MessageKind.PreVote, MessageKind.AmIMember])
        {
            Cluster cluster = Asleep();
            cluster[2].Receive(Some.Message(kind, 1, 2, 6));
            Assert.False(cluster[2].Group.IsAsleep);
        }
    }

    // A follower asleep cannot know when it last heard its leader: until it is woken the leader counts as alive, and then as heard now.
    [Fact]
    public void A_follower_that_is_woken_gives_its_leader_an_election_timeout()
    {
        Cluster cluster = Asleep();
        cluster.Clock.Advance(3_600_000);
        Assert.True(Assert.Single(cluster[2].Answer(Some.PreVote(3, 2, 7, 11, 6))).Rejected);
        cluster[2].TickAfter(499);
        Assert.Equal(Role.Follower, cluster[2].Group.Role);
        Assert.True(Assert.Single(cluster[2].Answer(Some.PreVote(3, 2, 7, 11, 6))).Rejected);
        cluster[2].TickAfter(501);
        Assert.Equal(Role.PreCandidate, cluster[2].Group.Role);
    }

    [Fact]
    public void A_leader_that_is_woken_takes_nobody_for_silent_and_heartbeats_with_its_next_tick()
    {
        Cluster cluster = Asleep();
        cluster.Clock.Advance(3_600_000);
        cluster[1].Group.Wake(cluster.Clock.Micros);
        cluster[1].Tick();
        Assert.Equal(Role.Leader, cluster[1].Group.Role);
        Assert.Equal([2UL, 3UL], cluster[1].TakeSent().Where(message => message.Kind == MessageKind.Heartbeat).Select(message => message.To.Value));
    }

    [Fact]
    public void A_follower_may_wake_the_leader()
    {
        Cluster cluster = Asleep();
        cluster[2].Group.WakeLeader(cluster.Clock.Micros);
        cluster[2].Pump();
        cluster.Settle();
        Assert.False(cluster[1].Group.IsAsleep);
        cluster[1].Tick();
        cluster.Settle();
        Assert.All(cluster.Replicas, replica => Assert.False(replica.Group.IsAsleep));
    }

    // Its node is gone: "wakes the groups led from there, staggered".
    [Fact]
    public void Followers_of_a_leader_whose_node_is_gone_campaign_within_an_election_timeout_each_at_its_own_moment()
    {
        HashSet<long> moments = [];
        for (ulong seed = 1; seed <= 20; seed++)
        {
            ulong own = seed;
            Cluster cluster = Asleep(options => options with { Seed = options.Seed + own * 1_000_003 });
            cluster.Clock.Advance(3_600_000);
            long began = cluster.Clock.Micros;
            cluster[2].Group.OnLeaderNodeGone(began);
            while (cluster[2].Group.Role == Role.Follower && cluster.Clock.Micros < began + 1_000_000) cluster[2].TickAfter(1);
            Assert.InRange(cluster.Clock.Micros - began, 0, 500_000);
            moments.Add(cluster.Clock.Micros - began);
        }

        Assert.InRange(moments.Count, 10, 20);
    }

    [Fact]
    public void Nobody_stands_in_the_way_of_who_replaces_a_leader_whose_node_is_gone()
    {
        Cluster cluster = Asleep();
        cluster.Isolate(1);
        foreach (int follower in (int[])[2, 3]) cluster[follower].Group.OnLeaderNodeGone(cluster.Clock.Micros);
        cluster.Run(1_000);
        Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader && replica.Id.Value != 1);
    }

    // A leader that gave up its term asleep slept on under nobody (seeds 51, 129, 30569).
    [Fact]
    public void Whoever_learns_of_a_newer_term_asleep_is_awake()
    {
        Cluster cluster = Asleep();
        cluster[1].Receive(Some.VoteResponse(3, 1, 9, granted: false));
        Assert.Equal((Role.Follower, false), (cluster[1].Group.Role, cluster[1].Group.IsAsleep));
        cluster[2].Receive(Some.Message(MessageKind.HibernateResponse, 3, 2, 9));
        Assert.False(cluster[2].Group.IsAsleep);
    }

    private static Cluster Asleep(Func<RaftOptions, RaftOptions>? configure = null)
    {
        Cluster cluster = Cluster.Led(3, configure);
        cluster[1].TryHibernate();
        cluster.Deliver();
        Assert.All(cluster.Replicas, replica => Assert.True(replica.Group.IsAsleep));
        return cluster;
    }

    private static void Agree(Replica leader, params ReadOnlySpan<ulong> followers)
    {
        foreach (ulong follower in followers) leader.Receive(Some.Message(MessageKind.HibernateResponse, follower, 1, 6));
    }
}
