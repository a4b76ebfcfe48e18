using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>
/// Design §6, hibernation, the host's side: when a leader lets its group sleep, and that "any message, request or deadline wakes". What the group itself
/// sees to is in HibernationTests of RaftKv.Raft.Tests.
/// </summary>
public sealed class HibernationTests
{
    private const long Second = 1_000_000;
    private static readonly HostOptions Options = HostFixture.Options with { HibernateAfterMicros = Second };

    [Fact]
    public void A_leader_asks_its_group_to_sleep_when_nobody_has_used_it_for_a_while()
    {
        HostFixture leader = Leading();
        Use(leader);
        leader.Pass(Second - HostFixture.Options.TickMicros, () => Answer(leader));
        Assert.DoesNotContain(leader.Trace.Take(), IsQuestion);
        leader.Pass(HostFixture.Options.TickMicros);
        Message[] questions = [.. leader.Links.Take().SelectMany(frame => frame.Raft()).Select(sent => sent.Message).Where(message => message.Kind == MessageKind.Hibernate)];
        Assert.Equal([(2UL, 12UL), (3UL, 12UL)], questions.Select(question => (question.To.Value, question.Index.Value)));
        Assert.False(leader.Group.IsAsleep);
        Agree(leader, 2);
        Assert.False(leader.Group.IsAsleep);
        Agree(leader, 3);
        Assert.True(leader.Group.IsAsleep);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_is_not_asked_while_a_voter_or_a_learner_has_not_acknowledged_everything(bool isLearner)
    {
        Configuration configuration = isLearner ? new Configuration(Some.Half([1, 2], 3), ConfigurationHalf.Empty) : Some.Voters(3);
        RecoveredGroup recovered = Some.Recovered(1, 3);
        HostFixture leader = new(Options, recovered with { CommitPoint = recovered.CommitPoint with { Configuration = configuration } });
        leader.Lead();
        leader.Pass(5 * Second, () => Answer(leader));
        Assert.DoesNotContain(leader.Trace.Take(), IsQuestion);
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Pass(Second, () => Answer(leader));
        Assert.Contains(leader.Trace.Take(), IsQuestion);
    }

    [Fact]
    public void Whoever_does_not_agree_is_asked_again_after_ten_heartbeats()
    {
        HostFixture leader = Leading();
        leader.Pass(4 * Second, () => Answer(leader));
        Assert.InRange(leader.Trace.Take().Count(what => IsQuestion(what) && what.Contains("r1>r2", StringComparison.Ordinal)), 3, 4);
    }

    [Fact]
    public void A_group_that_is_never_to_sleep_does_not()
    {
        HostFixture leader = HostFixture.Leading(options: HostFixture.Options with { HibernateAfterMicros = long.MaxValue });
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Pass(60 * Second, () => Answer(leader));
        Assert.DoesNotContain(leader.Trace.Take(), IsQuestion);
    }

    [Fact]
    public void While_it_sleeps_its_replicas_exchange_nothing()
    {
        HostFixture leader = Asleep();
        leader.Pass(60 * Second);
        Assert.Empty(leader.Trace.Take());
        Assert.True(leader.Group.IsAsleep);
    }

    [Fact]
    public void A_write_a_read_a_change_of_members_or_of_leaders_wakes_it()
    {
        Action<HostFixture, long>[] uses =
        [
            (leader, now) => Assert.Equal(ProposeStatus.Appended, leader.Worker.Propose(now, new GroupId(1), 0, new byte[3], new FakeOwner("p", leader.Trace)).Status),
            (leader, now) => Assert.True(leader.Worker.TryRead(now, new GroupId(1), new FakeReader("r", leader.Trace))),
            (leader, now) => Assert.Equal(ProposeStatus.Appended, leader.Worker.ProposeMembers(now, new GroupId(1), MemberChange.AddLearner(Some.Node(4))).Status),
            (leader, now) => Assert.True(leader.Worker.TryTransfer(now, new GroupId(1), Some.Node(2), new Nobody())),
        ];
        foreach (Action<HostFixture, long> use in uses)
        {
            HostFixture leader = Asleep();
            leader.After(3_600 * Second);
            leader.Hear(2); // Only to a node that is there leadership is given.
            leader.OnStep(now => use(leader, now));
            leader.Settle();
            Assert.Equal((false, Role.Leader), (leader.Group.IsAsleep, leader.Group.Role));
            leader.After(HostFixture.Options.TickMicros);
            leader.Settle();
            Assert.Contains(leader.Trace.Take(), what => what.Contains("r1>r3 Heartbeat", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_read_of_what_a_sleeping_follower_has_wakes_the_group_so_that_its_age_is_known_again()
    {
        HostFixture follower = FollowerAsleep();
        follower.OnStep(now => follower.Worker.ReadAsIs(now, new GroupId(1), new FakeReader("r", follower.Trace)));
        follower.Settle();
        Assert.False(follower.Group.IsAsleep);
        Assert.Contains("send s1 r1>r2 HeartbeatResponse t6 round 0", follower.Trace.Take());
    }

    [Fact]
    public void A_message_wakes_it()
    {
        HostFixture leader = Asleep();
        leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 3, 1, 6));
        Assert.False(leader.Group.IsAsleep);
    }

    // "A sleeping leader keeps one timer of the node's for its next deadline."
    [Fact]
    public void A_leader_wakes_for_the_next_deadline_and_lets_it_pass()
    {
        HostFixture leader = Leading();
        leader.Machines.Opened[new GroupId(1)].NextDeadlineMillis = 30_000;
        Use(leader);
        FallAsleep(leader);
        leader.Pass(20 * Second);
        Assert.True(leader.Group.IsAsleep);
        leader.Pass(10 * Second);
        Assert.False(leader.Group.IsAsleep);
        Assert.Contains(leader.Trace.Take(), what => what.Contains("r1>r2 Append t6", StringComparison.Ordinal));
    }

    [Fact]
    public void A_group_whose_deadline_is_near_does_not_fall_asleep()
    {
        HostFixture leader = Leading();
        leader.Machines.Opened[new GroupId(1)].NextDeadlineMillis = 1_500;
        Use(leader);
        leader.Pass(Second + 200_000, () => Answer(leader));
        Assert.DoesNotContain(leader.Trace.Take(), IsQuestion);
    }

    [Fact]
    public void A_follower_sleeps_on_while_the_leaders_node_lives_whatever_other_nodes_do()
    {
        HostFixture follower = FollowerAsleep();
        follower.Hear(3);
        follower.Pass(60 * Second, () => follower.Hear(2));
        Assert.True(follower.Group.IsAsleep);
        Assert.Equal(new Term(6), follower.Group.Term);
    }

    // "A new boot id, a dead node or a stopped replica wakes the groups led from there."
    [Theory]
    [InlineData("is silent")]
    [InlineData("has started anew")]
    [InlineData("has a stalled disk")]
    public void A_follower_wakes_and_campaigns_when_the_leaders_node(string what)
    {
        HostFixture follower = FollowerAsleep();
        follower.Pass(10 * Second, () => follower.Hear(2));
        if (what == "is silent") follower.Pass(2 * HostFixture.Options.QuietTickMicros + HostFixture.Options.ElectionTimeoutMicros);
        else follower.Hear(2, bootId: what == "has started anew" ? 8UL : 7, isStalled: what == "has a stalled disk");
        Assert.False(follower.Group.IsAsleep);
        follower.Pass(HostFixture.Options.ElectionTimeoutMicros + HostFixture.Options.TickMicros);
        Assert.Contains("send s1 r1>r2 PreVote t7 last 10/t5", follower.Trace.Take());
    }

    // It was paused itself: everybody looks silent at its first tick.
    [Fact]
    public void A_follower_whose_process_was_paused_sleeps_on()
    {
        HostFixture follower = FollowerAsleep();
        follower.After(60 * Second);
        follower.Settle();
        follower.Hear(2);
        follower.Pass(Second, () => follower.Hear(2));
        Assert.True(follower.Group.IsAsleep);
    }

    [Fact]
    public void A_group_that_falls_asleep_under_a_leader_whose_node_is_not_heard_does_not_stay_so()
    {
        HostFixture follower = new(Options, Some.Recovered(1, 3));
        follower.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 6));
        follower.Receive(Some.Message(MessageKind.Hibernate, 2, 1, 6, index: 10));
        Assert.False(follower.Group.IsAsleep);
        // Its leader hears that it is not trusted in, when it can be heard.
        follower.Pass(HostFixture.Options.HeartbeatIntervalMicros);
        Assert.Equal(1, follower.Links.LastHeartbeat[Some.Node(2)][^4]);
    }

    // It may have been replaced, and even removed, and asleep would never hear of it (seed 3049).
    [Theory]
    [InlineData(7, 1)]
    [InlineData(8, 0)]
    public void A_leader_wakes_when_a_members_node_has_taken_its_own_for_gone_or_has_started_anew(ulong bootId, uint losses)
    {
        HostFixture leader = Asleep();
        leader.Hear(3);
        Assert.True(leader.Group.IsAsleep);
        leader.Hear(3, bootId, losses: losses);
        Assert.False(leader.Group.IsAsleep);
    }

    [Fact]
    public void A_leader_sleeps_on_when_a_node_without_a_member_has_taken_its_own_for_gone()
    {
        RecoveredGroup other = Some.Recovered(2, 3);
        Configuration elsewhere = Configuration.OfVoters(Some.Member(1), Some.Member(2), Some.Member(4));
        HostFixture leader = new(Options, Some.Recovered(1, 3), other with { CommitPoint = other.CommitPoint with { Configuration = elsewhere } });
        leader.Lead();
        leader.FallAsleep();
        leader.Hear(4);
        leader.Hear(4, losses: 1);
        Assert.True(leader.Group.IsAsleep);
    }

    // "Staggered": not all groups of a dead node campaign at one moment.
    [Fact]
    public void Groups_that_slept_under_one_node_campaign_one_after_the_other()
    {
        const int Groups = 40;
        HostFixture follower = new(Options, [.. Enumerable.Range(1, Groups).Select(group => Some.Recovered((ulong)group, 3))]);
        follower.Hear(2);
        foreach (Message message in (Message[])[Some.Message(MessageKind.Heartbeat, 2, 1, 6), Some.Message(MessageKind.Hibernate, 2, 1, 6, index: 10)])
            follower.ReceiveFrom(2, [.. Enumerable.Range(1, Groups).Select(group => ((ulong)group, message))]);
        Assert.All(follower.Worker.Groups, group => Assert.True(group.IsAsleep));
        follower.Hear(2, bootId: 8);
        Assert.All(follower.Worker.Groups, group => Assert.Equal((false, Role.Follower), (group.IsAsleep, group.Role)));
        List<int> campaigning = [];
        follower.Pass(HostFixture.Options.ElectionTimeoutMicros, () => campaigning.Add(follower.Worker.Groups.Count(group => group.Role == Role.PreCandidate)));
        Assert.Equal(Groups, campaigning[^1]);
        Assert.InRange(campaigning[campaigning.Count / 2], Groups / 4, 3 * Groups / 4);
    }

    private static bool IsQuestion(string what) => what.Contains("Hibernate t", StringComparison.Ordinal);

    private static HostFixture Leading()
    {
        HostFixture leader = HostFixture.Leading(options: Options);
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        return leader;
    }

    private static HostFixture Asleep()
    {
        HostFixture leader = Leading();
        FallAsleep(leader);
        leader.Trace.Take();
        return leader;
    }

    private static void FallAsleep(HostFixture leader)
    {
        for (int i = 0; i < 100 && !leader.Group.IsAsleep; i++)
        {
            leader.Pass(HostFixture.Options.TickMicros, () => Answer(leader));
            Agree(leader, 2);
            Agree(leader, 3);
        }

        Assert.True(leader.Group.IsAsleep);
    }

    /// <summary>An entry is proposed, and everywhere.</summary>
    private static void Use(HostFixture leader)
    {
        leader.Propose("use");
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12), Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 12));
        leader.Trace.Take();
    }

    /// <summary>Both others have heard the leader.</summary>
    private static void Answer(HostFixture leader) => leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6), Some.Message(MessageKind.HeartbeatResponse, 3, 1, 6));

    private static void Agree(HostFixture leader, ulong follower) => leader.Receive(Some.Message(MessageKind.HibernateResponse, follower, 1, 6));

    /// <summary>Its leader is replica 2, and node 2 was heard.</summary>
    private static HostFixture FollowerAsleep()
    {
        HostFixture follower = new(Options, Some.Recovered(1, 3));
        follower.Hear(2);
        follower.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 6));
        follower.Receive(Some.Message(MessageKind.Hibernate, 2, 1, 6, index: 10));
        Assert.True(follower.Group.IsAsleep);
        follower.Trace.Take();
        return follower;
    }

    private sealed class Nobody : ITransferOwner
    {
        public void OnEnded(GroupId group, TransferResult result) { }
    }
}
