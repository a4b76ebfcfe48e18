namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §6: from the append of C-old,new until it is left, nothing is decided without a majority of both. (bugs.md E10, L3, M4, M11)</summary>
public sealed class JointConsensusTests
{
    /// <summary>Whose halves have only r1 in common.</summary>
    private static readonly Configuration Joint = Some.Joint([1, 4, 5], [1, 2, 3]);

    // Votes and entries: VotingTests, CommitRuleTests.
    [Theory]
    [InlineData(2, 3, false)]
    [InlineData(4, 5, false)]
    [InlineData(2, 4, true)]
    [InlineData(3, 5, true)]
    public void A_pre_vote_is_won_by_a_majority_of_each_half(ulong first, ulong second, bool isWon)
    {
        Replica candidate = Replica.Of(Joint);
        candidate.TimeOut();
        foreach (ulong voter in (ulong[])[first, second]) candidate.Receive(Some.PreVoteResponse(voter, 1, 6));
        Assert.Equal(isWon ? Role.Candidate : Role.PreCandidate, candidate.Group.Role);
    }

    [Theory]
    [InlineData(2, 3)]
    [InlineData(4, 5)]
    public void An_election_is_lost_in_either_half(ulong first, ulong second)
    {
        Replica candidate = Replica.Of(Joint);
        candidate.Campaign();
        foreach (ulong voter in (ulong[])[first, second]) candidate.Receive(Some.VoteResponse(voter, 1, 6, granted: false));
        Assert.Equal(Role.Follower, candidate.Group.Role);
    }

    [Fact]
    public void An_entry_is_committed_by_a_majority_of_each_half()
    {
        Replica leader = JointLeader();
        leader.Propose("x");
        leader.Receive(Some.Ack(4, 1, 6, 13));
        leader.Receive(Some.Ack(5, 1, 6, 13));
        Assert.Equal(12UL, leader.Commit);
        leader.Receive(Some.Ack(2, 1, 6, 13));
        Assert.Equal(13UL, leader.Commit);
    }

    [Fact]
    public void A_read_is_confirmed_by_a_majority_of_each_half()
    {
        Replica leader = JointLeader();
        Assert.True(leader.Read(7));
        leader.Receive(Some.HeartbeatResponse(2, 1, 6, round: 2));
        leader.Receive(Some.HeartbeatResponse(3, 1, 6, round: 2));
        Assert.Empty(leader.Grants);
        leader.Receive(Some.HeartbeatResponse(4, 1, 6, round: 2));
        Assert.Equal(7UL, Assert.Single(leader.Grants).Context);
    }

    [Theory]
    [InlineData(2, 3, false)]
    [InlineData(4, 5, false)]
    [InlineData(2, 4, true)]
    public void A_leader_stays_only_if_a_majority_of_each_half_answers(ulong first, ulong second, bool stays)
    {
        Replica leader = JointLeader();
        for (int i = 0; i < 6; i++)
        {
            leader.TickAfter(100);
            if (leader.Group.Role == Role.Leader)
                foreach (ulong voter in (ulong[])[first, second]) leader.Receive(Some.HeartbeatResponse(voter, 1, 6));
        }

        Assert.Equal(stays ? Role.Leader : Role.Follower, leader.Group.Role);
    }

