using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>Leadership handed over: one group's because somebody asks, all because the node is about to stop.</summary>
public sealed class TransferTests
{
    private const long ElectionTimeout = 500_000;

    [Fact]
    public void A_transfer_ends_when_the_target_is_known_to_lead()
    {
        HostFixture leader = HostFixture.Leading();
        Ends ends = Transfer(leader, 2);
        Assert.Contains("send s1 r1>r2 TimeoutNow t6", leader.Trace.Take());
        Assert.Empty(ends);
        leader.Receive(Some.Message(MessageKind.Vote, 2, 1, 7, 11, 6) with { IsHandOver = true });
        Assert.Empty(ends);
        leader.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 7));
        Assert.Equal([new TransferResult(TransferOutcome.Done, Some.Node(2), Some.Node(2), new Term(7))], ends);
    }

    [Fact]
    public void Whoever_leads_already_is_not_asked_to()
    {
        HostFixture leader = HostFixture.Leading();
        Ends ends = Transfer(leader, 1);
        Assert.Equal([new TransferResult(TransferOutcome.Done, Some.Node(1), Some.Node(1), new Term(6))], ends);
        Assert.Empty(leader.Links.Take());
    }

    [Fact]
    public void Without_a_target_it_is_who_has_most_of_the_log()
    {
        HostFixture leader = Watched();
        Transfer(leader, 0);
        Assert.Equal(new ReplicaId(2), leader.Group.TransferTarget);
    }

    [Fact]
    public void Without_a_target_it_is_nobody_whose_node_is_silent_or_about_to_stop()
    {
        HostFixture leader = HostFixture.Leading();
        Assert.Equal(TransferOutcome.NoTarget, Assert.Single(Transfer(leader, 0)).Outcome);
        leader.Hear(2, isLeaving: true);
        Assert.Equal(TransferOutcome.NoTarget, Assert.Single(Transfer(leader, 0)).Outcome);
        Assert.Equal(default, leader.Group.TransferTarget);
    }

    [Fact]
    public void A_named_target_that_is_silent_or_about_to_stop_is_refused_at_once_and_writes_go_on()
    {
        HostFixture leader = HostFixture.Leading();
        Assert.Equal([new TransferResult(TransferOutcome.TargetDown, Some.Node(2), Some.Node(1), new Term(6))], Ask(leader, 2)); // It was never heard.
        leader.Hear(2, isLeaving: true);
        Assert.Equal(TransferOutcome.TargetDown, Assert.Single(Ask(leader, 2)).Outcome);
        leader.Hear(2, isStalled: true);
        Assert.Equal(TransferOutcome.TargetDown, Assert.Single(Ask(leader, 2)).Outcome);
        Assert.True(leader.Group.TransferTarget.IsNone);
        leader.Propose("meanwhile");
        leader.Settle();
        Assert.Contains("meanwhile Appended 12", leader.Trace.Take());
        leader.Hear(2);
        Assert.Empty(Ask(leader, 2));
        Assert.Equal(new ReplicaId(2), leader.Group.TransferTarget);
    }

    [Fact]
    public void A_node_without_a_voter_is_no_target()
    {
        HostFixture leader = HostFixture.Leading();
        Assert.Equal([new TransferResult(TransferOutcome.NoTarget, default, Some.Node(1), new Term(6))], Transfer(leader, 9));
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    [Fact]
    public void A_target_that_stays_behind_is_given_up_and_leadership_stays()
    {
        HostFixture leader = HostFixture.Leading();
        Ends ends = Transfer(leader, 3);
        KeepQuorum(leader);
        Assert.Equal([new TransferResult(TransferOutcome.Stayed, Some.Node(3), Some.Node(1), new Term(6))], ends);
        leader.Propose("after");
        leader.Settle();
        Assert.Contains("after Appended 12", leader.Trace.Take());
    }

    [Fact]
    public void A_target_that_was_told_and_keeps_silent_leaves_it_open_what_it_will_do()
    {
        HostFixture leader = HostFixture.Leading();
        Ends ends = Transfer(leader, 2);
        KeepQuorum(leader);
        Assert.Equal([new TransferResult(TransferOutcome.NotTaken, Some.Node(2), Some.Node(1), new Term(6))], ends);
    }

    [Fact]
    public void A_second_target_is_refused_while_the_first_one_is_asked_and_the_same_one_shares_its_end()
    {
        HostFixture leader = HostFixture.Leading();
        Ends first = Transfer(leader, 2);
        Ends other = Transfer(leader, 3);
        Ends same = Transfer(leader, 2);
        Assert.Equal(TransferOutcome.Stayed, Assert.Single(other).Outcome);
        leader.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 7));
        Assert.Equal(TransferOutcome.Done, Assert.Single(first).Outcome);
        Assert.Equal(first, same);
    }

    [Fact]
    public void When_nobody_is_known_to_lead_it_ends_after_two_election_timeouts()
    {
        HostFixture leader = HostFixture.Leading();
        Ends ends = Transfer(leader, 2);
        leader.Receive(Some.Message(MessageKind.Vote, 2, 1, 7, 11, 6) with { IsHandOver = true });
        leader.After(2 * ElectionTimeout);
        leader.Settle();
        Assert.Equal(TransferOutcome.Lost, Assert.Single(ends).Outcome);
    }

    [Fact]
    public void A_node_that_stops_gives_away_what_it_leads_and_is_done_when_it_knows_the_new_leaders()
    {
        HostFixture leader = Watched();
        bool isDone = BeginHandOver(leader, out Func<bool> done);
        Assert.False(isDone);
        Assert.Contains("send s1 r1>r2 TimeoutNow t6", leader.Trace.Take());
        leader.Receive(Some.Message(MessageKind.Vote, 2, 1, 7, 11, 6) with { IsHandOver = true });
        Assert.False(done());
        leader.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 7));
        Assert.True(done());
    }

    [Fact]
    public void A_sleeping_group_is_given_away_too()
    {
        HostFixture leader = Watched(HostFixture.Options with { HibernateAfterMicros = 0 });
        leader.FallAsleep();
        leader.Hear(2);
        BeginHandOver(leader, out _);
        Assert.Contains("send s1 r1>r2 TimeoutNow t6", leader.Trace.Take());
    }

    [Fact]
    public void Nothing_is_given_to_a_node_that_is_silent_or_about_to_stop_itself()
    {
        HostFixture alone = HostFixture.Leading();
        Assert.True(BeginHandOver(alone, out _)); // It has heard nobody.

        HostFixture leader = HostFixture.Leading();
        leader.Hear(2, isLeaving: true);
        Assert.True(BeginHandOver(leader, out _));
        Assert.Equal(Role.Leader, leader.Group.Role);
        Assert.DoesNotContain(leader.Trace.Take(), line => line.Contains("TimeoutNow", StringComparison.Ordinal));
    }

    [Fact]
    public void Whoever_does_not_take_over_is_not_asked_again_and_the_next_one_is()
    {
        HostFixture leader = Watched();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Hear(3);
        BeginHandOver(leader, out Func<bool> done);
        ReplicaId first = leader.Group.TransferTarget;
        for (long passed = 0; passed < ElectionTimeout; passed += 100_000)
        {
            leader.After(100_000);
            leader.Hear(2);
            leader.Hear(3);
            leader.Receive(Answers(leader, 2, MessageKind.HeartbeatResponse), Answers(leader, 3, MessageKind.HeartbeatResponse));
        }

        Assert.NotEqual(first, leader.Group.TransferTarget);
        Assert.False(leader.Group.TransferTarget.IsNone);
        Assert.False(done());
    }

    [Fact]
    public void Handing_over_ends_after_two_election_timeouts_whatever_happens()
    {
        HostFixture leader = Watched();
        BeginHandOver(leader, out Func<bool> done);
        leader.Receive(Some.Message(MessageKind.Vote, 2, 1, 7, 11, 6) with { IsHandOver = true });
        leader.After(2 * ElectionTimeout - 1);
        leader.Settle();
        Assert.False(done());
        leader.After(50_000);
        leader.Settle();
        Assert.True(done());
    }

    [Fact]
    public void A_group_of_one_keeps_no_node_from_stopping()
    {
        HostFixture alone = HostFixture.Leading(voters: 1);
        Assert.True(BeginHandOver(alone, out _));
    }

    /// <summary>Leads, and has heard from node 2.</summary>
    private static HostFixture Watched(HostOptions? options = null)
    {
        HostFixture leader = HostFixture.Leading(options: options);
        leader.Hear(2);
        return leader;
    }

    private static Message Answers(HostFixture host, ulong from, MessageKind kind) => Some.Message(kind, from, 1, host.Group.Term.Value);

    /// <summary>Replica 2 answers heartbeats until the group has given the transfer up.</summary>
    private static void KeepQuorum(HostFixture leader)
    {
        for (long passed = 0; passed < ElectionTimeout; passed += 100_000)
        {
            leader.After(100_000);
            leader.Settle();
            leader.Receive(Answers(leader, 2, MessageKind.HeartbeatResponse));
        }

        // The group gives up in a tick; the next turn sees it.
        leader.After(50_000);
        leader.Settle();
    }

    private static Ends Transfer(HostFixture host, int to)
    {
        if (to is 2 or 3) host.Hear(to);
        return Ask(host, to);
    }

    private static Ends Ask(HostFixture host, int to)
    {
        Ends ends = [];
        host.OnStep(now => Assert.True(host.Worker.TryTransfer(now, new GroupId(1), to == 0 ? default : Some.Node(to), ends)));
        host.Settle();
        return ends;
    }

    private static bool BeginHandOver(HostFixture host, out Func<bool> done)
    {
        bool isDone = false;
        host.OnStep(now => host.Worker.BeginHandOver(now, () => isDone = true));
        host.Settle();
        done = () => isDone;
        return isDone;
    }

    private sealed class Ends : List<TransferResult>, ITransferOwner
    {
        public void OnEnded(GroupId group, TransferResult result) => Add(result);
    }
}
