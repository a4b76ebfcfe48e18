namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §9.6 (pre-vote), §4.2.3 (disruptive servers), §6.2 (a leader steps down without a quorum).</summary>
public sealed class PreVoteTests
{
    // §9.6: "a candidate only increments its term if it first learns from a majority that they would vote for it".
    [Fact]
    public void A_pre_vote_raises_no_term_on_either_side()
    {
        Cluster cluster = new(3);
        cluster[1].TimeOut();
        Assert.Equal(Role.PreCandidate, cluster[1].Group.Role);
        cluster.Deliver(message => message.Kind == MessageKind.PreVote);
        Assert.All(cluster.Replicas, replica => Assert.Equal(0UL, replica.Term));
        Assert.All(cluster.Replicas, replica => Assert.Equal(ReplicaId.None, replica.Group.Vote));
        Assert.All(cluster.Replicas, replica => Assert.Equal(0, replica.PendingWrites));
    }

    [Fact]
    public void A_pre_vote_asks_for_the_next_term_and_changes_no_hard_state()
    {
        Replica replica = Replica.Alone(3, Disk.Of(5, 2, 0, 1, 4));
        replica.HoldsWrites = true;
        replica.TimeOut();
        Message[] questions = replica.TakeSent();
        Assert.Equal(["r1>r2 PreVote t6 last 2/t4", "r1>r3 PreVote t6 last 2/t4"], questions.Select(question => question.ToString()));
        Assert.Equal(0, replica.PendingWrites);
        Assert.Equal(new ReplicaId(2), replica.Group.Vote); // E4: candidacy for a pre-vote does not forget the vote.
    }