    // §6: "it is important that there is no point where C-old and C-new can both make decisions unilaterally".
    [Fact]
    public void While_a_change_is_under_way_neither_the_old_nor_the_new_members_can_do_without_the_others()
    {
        Cluster cluster = Cluster.Led(3);
        Replica fourth = cluster.AddLearner(1, 4);
        Replica fifth = cluster.AddLearner(1, 5);
        cluster.Partition([1, 4, 5], [2, 3]);
        cluster[1].Change(MemberChange.Promote(fourth.Id), MemberChange.Promote(fifth.Id), MemberChange.Remove(new ReplicaId(2)), MemberChange.Remove(new ReplicaId(3)));
        ulong commit = cluster[1].Commit;
        cluster.Run(400);
        Assert.Equal((Role.Leader, commit), (cluster[1].Group.Role, cluster[1].Commit));
        cluster.Run(5_000);
        // The old majority goes on without the change, the new one cannot.
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader);
        Assert.Contains(leader.Id.Value, (ulong[])[2, 3]);
        Assert.Equal(commit, cluster[1].Commit);
    }

    [Fact]
    public void The_leader_leaves_a_joint_configuration_by_itself_once_it_has_applied_it()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.HoldsApply = true;
        leader.Change(MemberChange.Promote(new ReplicaId(4)));
        leader.Receive(Some.Ack(2, 1, 6, 12));
        leader.Receive(Some.Ack(4, 1, 6, 12));
        Assert.Equal((12UL, 12UL, true), (leader.Commit, leader.Last, leader.Group.Configuration.IsJoint));
        leader.ApplyAll();
        Assert.Equal((13UL, Some.Of([1, 2, 3, 4])), (leader.Last, leader.Group.Configuration));
        Assert.True(leader.Group.IsChangingMembers);
        leader.Receive(Some.Ack(2, 1, 6, 13));
        leader.Receive(Some.Ack(3, 1, 6, 13));
        leader.ApplyAll();
        Assert.False(leader.Group.IsChangingMembers);
    }

    [Fact]
    public void What_is_behind_the_joint_configuration_does_not_make_it_leave_twice()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.HoldsApply = true;
        leader.Change(MemberChange.Promote(new ReplicaId(4)));
        for (int i = 0; i < 3; i++)
        {
            leader.Propose("x");
            leader.Receive(Some.Ack(2, 1, 6, leader.Last));
            leader.Receive(Some.Ack(4, 1, 6, leader.Last));
            leader.ApplyAll();
        }

        Assert.Single(leader.Disk.Entries, entry => entry.Kind == EntryKind.Configuration && !Configuration.Parse(entry.Payload.Span, out _).IsJoint);
    }

    // bugs.md M4: whoever leads next finishes it.
    [Fact]
    public void A_new_leader_leaves_the_joint_configuration_of_its_predecessor()
    {
        Cluster cluster = Cluster.Led(3);
        Replica learner = cluster.AddLearner(1, 4);
        cluster[1].HoldsApply = true; // It never gets as far as leaving.
        cluster[1].Change(MemberChange.Promote(learner.Id));
        cluster.Settle();
        cluster.Heartbeat(1);
        Assert.True(cluster[2].Group.AppliedConfiguration.IsJoint);
        cluster.Isolate(1);
        cluster.Elect(2);
        cluster.Settle();
        Assert.Equal(4, cluster[2].Group.AppliedConfiguration.Incoming.Voters.Length);
        Assert.False(cluster[2].Group.IsChangingMembers);
    }

    [Fact]
    public void A_leave_waits_while_leadership_is_being_handed_over_and_is_made_up_for_when_that_fails()
    {
        Replica leader = JointLeader(acknowledged: false);
        Assert.True(leader.Transfer(3)); // Which has not everything.
        leader.Receive(Some.Ack(2, 1, 6, 12));
        leader.Receive(Some.Ack(4, 1, 6, 12));
        Assert.Equal((12UL, 12UL), (leader.Group.Applied.Value, leader.Last));
        for (int i = 0; i < 5; i++)
        {
            foreach (ulong voter in (ulong[])[2, 4]) leader.Receive(Some.HeartbeatResponse(voter, 1, 6));
            leader.TickAfter(100);
        }

        Assert.Equal((ReplicaId.None, 13UL), (leader.Group.TransferTarget, leader.Last));
        Assert.False(leader.Group.Configuration.IsJoint);
    }

    // bugs.md M4, E10: wherever the leader is when it dies, the others end up in one configuration and not in between.
    [Fact]
    public void A_leader_that_dies_at_any_step_of_a_change_leaves_a_group_that_comes_out_of_it() => AtEveryStep(cluster =>
    {
        cluster.Isolate(1);
        cluster.Run(6_000);
        Replica leader = Assert.Single(cluster.Replicas, replica => replica.Group.Role == Role.Leader && replica.Id.Value != 1);
        Assert.False(leader.Group.IsChangingMembers);
        cluster.Heal();
    });

    // bugs.md M11, M12.
    [Fact]
    public void A_group_that_dies_as_a_whole_at_any_step_of_a_change_comes_out_of_it() => AtEveryStep(cluster =>
    {
        cluster.Drop();
        foreach (Replica replica in cluster.Replicas) replica.Restart();
    });

    /// <summary>r4 is to take the place of r3. The fault comes after 0, 1, 2, … messages; afterwards all must agree on a configuration, and whoever is not in it must be gone.</summary>
    private static void AtEveryStep(Action<Cluster> fault)
    {
        int outcomes = 0;
        int left = 0;
        for (int steps = 0; left <= 0; steps++)
        {
            Cluster cluster = Cluster.Led(3);
            Replica learner = cluster.AddLearner(1, 4);
            cluster[1].Change(MemberChange.Promote(learner.Id), MemberChange.Remove(new ReplicaId(3)));
            left = steps;
            cluster.Deliver(_ => left-- > 0);
            fault(cluster);
            cluster.Run(12_000);
            Configuration configuration = cluster.Leader!.Group.AppliedConfiguration;
            Assert.False(cluster.Leader!.Group.IsChangingMembers);
            Assert.All(cluster.Replicas, replica => Assert.Equal(configuration, replica.Group.AppliedConfiguration));
            Assert.All(cluster.Replicas, replica => Assert.True(configuration.Contains(replica.Id)));
            outcomes |= configuration.IsVoter(learner.Id) ? 2 : 1;
        }

        Assert.Equal(3, outcomes);
    }

    /// <summary>r1 leads in the joint configuration that entry 12 brought; whoever has the entry has not acknowledged more.</summary>
    private static Replica JointLeader(bool acknowledged = true)
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4, 5));
        leader.HoldsApply = acknowledged; // Else it would leave at once.
        leader.Change([MemberChange.Promote(new ReplicaId(4)), MemberChange.Promote(new ReplicaId(5)), MemberChange.Remove(new ReplicaId(2)), MemberChange.Remove(new ReplicaId(3))]);
        Assert.Equal((Joint.Incoming, Some.Half([1, 2, 3], 4, 5)), (leader.Group.Configuration.Incoming, leader.Group.Configuration.Outgoing));
        if (!acknowledged) return leader;
        foreach (ulong voter in (ulong[])[2, 4]) leader.Receive(Some.Ack(voter, 1, 6, 12));
        Assert.Equal(12UL, leader.Commit);
        leader.TakeSent();
        return leader;
    }
}
