namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §6.4.1 and design §6: reads that rely on a lease. Times in ms: election timeout 500, so a lease of 450 from the sending of what a majority answered. bugs.md R3, R5, E12, E16.</summary>
public sealed class LeaseTests
{
    private const long Lease = 450;

    [Fact]
    public void A_leader_that_a_majority_has_answered_serves_reads_at_once_and_says_until_when_that_holds()
    {
        Replica leader = Leading();
        Assert.True(leader.Read(7, mayUseLease: true));
        Assert.Equal(new ReadGrant(7, new LogIndex(11), new Term(6), leader.Clock.Micros + Lease * 1000), Assert.Single(leader.Grants));
        Assert.Empty(leader.TakeSent());
    }

    [Fact]
    public void Other_reads_ask_a_majority_all_the_same()
    {
        Replica leader = Leading();
        leader.Read(7);
        Assert.Empty(leader.Grants);
    }

    // R5: from the sending, for what was promised may be that old.
    [Fact]
    public void A_lease_counts_from_when_the_round_was_sent_not_from_when_it_was_answered()
    {
        Replica leader = Leading();
        leader.TickAfter(100);
        long sent = leader.Clock.Micros;
        leader.Clock.Advance(300);
        Confirm(leader);
        Assert.Equal(sent + Lease * 1000, leader.Group.LeaseUntilMicros);
        leader.Clock.Advance(149);
        leader.Read(1, mayUseLease: true);
        leader.Clock.Advance(1);
        leader.Read(2, mayUseLease: true);
        Assert.Equal([1UL], leader.Grants.Select(grant => grant.Context));
    }

    [Fact]
    public void A_late_answer_to_an_earlier_round_does_not_renew_it()
    {
        Replica leader = Leading();
        leader.TickAfter(100);
        long first = leader.Clock.Micros;
        ulong round = leader.TakeSent()[0].ReadRound;
        leader.TickAfter(100);
        leader.Receive(Some.HeartbeatResponse(2, 1, 6, round));
        Assert.Equal(first + Lease * 1000, leader.Group.LeaseUntilMicros);
    }

