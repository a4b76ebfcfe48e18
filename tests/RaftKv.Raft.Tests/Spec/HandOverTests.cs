namespace RaftKv.Raft.Tests.Spec;

/// <summary>Thesis §3.10: leadership transfer; design §6: a leader whose disk stands still. (bugs.md E12, E15, M7, T1, T6, D2)</summary>
public sealed class HandOverTests
{
    private static readonly ReplicaId Third = new(3);

    [Fact]
    public void A_target_that_has_everything_is_told_at_once_to_campaign()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        Assert.True(leader.Transfer(2));
        Assert.Equal((MessageKind.TimeoutNow, new ReplicaId(2)), (Assert.Single(leader.TakeSent()) is var told ? told.Kind : default, told.To));
        Assert.Equal((new ReplicaId(2), new ReplicaId(2)), (leader.Group.TransferTarget, leader.Group.ToldToTakeOver));
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    [Fact]
    public void A_target_that_is_behind_is_told_when_it_has_acknowledged_everything()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Propose("x");
        leader.TakeSent();
        Assert.True(leader.Transfer(2));
        Assert.Empty(leader.TakeSent());
        Assert.Equal(ReplicaId.None, leader.Group.ToldToTakeOver);
        leader.Receive(Some.Ack(2, 1, 6, 12));
        Assert.Contains(leader.TakeSent(), message => message.Kind == MessageKind.TimeoutNow);
        Assert.Equal(new ReplicaId(2), leader.Group.ToldToTakeOver);
    }

    // §3.10: "the prior leader stops accepting new client requests"; or the target would never have everything.
    [Fact]
    public void While_it_hands_over_a_leader_takes_no_proposals_but_serves_reads()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Transfer(2);
        Assert.Equal(ProposeStatus.NotLeader, leader.Propose("x").Status);
        Assert.True(leader.Read(1));
        leader.Receive(Some.HeartbeatResponse(2, 1, 6, round: 2));
        Assert.Single(leader.Grants);
    }

    // bugs.md E12, E15, T6: neither pre-vote nor the leader that is alive stands in the way, nor do those that heard it a moment ago.
    [Fact]
    public void Whoever_is_told_to_take_over_campaigns_without_a_pre_vote_and_is_voted_for_though_the_leader_is_alive()
    {
        Cluster cluster = Cluster.Led(3);
        List<MessageKind> sent = [];
        cluster.OnDeliver = message => sent.Add(message.Kind);
        cluster[1].Transfer(2);
        cluster.Settle(); // The clock stands still.
        Assert.Equal((Role.Leader, 7UL, Role.Follower), (cluster[2].Group.Role, cluster[2].Term, cluster[1].Group.Role));
        Assert.DoesNotContain(MessageKind.PreVote, sent);
        Assert.Equal(RoleChangeReason.HandedOver, cluster[2].Group.RoleChanges.Single(change => change.To == Role.Candidate).Reason);
        Assert.Equal(ReplicaId.None, cluster[1].Group.TransferTarget);
    }

    // The permission is the message's, once: a replica that was told and lost campaigns like any other.
    [Fact]
    public void A_vote_that_is_not_handed_over_is_refused_while_the_leader_is_alive()
    {
        Cluster cluster = Cluster.Led(3);
        Assert.Empty(cluster[2].Answer(Some.Vote(3, 2, 7, 11, 6)));
        Assert.False(Assert.Single(cluster[2].Answer(Some.Vote(3, 2, 7, 11, 6) with { IsHandOver = true })).Rejected);
    }

    [Fact]
    public void Also_a_vote_asked_for_in_a_hand_over_needs_a_log_as_new_as_the_voters()
    {
        Replica voter = Replica.Of(Some.Voters(3), 2);
        voter.Receive(Some.Append(1, 2, 6, 10, 5, 10, 6));
        Assert.True(Assert.Single(voter.Answer(Some.Vote(3, 2, 7, 10, 5) with { IsHandOver = true })).Rejected);
    }

    // §3.10: "if leadership transfer does not complete after about an election timeout, the prior leader aborts the transfer".
    [Fact]
    public void A_hand_over_that_leads_to_nothing_is_given_up_after_an_election_timeout()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Transfer(2);
        Pass(leader, 499, 3);
        Assert.Equal(ProposeStatus.NotLeader, leader.Propose("x").Status);
        Pass(leader, 1, 3);
        Assert.Equal((ReplicaId.None, new ReplicaId(2)), (leader.Group.TransferTarget, leader.Group.ToldToTakeOver)); // It may come late.
        Assert.Equal(ProposeStatus.Appended, leader.Propose("x").Status);
    }

    [Fact]
    public void Leadership_goes_only_to_another_voter_and_only_from_the_leader()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        foreach (ulong to in (ulong[])[1, 4, 9]) Assert.False(leader.Transfer(to));
        Assert.Equal(ReplicaId.None, leader.Group.TransferTarget);
        Assert.False(Replica.Of(Some.Voters(3)).Transfer(2));
    }

    [Theory]
    [InlineData(3, 6)] // Not the leader that it follows.
    [InlineData(1, 5)] // A leader of an older term.
    public void Only_the_leader_tells_a_replica_to_take_over(ulong from, ulong term)
    {
        Replica follower = Replica.Of(Some.Voters(3), 2);
        follower.Receive(Some.Heartbeat(1, 2, 6));
        follower.Receive(Some.Message(MessageKind.TimeoutNow, from, 2, term));
        Assert.Equal((Role.Follower, 6UL), (follower.Group.Role, follower.Term));
    }

    // bugs.md M7: the target is on its way out.
    [Fact]
    public void A_target_that_leaves_the_group_leaves_the_leader_where_it_is()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].Change(MemberChange.Demote(Third));
        cluster[1].Transfer(3); // Still a voter of the old half.
        cluster.Drop(message => message.To == Third);
        cluster.Isolate(3);
        cluster.Settle();
        Assert.True(cluster[1].Group.AppliedConfiguration.IsJoint);
        cluster.Run(1_000);
        Assert.Equal((Role.Leader, 6UL), (cluster[1].Group.Role, cluster[1].Term));
        Assert.Equal(Some.Half([1, 2], 3), cluster[1].Group.AppliedConfiguration.Incoming);
        Assert.False(cluster[1].Group.IsChangingMembers);
        Assert.False(cluster[1].Transfer(3)); // Now it is none any more.
        Assert.Equal(ProposeStatus.Appended, cluster[1].Propose("x").Status);
    }

    [Fact]
    public void A_leader_in_the_middle_of_a_change_may_hand_over_and_the_next_one_finishes_it()
    {
        Cluster cluster = Cluster.Led(3);
        Replica learner = cluster.AddLearner(1, 4);
        cluster[1].Change(MemberChange.Promote(learner.Id));
        cluster[1].Transfer(2);
        cluster.Settle();
        cluster.Heartbeat(2);
        Assert.Equal((Role.Leader, 7UL), (cluster[2].Group.Role, cluster[2].Term));
        Assert.All(cluster.Replicas, replica => Assert.Equal(Some.Of([1, 2, 3, learner.Id.Value]).Incoming.Voters.Length, replica.Group.AppliedConfiguration.Incoming.Voters.Length));
        Assert.False(cluster[2].Group.IsChangingMembers);
    }

    [Fact]
    public void The_best_target_is_the_voter_with_most_of_the_log_and_of_those_the_one_heard_last()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.Receive(Some.HeartbeatResponse(2, 1, 6));
        leader.Clock.Advance(1);
        leader.Receive(Some.HeartbeatResponse(3, 1, 6));
        Assert.Equal(Third, leader.Group.BestTransferTarget());
        leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 6, 12));
        leader.Receive(Some.Ack(4, 1, 6, 12)); // A learner is none.
        Assert.Equal(new ReplicaId(2), leader.Group.BestTransferTarget());
        Assert.Equal(Third, leader.Group.BestTransferTarget(replica => replica != new ReplicaId(2)));
        Assert.Equal(ReplicaId.None, leader.Group.BestTransferTarget(_ => false));
    }

    // bugs.md T1, E15 (F64): transfers in a row, under load, lose no leader and no entry.
    [Fact]
    public void A_hundred_hand_overs_in_a_row_all_succeed()
    {
        Cluster cluster = Cluster.Led(3);
        int leader = 1;
        for (ulong i = 0; i < 100; i++)
        {
            int next = 1 + leader % 3;
            for (int j = 0; j < 3; j++) Assert.Equal(ProposeStatus.Appended, cluster[leader].Propose("x").Status);
            cluster[leader].Transfer((ulong)next);
            cluster.Settle();
            Assert.Equal((Role.Leader, 7 + i), (cluster[next].Group.Role, cluster[next].Term));
            leader = next;
        }

        cluster.Heartbeat(leader);
        Assert.All(cluster.Replicas, replica => Assert.Equal(11UL + 400, replica.Group.Applied.Value));
    }

    // Design §6 (bugs.md D2): "its leaders stop heartbeating and step down, transferring first if they can".
    [Fact]
    public void A_leader_whose_disk_stands_still_tells_whoever_has_all_that_is_committed_and_steps_down()
    {
        Cluster cluster = Cluster.Led(3);
        cluster[1].HoldsWrites = true;
        cluster[1].Propose("x"); // Not even on its own disk.
        cluster[1].SetStalled(true);
        Assert.Equal(RoleChangeReason.DiskStalled, cluster[1].Group.RoleChanges.Last().Reason);
        cluster.Settle(); // The clock stands still.
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        Assert.Contains(leader.Id.Value, (ulong[])[2, 3]);
        cluster.Heartbeat((int)leader.Id.Value);
        Assert.Equal(13UL, leader.Commit); // x and its own no-op, without the disk of r1.
    }

    [Fact]
    public void A_leader_whose_disk_stands_still_tells_nobody_of_whom_it_does_not_know_that_it_has_what_is_committed()
    {
        Replica leader = Replica.Of(Some.Voters(3));
        leader.Campaign();
        leader.Receive(Some.VoteResponse(2, 1, 6));
        leader.TakeSent();
        leader.SetStalled(true);
        Assert.Equal((Role.Follower, 0), (leader.Group.Role, leader.TakeSent().Length));
    }

    [Fact]
    public void A_learner_does_not_take_over_from_a_leader_whose_disk_stands_still()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1], 2));
        leader.SetStalled(true);
        Assert.Equal((Role.Follower, 0), (leader.Group.Role, leader.TakeSent().Length));
    }

    [Fact]
    public void A_voter_whose_disk_stands_still_does_not_campaign_nor_take_over_but_votes()
    {
        Replica voter = Replica.Of(Some.Voters(3), 2);
        voter.Receive(Some.Heartbeat(1, 2, 6));
        voter.SetStalled(true);
        voter.Receive(Some.Message(MessageKind.TimeoutNow, 1, 2, 6));
        voter.TakeSent();
        for (int i = 0; i < 3; i++) voter.TimeOut();
        Assert.Equal((Role.Follower, 6UL), (voter.Group.Role, voter.Term));
        Assert.Empty(voter.TakeSent());
        Assert.False(Assert.Single(voter.Answer(Some.Vote(3, 2, 7, 10, 5))).Rejected);
        voter.SetStalled(false);
        voter.TimeOut();
        Assert.Equal(Role.PreCandidate, voter.Group.Role);
    }

    [Fact]
    public void A_pre_candidate_whose_disk_stands_still_becomes_no_candidate()
    {
        Replica voter = Replica.Of(Some.Voters(3));
        voter.TimeOut();
        voter.SetStalled(true);
        voter.Receive(Some.PreVoteResponse(2, 1, 6));
        Assert.Equal((Role.Follower, 5UL), (voter.Group.Role, voter.Term));
    }

    /// <summary>Time passes, and a follower answers.</summary>
    private static void Pass(Replica leader, int millis, ulong answering)
    {
        leader.TickAfter(millis);
        leader.Receive(Some.HeartbeatResponse(answering, 1, 6));
    }
}
