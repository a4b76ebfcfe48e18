using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>A node that is about to stop gives away all it leads; one group's side of it is in TransferTests.</summary>
public sealed class HandOverTests
{
    private const int Groups = 20;

    [Fact]
    public void All_groups_are_given_away_at_once_and_it_is_done_when_every_new_leader_is_known()
    {
        HostFixture leader = LeadingMany();
        Func<bool> isDone = Begin(leader);
        Assert.Equal(Groups, leader.Links.Take().SelectMany(frame => frame.Raft()).Count(sent => sent.Message.Kind == MessageKind.TimeoutNow));
        for (ulong group = 1; group <= Groups; group++)
        {
            Assert.False(isDone());
            leader.ReceiveFrom(2, (group, Some.Message(MessageKind.Heartbeat, 2, 1, 7)));
        }

        Assert.True(isDone());
    }

    [Fact]
    public void What_another_node_leads_keeps_nobody_from_stopping()
    {
        HostFixture follower = new(Some.Recovered(1, 3), Some.Recovered(2, 3));
        follower.Hear(2);
        Assert.True(Begin(follower)()); // Of group 2 not even the leader is known: that was not its doing.
    }

    // Both are told to stop at the same moment: neither waits for the other.
    [Fact]
    public void A_target_that_says_meanwhile_that_it_is_about_to_stop_is_not_waited_for()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Hear(2);
        Func<bool> isDone = Begin(leader);
        Assert.False(isDone());
        leader.Hear(2, isLeaving: true);
        Assert.True(isDone());
    }

    [Fact]
    public void The_other_nodes_are_told_at_once_to_give_it_nothing_and_again_with_each_heartbeat()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Hear(2);
        leader.Links.LastHeartbeat.Clear();
        Begin(leader);
        Assert.Equal((2, 2), (Flags(leader, 2), Flags(leader, 3)));
        leader.Links.LastHeartbeat.Clear();
        leader.Pass(100_000);
        Assert.Equal((2, 2), (Flags(leader, 2), Flags(leader, 3)));
    }

    // Else the group would have to time out, though others are there to take it.
    [Fact]
    public void What_it_has_just_begun_to_lead_is_given_away_too_when_somebody_has_answered()
    {
        HostFixture leader = new(Some.Recovered(1, 3));
        leader.Pass(1_000_001);
        leader.Hear(2);
        leader.Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, 6));
        leader.Receive(Some.Message(MessageKind.VoteResponse, 2, 1, 6));
        Func<bool> isDone = Begin(leader);
        Assert.Equal((Role.Leader, false), (leader.Group.Role, isDone()));
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 11));
        Assert.Equal(new ReplicaId(2), leader.Group.TransferTarget);
    }

    [Fact]
    public void What_comes_back_is_given_away_again_but_not_to_whom_it_was_given_before()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Hear(2);
        leader.Hear(3);
        Func<bool> isDone = Begin(leader);
        ReplicaId first = leader.Group.TransferTarget;
        leader.Receive(Some.Message(MessageKind.Vote, first.Value, 1, 7, 11, 6) with { IsHandOver = true });
        Assert.Equal(Role.Follower, leader.Group.Role);
        Assert.False(isDone());
        LeadAgain(leader, term: 8);
        Assert.Equal(first.Value == 2 ? 3UL : 2UL, leader.Group.TransferTarget.Value);
    }

    [Fact]
    public void Meanwhile_proposals_are_refused_and_reads_and_followers_served()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Hear(2);
        Begin(leader);
        leader.Trace.Take();
        leader.Propose("p");
        leader.Read("r");
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6) with { ReadRound = 2 });
        Assert.Equal(["p NotLeader", "r served by s1 at 11/t6"], leader.Trace.Take().Where(what => !what.StartsWith("send", StringComparison.Ordinal)));
    }

    private static HostFixture LeadingMany()
    {
        HostFixture leader = new([.. Enumerable.Range(1, Groups).Select(group => Some.Recovered((ulong)group, 3))]);
        leader.After(1_000_001);
        leader.Settle();
        foreach (Message answer in (Message[])[Some.Message(MessageKind.PreVoteResponse, 2, 1, 6), Some.Message(MessageKind.VoteResponse, 2, 1, 6), Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 11)])
            leader.ReceiveFrom(2, [.. Enumerable.Range(1, Groups).Select(group => ((ulong)group, answer))]);
        Assert.All(leader.Worker.Groups, group => Assert.Equal((Role.Leader, new LogIndex(11)), (group.Role, group.Applied)));
        leader.Hear(2);
        leader.Links.Take();
        return leader;
    }

    private static void LeadAgain(HostFixture leader, ulong term)
    {
        while (leader.Group.Role == Role.Follower)
        {
            leader.Pass(HostFixture.Options.TickMicros);
            leader.Hear(2);
            leader.Hear(3);
        }

        leader.Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, term));
        leader.Receive(Some.Message(MessageKind.VoteResponse, 2, 1, term));
        leader.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, term, index: 12), Some.Message(MessageKind.AppendResponse, 3, 1, term, index: 12));
        Assert.Equal((Role.Leader, new Term(term)), (leader.Group.Role, leader.Group.Term));
    }

    private static Func<bool> Begin(HostFixture host)
    {
        bool isDone = false;
        host.OnStep(now => host.Worker.BeginHandOver(now, () => isDone = true));
        host.Settle();
        return () => isDone;
    }

    private static int Flags(HostFixture host, int node) => host.Links.LastHeartbeat[Some.Node(node)][8];
}