    [Fact]
    public void One_of_five_is_no_majority()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(5), WithLeases);
        leader.TickAfter(100);
        ulong round = leader.TakeSent()[0].ReadRound;
        leader.Receive(Some.HeartbeatResponse(2, 1, 6, round));
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
        leader.Receive(Some.HeartbeatResponse(3, 1, 6, round));
        Assert.NotEqual(0, leader.Group.LeaseUntilMicros);
    }

    [Fact]
    public void A_new_leader_relies_on_it_only_when_an_entry_of_its_own_term_is_committed()
    {
        Replica leader = Replica.Leading(3, Disk.Of(1, 0, 1, 1, 1), WithLeases);
        leader.TickAfter(100);
        Confirm(leader);
        leader.Read(7, mayUseLease: true);
        Assert.Empty(leader.Grants);
    }

    // R3, T6: whoever is told to take over may do so however late it hears of it.
    [Fact]
    public void It_ends_with_a_hand_over_and_does_not_come_back_in_this_term_once_another_was_told()
    {
        Replica leader = Leading();
        leader.Transfer(2);
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
        leader.TickAfter(300);
        Confirm(leader);
        leader.TickAfter(300);
        Confirm(leader);
        Assert.Equal(ReplicaId.None, leader.Group.TransferTarget);
        Assert.Equal((Role.Leader, 0L), (leader.Group.Role, leader.Group.LeaseUntilMicros));
    }

    [Fact]
    public void A_hand_over_in_which_nobody_was_told_only_interrupts_it()
    {
        Replica leader = Leading();
        leader.Propose("x");
        leader.Transfer(2); // It lacks the entry, and never gets it.
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
        leader.TickAfter(400);
        Confirm(leader);
        leader.TickAfter(200);
        Confirm(leader);
        Assert.NotEqual(0, leader.Group.LeaseUntilMicros);
    }

    // Whoever sleeps is woken to replace a leader whose node is gone, and has not promised anything since.
    [Fact]
    public void It_ends_with_sleep_and_what_was_sent_before_renews_it_no_more()
    {
        Replica leader = Leading();
        leader.TickAfter(100);
        ulong round = leader.TakeSent()[0].ReadRound;
        leader.Group.TryHibernate(leader.Clock.Micros);
        foreach (ulong follower in (ulong[])[2, 3]) leader.Receive(Some.Message(MessageKind.HibernateResponse, follower, 1, 6));
        Assert.True(leader.Group.IsAsleep);
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
        leader.Group.Wake(leader.Clock.Micros);
        leader.Receive(Some.HeartbeatResponse(2, 1, 6, round));
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
    }

    [Theory]
    [InlineData(MessageKind.PreVote)]
    [InlineData(MessageKind.Vote)]
    public void Who_has_answered_a_heartbeat_helps_nobody_else_within_an_election_timeout(MessageKind kind)
    {
        Replica voter = Voter();
        voter.Receive(Some.Heartbeat(1, 2, 6));
        voter.Group.OnLeaderConnection(voter.Clock.Micros, isUp: false);
        voter.Clock.Advance(499);
        Assert.DoesNotContain(voter.Answer(Ask(kind)), IsGranted);
        voter.Clock.Advance(1);
        Assert.Contains(voter.Answer(Ask(kind)), IsGranted);
    }

    // A late answer of a higher term makes it forget whom it follows; not what it promised.
    [Fact]
    public void Nor_when_it_has_heard_of_a_higher_term_meanwhile()
    {
        Replica voter = Voter();
        voter.Receive(Some.Heartbeat(1, 2, 6));
        voter.Receive(Some.VoteResponse(3, 2, 7, granted: false));
        Assert.Equal((7UL, ReplicaId.None), (voter.Term, voter.Group.Leader));
        Assert.DoesNotContain(voter.Answer(Ask(MessageKind.Vote)), IsGranted);
    }

    [Fact]
    public void Nor_itself()
    {
        Replica voter = Voter();
        voter.Receive(Some.Heartbeat(1, 2, 6));
        voter.Group.OnLeaderNodeGone(voter.Clock.Micros);
        voter.TickAfter(499);
        Assert.Equal(Role.Follower, voter.Group.Role);
        voter.TickAfter(501); // Somewhere in the election timeout behind what it promised: not all groups of its node at once.
        Assert.Equal(Role.PreCandidate, voter.Group.Role);
    }

    // E12: a leader that hands over has given up its lease.
    [Fact]
    public void But_whomever_the_leader_has_told_to_take_over()
    {
        Replica voter = Voter();
        voter.Receive(Some.Heartbeat(1, 2, 6));
        Assert.Contains(voter.Answer(Ask(MessageKind.Vote) with { IsHandOver = true }), IsGranted);
    }

    [Fact]
    public void After_a_restart_a_voter_helps_nobody_for_the_longest_election_timeout()
    {
        Replica voter = Voter();
        voter.Receive(Some.Heartbeat(1, 2, 6));
        voter.Restart();
        voter.Clock.Advance(999);
        voter.Tick();
        Assert.Equal(Role.Follower, voter.Group.Role);
        Assert.DoesNotContain(voter.Answer(Ask(MessageKind.PreVote)), IsGranted);
        voter.Clock.Advance(1);
        Assert.Contains(voter.Answer(Ask(MessageKind.PreVote)), IsGranted);
    }

    // Whoever is a voter from now on has promised nothing.
    [Fact]
    public void It_ends_with_a_change_of_members_until_they_have_answered()
    {
        Replica leader = Leading();
        Assert.Equal(ProposeStatus.Appended, leader.Group.ProposeMembers(leader.Clock.Micros, MemberChange.AddLearner(new NodeId(4))).Status);
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
    }

    [Fact]
    public void Without_leases_nothing_is_promised_and_nothing_relied_on()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.TickAfter(100);
        Confirm(leader);
        Assert.Equal(0, leader.Group.LeaseUntilMicros);
        leader.Read(7, mayUseLease: true);
        Assert.Empty(leader.Grants);
    }

    private static RaftOptions WithLeases(RaftOptions options) => options with { HasLeases = true };

    /// <summary>Leads three, and a majority has just answered what it has just sent.</summary>
    private static Replica Leading()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3), WithLeases);
        leader.TickAfter(100);
        Confirm(leader);
        return leader;
    }

    /// <summary>Replica 2 answers the newest round.</summary>
    private static void Confirm(Replica leader)
    {
        ulong round = leader.TakeSent().Where(message => message.Kind == MessageKind.Heartbeat).Max(message => message.ReadRound);
        leader.Receive(Some.HeartbeatResponse(2, 1, leader.Term, round));
        leader.TakeSent();
    }

    /// <summary>Replica 2, long enough after its start.</summary>
    private static Replica Voter()
    {
        Replica voter = Replica.Of(Some.Voters(3), 2, WithLeases);
        voter.Clock.Advance(1_000);
        return voter;
    }

    private static Message Ask(MessageKind kind) => Some.Vote(3, 2, 7, 11, 6) with { Kind = kind };

    private static bool IsGranted(Message message) => message is { Kind: MessageKind.VoteResponse or MessageKind.PreVoteResponse, Rejected: false };
}