    // §4.2.3: "if a server receives a RequestVote within the minimum election timeout of hearing from a current leader …".
    [Fact]
    public void A_pre_vote_is_refused_while_the_leader_is_alive()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        follower.Clock.AdvanceMicros(499_999);
        Assert.True(Assert.Single(follower.Answer(Some.PreVote(3, 1, 6, 9, 5))).Rejected);
        follower.Clock.AdvanceMicros(1);
        Assert.False(Assert.Single(follower.Answer(Some.PreVote(3, 1, 6, 9, 5))).Rejected);
    }

    [Fact]
    public void A_leader_refuses_pre_votes_and_ignores_votes_of_higher_terms()
    {
        Replica leader = Replica.Leading();
        Assert.True(Assert.Single(leader.Answer(Some.PreVote(3, 1, 9, 9, 8))).Rejected);
        Assert.Empty(leader.Answer(Some.Vote(3, 1, 9, 9, 8)));
        Assert.Equal(Role.Leader, leader.Group.Role);
        Assert.Equal(1UL, leader.Term);
    }

    [Fact]
    public void A_vote_of_a_higher_term_does_not_raise_the_term_while_the_leader_is_alive()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        Assert.Empty(follower.Answer(Some.Vote(3, 1, 9, 9, 8)));
        Assert.Equal(5UL, follower.Term);
        follower.Clock.Advance(500);
        Assert.False(Assert.Single(follower.Answer(Some.Vote(3, 1, 9, 9, 8))).Rejected);
        Assert.Equal(9UL, follower.Term);
    }

    // §9.6: the server that was cut off returns, and nobody notices.
    [Fact]
    public void A_replica_that_was_cut_off_and_returns_disturbs_nobody()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster.Isolate(3);
        cluster.Run(10_000);
        Assert.Equal(1UL, cluster[3].Term);
        cluster.Heal();
        cluster.Run(1000);
        Assert.Equal(Role.Leader, cluster[1].Group.Role);
        Assert.Equal(1UL, cluster[1].Term);
        Assert.Equal(new ReplicaId(1), cluster[3].Group.Leader);
    }

    // The majority that would vote is that of the configuration.
    [Fact]
    public void A_pre_candidate_without_a_majority_stays_in_its_term()
    {
        Replica replica = Replica.Alone(5);
        for (int i = 0; i < 10; i++)
        {
            replica.TimeOut();
            replica.Receive(Some.PreVoteResponse(2, 1, 1));
        }

        Assert.Equal(0UL, replica.Term);
    }

    [Fact]
    public void A_pre_candidate_that_a_majority_rejects_becomes_a_follower()
    {
        Replica replica = Replica.Alone();
        replica.TimeOut();
        replica.Receive(Some.PreVoteResponse(2, 1, 0, granted: false));
        replica.Receive(Some.PreVoteResponse(3, 1, 0, granted: false));
        Assert.Equal(Role.Follower, replica.Group.Role);
    }

    // An answer to an earlier question, for a term that is no longer the next.
    [Fact]
    public void A_grant_for_another_term_does_not_count()
    {
        Replica replica = Replica.Alone(3, Disk.Of(term: 5));
        replica.TimeOut();
        replica.Receive(Some.PreVoteResponse(2, 1, 5));
        replica.Receive(Some.PreVoteResponse(3, 1, 7));
        Assert.Equal(Role.PreCandidate, replica.Group.Role);
        Assert.Equal(5UL, replica.Term);
        replica.Receive(Some.PreVoteResponse(3, 1, 6));
        Assert.Equal(Role.Candidate, replica.Group.Role);
    }

    // E8: a rejection tells the voter's term, or a longer log of a lower term could never be elected.
    [Fact]
    public void A_rejection_of_a_higher_term_is_adopted_so_that_the_newer_log_can_win()
    {
        Cluster cluster = new(2, id => id == 1 ? Disk.Of(5, 0, 0, 5, 5) : Disk.Of(9, 0, 0, 5));
        cluster[1].TimeOut();
        cluster.Deliver();
        Assert.Equal(9UL, cluster[1].Term);
        Assert.Equal(Role.Follower, cluster[1].Group.Role);
        cluster.Elect(1);
        Assert.Equal(10UL, cluster[1].Term);
    }

    // The exact edge: the candidate asks for a term in which the voter has voted already.
    [Fact]
    public void A_pre_vote_for_a_term_in_which_the_vote_is_given_is_refused()
    {
        Replica voter = Replica.Alone(3, Disk.Of(term: 5, vote: 2));
        Message refused = Assert.Single(voter.Answer(Some.PreVote(3, 1, 5, 0, 0)));
        Assert.True(refused.Rejected);
        Assert.Equal(5UL, refused.Term.Value);
        Assert.False(Assert.Single(voter.Answer(Some.PreVote(2, 1, 5, 0, 0))).Rejected);
        Assert.False(Assert.Single(voter.Answer(Some.PreVote(3, 1, 6, 0, 0))).Rejected);
    }

    // §6.2: "a leader steps down if an election timeout elapses without a successful round of heartbeats to a majority".
    [Theory]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    public void A_leader_that_hears_no_majority_for_an_election_timeout_steps_down(int voters, int answersNeeded)
    {
        Replica kept = Replica.Leading(voters);
        Replica lost = Replica.Leading(voters);
        for (int i = 0; i < 20; i++)
        {
            kept.TickAfter(100);
            lost.TickAfter(100);
            for (int from = 2; from < 2 + answersNeeded; from++) kept.Receive(Some.HeartbeatResponse((ulong)from, 1, kept.Term));
            for (int from = 2; from < 1 + answersNeeded; from++) lost.Receive(Some.HeartbeatResponse((ulong)from, 1, lost.Term));
            Assert.Equal(i < 4 ? Role.Leader : Role.Follower, i is < 4 or 4 ? lost.Group.Role : Role.Follower);
        }

        Assert.Equal(Role.Leader, kept.Group.Role);
        Assert.NotEqual(Role.Leader, lost.Group.Role);
        Assert.Contains(lost.Group.RoleChanges, change => change.Reason == RoleChangeReason.LostQuorum);
        Assert.Equal(1UL, lost.Term);
    }

    [Fact]
    public void A_leader_that_lost_its_quorum_knows_no_leader_and_votes_for_others()
    {
        Replica replica = Replica.Leading();
        replica.TickAfter(500);
        Assert.Equal(Role.Follower, replica.Group.Role);
        Assert.Equal(ReplicaId.None, replica.Group.Leader);
        Assert.False(Assert.Single(replica.Answer(Some.PreVote(2, 1, 2, 9, 1))).Rejected);
        Assert.False(Assert.Single(replica.Answer(Some.Vote(2, 1, 2, 9, 1))).Rejected);
    }

    [Fact]
    public void A_single_voter_never_loses_its_quorum()
    {
        Replica leader = Replica.Alone(voters: 1);
        leader.TimeOut();
        Assert.Equal(Role.Leader, leader.Group.Role);
        leader.TickAfter(100_000);
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    // A process that was paused wakes up with its timer run out: it asks, is refused, and follows again.
    [Fact]
    public void A_replica_that_was_paused_does_not_end_the_leadership()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        for (int i = 0; i < 20; i++)
        {
            cluster.Clock.Advance(50);
            cluster[1].Tick();
            cluster[2].Tick();
            cluster.Deliver(message => message.To != cluster[3].Id);
        }

        cluster[3].TimeOut(); // Ticks before it reads what queued meanwhile.
        Assert.Equal(Role.PreCandidate, cluster[3].Group.Role);
        cluster.Deliver();
        cluster.Run(1000);
        Assert.Equal(1UL, Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader).Term);
    }

    // E18: A and C reach only B. The one that sees everybody ends up leading, or keeps whoever leads.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void In_a_chain_of_three_one_leader_stays(int first)
    {
        Cluster cluster = new(3);
        cluster.Elect(first);
        cluster.Partition([1], [3]);
        cluster.Run(2000);
        ulong term = cluster.Leader!.Term;
        cluster.Run(30_000);
        Assert.Equal(term, cluster.Leader!.Term);
    }

    // E18: everybody reaches only the hub r3; the leader r1 has lost its quorum.
    [Fact]
    public void When_only_the_hub_reaches_a_majority_the_hub_is_elected()
    {
        Cluster cluster = new(5);
        cluster.Elect(1);
        cluster.Partition([1], [2], [4], [5]);
        cluster.Run(10_000);
        Assert.Equal(new ReplicaId(3), cluster.Leader!.Id);
    }

    // E6, E19: a replica with an old log asks for ever; the others elect one of theirs all the same.
    [Fact]
    public void A_replica_with_a_stale_log_cannot_starve_the_election()
    {
        Cluster cluster = new(3, id => id == 3 ? Disk.Of(2, 0, 0, 1) : Disk.Of(2, 0, 0, 1, 2));
        for (int i = 0; i < 60 && cluster.Leader is null; i++)
        {
            cluster.Clock.Advance(50);
            if (i % 4 == 0) cluster[3].TimeOut(); // It times out far more often than is fair.
            cluster[1].Tick();
            cluster[2].Tick();
            cluster.Deliver();
        }

        Assert.NotNull(cluster.Leader);
        Assert.NotEqual(new ReplicaId(3), cluster.Leader.Id);
    }

    [Fact]
    public void Two_pre_candidates_at_once_still_end_in_one_leader()
    {
        Cluster cluster = new(3);
        cluster.Clock.Advance(1000);
        foreach (Replica replica in cluster.Replicas) replica.Tick();
        Assert.All(cluster.Replicas, replica => Assert.Equal(Role.PreCandidate, replica.Group.Role));
        cluster.Run(5000);
        Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
    }
}
