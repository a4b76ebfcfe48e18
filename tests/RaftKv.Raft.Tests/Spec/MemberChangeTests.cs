namespace RaftKv.Raft.Tests.Spec;

/// <summary>What a leader takes into its log as a change of members, and which ids it gives away (thesis §4.1–4.3, design §2). (bugs.md M1, M5, M13, M14, K4)</summary>
public sealed class MemberChangeTests
{
    private static readonly MemberChange AddFourth = MemberChange.AddLearner(new NodeId(4));

    [Fact]
    public void Only_a_leader_that_is_not_handing_over_takes_a_change()
    {
        Assert.Equal(ProposeStatus.NotLeader, Replica.Of(Some.Voters(3)).Change(AddFourth).Status);
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        Assert.True(leader.Transfer(2));
        Assert.Equal(ProposeStatus.NotLeader, leader.Change(AddFourth).Status);
        Assert.Equal(11UL, leader.Last);
    }

    // Learners decide nothing: no majority changes.
    [Fact]
    public void A_learner_comes_and_goes_in_one_step()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Change(AddFourth);
        Configuration configuration = leader.Group.Configuration;
        Assert.Equal((false, new NodeId(4)), (configuration.IsJoint, Assert.Single(configuration.Incoming.Learners).Node));
        AckByAll(leader, 12);
        leader.Change(MemberChange.Remove(configuration.Incoming.Learners[0].Replica));
        Assert.Equal((false, Some.Half([1, 2, 3])), (leader.Group.Configuration.IsJoint, leader.Group.Configuration.Incoming));
        Assert.Equal(13UL, leader.Last);
    }

    // Paper §6.
    [Theory]
    [InlineData(MemberChangeKind.Promote, 4)]
    [InlineData(MemberChangeKind.Demote, 2)]
    [InlineData(MemberChangeKind.Remove, 2)]
    public void Voters_come_and_go_through_a_joint_configuration(MemberChangeKind kind, ulong replica)
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        Assert.Equal(12UL, leader.Change(new MemberChange(kind, new ReplicaId(replica))).Index.Value);
        Assert.Equal(Some.Half([1, 2, 3], 4), leader.Group.Configuration.Outgoing);
        Assert.NotEqual(Some.Half([1, 2, 3], 4), leader.Group.Configuration.Incoming);
    }

    [Fact]
    public void Several_changes_are_one()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.Change(MemberChange.Promote(new ReplicaId(4)), MemberChange.Remove(new ReplicaId(3)), MemberChange.Demote(new ReplicaId(2)), MemberChange.AddLearner(new NodeId(5)));
        Configuration configuration = leader.Group.Configuration;
        Assert.Equal("(r1 r4) learners (r2 r393216) leaving (r1 r2 r3) learners (r4)", configuration.ToString());
        Assert.Equal(12UL, leader.Last);
    }

    // Thesis §4.1: "a server may not begin a change until the previous one is committed"; ours until it is applied, and left. (M14)
    [Fact]
    public void There_is_one_change_at_a_time_from_append_to_the_applied_leave()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        leader.HoldsApply = true;
        leader.Change(MemberChange.Promote(new ReplicaId(4)));
        ExpectBusy(); // Appended.
        AckByAll(leader, 12);
        ExpectBusy(); // Committed.
        leader.ApplyAll();
        Assert.False(leader.Group.Configuration.IsJoint);
        ExpectBusy(); // The leave is appended.
        AckByAll(leader, 13);
        ExpectBusy(); // And committed.
        leader.ApplyAll();
        Assert.Equal(ProposeStatus.Appended, leader.Change(MemberChange.AddLearner(new NodeId(5))).Status);

        void ExpectBusy()
        {
            LogIndex last = leader.Group.LastIndex;
            Assert.Equal(ProposeStatus.Busy, leader.Change(MemberChange.AddLearner(new NodeId(5))).Status);
            Assert.Equal(last, leader.Group.LastIndex);
        }
    }

    [Fact]
    public void A_learner_is_added_only_when_the_one_before_is_applied()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Change(AddFourth);
        Assert.Equal(ProposeStatus.Busy, leader.Change(MemberChange.AddLearner(new NodeId(5))).Status);
        AckByAll(leader, 12);
        Assert.Equal(ProposeStatus.Appended, leader.Change(MemberChange.AddLearner(new NodeId(5))).Status);
    }

    // bugs.md M1, Ongaro's correction (raft-dev 2015): what its predecessors left in its log a new leader does not know to be committed.
    [Fact]
    public void A_leader_takes_no_change_before_it_has_committed_an_entry_of_its_own_term()
    {
        Cluster cluster = Cluster.Born(3);
        cluster[1].TimeOut();
        cluster.Deliver(message => message.Kind is not (MessageKind.Append or MessageKind.Heartbeat));
        Assert.Equal((Role.Leader, 10UL), (cluster[1].Group.Role, cluster[1].Commit));
        Assert.Equal(ProposeStatus.Busy, cluster[1].Change(AddFourth).Status);
        cluster.Deliver();
        Assert.Equal(ProposeStatus.Appended, cluster[1].Change(AddFourth).Status);
    }

    // bugs.md M1, the case of four: one change in the log of r1 alone, another on half of the others, and their majorities need not meet.
    [Fact]
    public void Two_leaders_cannot_both_change_an_even_number_of_members()
    {
        Cluster cluster = Cluster.Led(4);
        cluster.Isolate(1);
        cluster[1].Change(MemberChange.Remove(new ReplicaId(3))); // {1, 2, 4} in the log of r1 only.
        cluster[2].TimeOut();
        cluster.Deliver(message => message.Kind is not (MessageKind.Append or MessageKind.Heartbeat)); // r4 votes, and hears no more of it.
        Assert.Equal(Role.Leader, cluster[2].Group.Role);
        cluster.Partition([2, 3], [4]);
        Assert.Equal(ProposeStatus.Busy, cluster[2].Change(MemberChange.Remove(new ReplicaId(4))).Status); // {1, 2, 3} would be committed by r2 and r3.
        cluster.Settle();
        Assert.Equal(11UL, cluster[2].Commit);
        cluster.Heal();
        cluster.Isolate(2);
        cluster.Isolate(3);
        cluster.Run(5_000);
        Assert.Equal(11UL, cluster[1].Commit); // And r1 with r4 gets nowhere either: it takes a majority of {1, 2, 3, 4} too.
    }

    // What joint consensus needs it for: the add in r1's log is committed after all, in a later term; a newer one would have left a tombstone above its id on node 4.
    [Fact]
    public void An_add_of_an_older_term_that_may_still_be_committed_keeps_its_place_free()
    {
        Cluster cluster = Cluster.Led(3);
        cluster.Isolate(1);
        cluster[1].Change(AddFourth);
        ReplicaId added = Assert.Single(cluster[1].Group.Configuration.Incoming.Learners).Replica;
        cluster[2].TimeOut();
        cluster.Deliver(message => message.Kind is not (MessageKind.Append or MessageKind.Heartbeat));
        cluster.Isolate(3);
        Assert.Equal(ProposeStatus.Busy, cluster[2].Change(AddFourth).Status);
        cluster.Deliver();
        cluster.Heal();
        cluster.Isolate(2);
        Pass(cluster, 5_000);
        cluster.Heal();
        Pass(cluster, 10_000);
        Assert.Equal(added, Assert.Single(cluster.Leader!.Group.AppliedConfiguration.Incoming.Learners).Replica);
        Assert.Equal((added, cluster.Leader.Group.LastIndex), (cluster.On(4)!.Id, cluster.On(4)!.Group.Applied));

        static void Pass(Cluster cluster, int millis)
        {
            for (int passed = 0; passed < millis; passed += 50)
            {
                cluster.Run(50);
                cluster.Settle();
            }
        }
    }

    // bugs.md M5: what is refused leaves nothing behind.
    [Theory]
    [InlineData(MemberChangeKind.Promote, 1, 0)]
    [InlineData(MemberChangeKind.Promote, 9, 0)]
    [InlineData(MemberChangeKind.Demote, 4, 0)]
    [InlineData(MemberChangeKind.Demote, 9, 0)]
    [InlineData(MemberChangeKind.Remove, 9, 0)]
    [InlineData(MemberChangeKind.AddLearner, 0, 2)]
    [InlineData(MemberChangeKind.AddLearner, 0, 4)]
    public void A_change_that_makes_no_sense_is_refused_and_changes_nothing(MemberChangeKind kind, ulong replica, ulong node)
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        MemberChange senseless = new(kind, new ReplicaId(replica), new NodeId(node));
        Assert.Throws<ArgumentException>(() => leader.Change(senseless));
        Assert.Throws<ArgumentException>(() => leader.Change(MemberChange.Demote(new ReplicaId(2)), senseless)); // Nor by halves.
        Assert.Equal((11UL, Some.Of([1, 2, 3], 4)), (leader.Last, leader.Group.Configuration));
        Assert.Equal(ProposeStatus.Appended, leader.Change(MemberChange.Promote(new ReplicaId(4))).Status);
    }

    [Fact]
    public void The_last_voter_does_not_go()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1], 2));
        Assert.Throws<ArgumentException>(() => leader.Change(MemberChange.Remove(new ReplicaId(1))));
        Assert.Throws<ArgumentException>(() => leader.Change(MemberChange.Demote(new ReplicaId(1))));
        Assert.Equal(11UL, leader.Last);
    }

    // Design §2: "a node holds at most one replica of a shard".
    [Fact]
    public void A_node_gets_a_new_replica_only_when_the_old_one_is_gone()
    {
        Replica leader = Replica.LeadingOf(Some.Of([1, 2, 3], 4));
        Assert.Throws<ArgumentException>(() => leader.Change(MemberChange.Remove(new ReplicaId(4)), AddFourth));
        Assert.Throws<ArgumentException>(() => leader.Change(MemberChange.AddLearner(new NodeId(5)), MemberChange.AddLearner(new NodeId(5))));
        leader.Change(MemberChange.Remove(new ReplicaId(4)));
        Assert.Equal(ProposeStatus.Busy, leader.Change(AddFourth).Status);
        AckByAll(leader, 12);
        Assert.Equal(ProposeStatus.Appended, leader.Change(AddFourth).Status);
    }

    // Design §2: (term of the entry that adds it) × 2^16 + a counter within that term.
    [Fact]
    public void The_id_of_a_new_replica_is_made_of_the_term_and_a_counter()
    {
        Replica leader = Replica.LeadingOf(Some.Voters(3));
        leader.Change(AddFourth, MemberChange.AddLearner(new NodeId(5)));
        AckByAll(leader, 12);
        leader.Change(MemberChange.AddLearner(new NodeId(6)));
        Assert.Equal([6UL << 16, (6UL << 16) + 1, (6UL << 16) + 2], leader.Group.Configuration.Incoming.Learners.Select(learner => learner.Replica.Value));
    }

    // "An add that was truncated never shares its id with another": even the same node's next one has another.
    [Fact]
    public void An_add_that_was_truncated_does_not_share_its_id_with_the_next()
    {
        Cluster cluster = Cluster.Led(3);
        cluster.Isolate(1);
        cluster[1].Change(AddFourth);
        ReplicaId truncated = Assert.Single(cluster[1].Group.Configuration.Incoming.Learners).Replica;
        cluster.Elect(2);
        cluster.Heal();
        cluster.Heartbeat(2);
        Assert.Empty(cluster[1].Group.Configuration.Incoming.Learners);
        Replica next = cluster.AddLearner(2, 4);
        Assert.True(next.Id.CompareTo(truncated) > 0, $"{next.Id} after {truncated}");
    }

    // The highest id given away is in every configuration: entries, commit points and snapshots carry it.
    [Fact]
    public void The_id_of_a_removed_replica_is_never_given_away_again()
    {
        Cluster cluster = Cluster.Led(3);
        List<ulong> ids = [];
        for (int i = 0; i < 5; i++)
        {
            Replica learner = cluster.AddLearner(1, 4);
            ids.Add(learner.Id.Value);
            cluster.Change(1, MemberChange.Remove(learner.Id));
            cluster.Run(2_000); // It asks, hears of it and goes.
            Assert.Null(cluster.On(4));
            foreach (Replica replica in cluster.Replicas)
            {
                replica.Compact();
                replica.Restart();
            }

            cluster.Elect(1);
            cluster.Settle();
        }

        Assert.Equal(ids.Distinct().Order(), ids);
    }

    // bugs.md M13: a leader on an island changes nothing that counts.
    [Fact]
    public void What_a_leader_without_a_majority_changes_comes_to_nothing()
    {
        Cluster cluster = Cluster.Led(5);
        cluster.Partition([1, 2], [3, 4, 5]);
        cluster[1].Change(MemberChange.Remove(new ReplicaId(3)), MemberChange.Remove(new ReplicaId(4)), MemberChange.Remove(new ReplicaId(5)));
        ulong commit = cluster[1].Commit;
        cluster.Run(5_000);
        Assert.Equal((commit, commit), (cluster[1].Commit, cluster[2].Commit));
        Assert.DoesNotContain(cluster.Leader!.Id.Value, (ulong[])[1, 2]);
        cluster.Heal();
        cluster.Run(3_000);
        Assert.All(cluster.Replicas, replica => Assert.Equal(Some.Voters(5), replica.Group.AppliedConfiguration));
    }

    private static void AckByAll(Replica leader, ulong index)
    {
        foreach (Member member in leader.Group.Configuration.Members)
            if (member.Replica != leader.Id) leader.Receive(Some.Ack(member.Replica.Value, leader.Id.Value, leader.Term, index));
    }
}
