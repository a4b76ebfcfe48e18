namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §5.3, §5.4.2: what is committed, and how followers learn of it.</summary>
public sealed class CommitRuleTests
{
    // §5.4.2, the rule itself.
    [Fact]
    public void Leader_does_not_commit_an_entry_of_an_older_term_by_counting_replicas()
    {
        Replica leader = Replica.Leading(3, Disk.Of(1, 0, 0, 1, 1));
        Assert.Equal("1 1 2", leader.LogTerms);
        leader.Receive(Some.Ack(2, 1, 2, 2)); // Entry 2, of term 1, is on a majority.
        Assert.Equal(0UL, leader.Commit);
        leader.Receive(Some.Ack(2, 1, 2, 3)); // Its own no-op takes the others with it.
        Assert.Equal(3UL, leader.Commit);
        Assert.Equal(3, leader.StateMachine.Count);
    }

    // §5.4.2, figure 8 (c) and (d), five replicas: the entry of term 2 is acknowledged by a majority, the one of term 4 by nobody.
    [Fact]
    public void Figure_8_d_the_majority_of_an_old_entry_is_overwritten_and_nobody_had_applied_it()
    {
        ulong[][] logs = [[1, 2], [1, 2], [1], [1], [1, 3]];
        Cluster cluster = new(5, id => Disk.Of(3, 0, 1, logs[id - 1]), options => options with { MaxAppendBytes = 1 });
        ElectWith(cluster, 1, 2, 3, 4);
        Assert.Equal("1 2 4", cluster[1].LogTerms);
        // S3 rejects the probe after entry 2, takes entry 2 and acknowledges it; S2 acknowledges it too. Entry 3 goes nowhere.
        Replicate(cluster, 1, 3, message => message.Index > cluster[3].Group.LastIndex || message.Entries.Span is [{ Index.Value: 2 }]);
        cluster[1].Receive(Some.Ack(2, 1, 4, 2));
        Assert.Equal("1 2", cluster[3].LogTerms);
        Assert.Equal(3, cluster.Replicas.Count(replica => replica.Group.TermAt(new LogIndex(2)) == new Term(2)));
        Assert.Equal(1UL, cluster[1].Commit);
        cluster.Drop();

        // (d) S1 stops; S5's last entry, of term 3, is newer than term 2: S2, S3 and S4 vote for it.
        cluster.Isolate(1);
        ElectWith(cluster, 5, 2, 3, 4);
        cluster.Deliver();
        cluster.Heartbeat(5);
        Assert.All(cluster.Replicas.Skip(1), replica => Assert.Equal("1 3 5", replica.LogTerms));
        Assert.All(cluster.Replicas.Skip(1), replica => Assert.Equal(3UL, replica.Commit));
        Assert.All(cluster.Replicas.Skip(1), replica => Assert.Equal([3UL, 5UL], replica.StateMachine.TakeLast(2).Select(entry => entry.Term.Value)));
    }

    // Figure 8 (e): once its own entry is on a majority, S5 cannot win.
    [Fact]
    public void Figure_8_e_an_own_entry_on_a_majority_keeps_the_older_one_for_ever()
    {
        ulong[][] logs = [[1, 2], [1, 2], [1], [1], [1, 3]];
        Cluster cluster = new(5, id => Disk.Of(3, 0, 1, logs[id - 1]));
        ElectWith(cluster, 1, 2, 3, 4);
        Replicate(cluster, 1, 2);
        Replicate(cluster, 1, 3);
        Assert.Equal(3UL, cluster[1].Commit);
        cluster.Drop();
        cluster.Isolate(1);
        cluster[5].TimeOut();
        cluster.Deliver();
        Assert.NotEqual(Role.Leader, cluster[5].Group.Role);
        cluster.Run(5000);
        Assert.Contains(cluster.Leader!.Id.Value, new ulong[] { 2, 3 });
        Assert.Equal("1 2 4", cluster[5].LogTerms[..5]);
    }

    // L3, L4: the index that a majority has reached, for even sizes too.
    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    public void An_entry_is_committed_by_a_majority_and_not_by_one_less(int voters, int othersNeeded)
    {
        Replica leader = Replica.Leading(voters);
        for (int i = 0; i < othersNeeded; i++)
        {
            Assert.Equal(0UL, leader.Commit);
            leader.Receive(Some.Ack((ulong)i + 2, 1, 1, 1));
            if (i == 0 && othersNeeded > 1) leader.Receive(Some.Ack(2, 1, 1, 1)); // Twice from one is once.
        }

        Assert.Equal(1UL, leader.Commit);
    }

    [Fact]
    public void A_learner_does_not_count_towards_the_majority()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Cluster cluster = new(configuration);
        cluster[1].TimeOut();
        cluster.Deliver(message => message.Kind is not MessageKind.Append || message.To == cluster[3].Id);
        cluster.Deliver(message => message.To == cluster[3].Id || message.From == cluster[3].Id);
        Assert.Equal(1UL, cluster[3].Last);
        Assert.Equal(0UL, cluster[1].Commit);
        cluster.Deliver();
        Assert.Equal(1UL, cluster[1].Commit);
    }

    // A learner is replicated to like anybody else (thesis §4.2.1).
    [Fact]
    public void A_learner_receives_and_applies_the_log()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Cluster cluster = new(configuration);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver();
        cluster.Heartbeat(1);
        Assert.Equal(2, cluster[3].StateMachine.Count);
    }

    [Fact]
    public void In_a_joint_configuration_both_majorities_must_hold_an_entry()
    {
        Configuration joint = new(
            new ConfigurationHalf([Some.Member(1), Some.Member(2), Some.Member(3)], []),
            new ConfigurationHalf([Some.Member(1), Some.Member(4), Some.Member(5)], []));
        Replica leader = new(1, joint, new Disk());
        leader.Campaign();
        leader.Receive(Some.VoteResponse(2, 1, 1));
        leader.Receive(Some.VoteResponse(4, 1, 1));
        leader.Receive(Some.Ack(2, 1, 1, 1));
        leader.Receive(Some.Ack(3, 1, 1, 1));
        Assert.Equal(0UL, leader.Commit);
        leader.Receive(Some.Ack(5, 1, 1, 1));
        Assert.Equal(1UL, leader.Commit);
    }

    // §5.3: a follower knows only what this leader's message has shown to match.
    [Fact]
    public void A_follower_commits_no_further_than_the_message_shows_its_log_to_match()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1, 2));
        follower.Receive(Some.Append(2, 1, 5, 1, 1, 3)); // Entries 2 and 3 here may not be the leader's.
        Assert.Equal(1UL, follower.Commit);
        follower.Receive(Some.Append(2, 1, 5, 1, 1, 9, 1));
        Assert.Equal(2UL, follower.Commit);
    }

    [Fact]
    public void A_rejected_append_commits_nothing()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1));
        follower.Receive(Some.Append(2, 1, 5, 2, 2, 2));
        Assert.Equal(0UL, follower.Commit);
    }

    // A heartbeat checks no previous entry, so it may tell only what the follower has acknowledged.
    [Fact]
    public void A_heartbeat_tells_a_follower_no_more_of_the_commit_index_than_it_has_acknowledged()
    {
        Replica leader = Replica.Leading();
        leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 2));
        leader.TakeSent();
        leader.TickAfter(100);
        Message[] heartbeats = [.. leader.TakeSent().Where(message => message.Kind == MessageKind.Heartbeat)];
        Assert.Equal([2UL, 0UL], heartbeats.Select(heartbeat => heartbeat.Commit.Value));
    }

    [Fact]
    public void The_commit_index_never_goes_back()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 2, 1, 1));
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 1));
        follower.Receive(Some.Append(2, 1, 5, 2, 1, 0));
        Assert.Equal(2UL, follower.Commit);
    }

    [Fact]
    public void Followers_learn_of_the_commit_by_the_next_append_or_heartbeat()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver();
        Assert.Equal(2UL, cluster[1].Commit);
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal(2UL, replica.Commit));
    }

    // bugs.md L17: a replica that lost synced log must not go on.
    [Fact]
    public void A_commit_index_beyond_the_last_entry_stops_the_process()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 5));
        Assert.Throws<InvariantViolatedException>(() => follower.Receive(Some.Heartbeat(2, 1, 5, commit: 2)));
    }

    // §5.2, election safety.
    [Fact]
    public void Two_leaders_in_one_term_stop_the_process()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        Assert.Throws<InvariantViolatedException>(() => follower.Receive(Some.Heartbeat(3, 1, 5)));
        Assert.Throws<InvariantViolatedException>(() => Replica.Leading().Receive(Some.Heartbeat(2, 1, 1)));
        Assert.Throws<InvariantViolatedException>(() => Replica.Leading().Receive(Some.Append(2, 1, 1, 0, 0, 0)));
    }

    [Fact]
    public void An_acknowledgement_of_what_the_leader_does_not_have_stops_the_process()
    {
        Replica leader = Replica.Leading();
        Assert.Throws<InvariantViolatedException>(() => leader.Receive(Some.Ack(2, 1, 1, 2)));
    }

    [Fact]
    public void A_message_for_another_replica_stops_the_process()
    {
        Replica replica = Replica.Alone();
        Assert.Throws<InvariantViolatedException>(() => replica.Receive(Some.Heartbeat(2, 3, 5)));
    }

    /// <summary>Elects <paramref name="candidate"/> with the votes of exactly <paramref name="voters"/>; its appends stay on the network.</summary>
    private static void ElectWith(Cluster cluster, int candidate, params int[] voters)
    {
        cluster.Drop();
        // Twice: a candidate of an old term learns the new one from the first refusals.
        for (int attempt = 0; attempt < 2 && cluster[candidate].Group.Role != Role.Leader; attempt++)
        {
            cluster[candidate].TimeOut();
            cluster.Deliver(message => IsElection(message) && (voters.Contains((int)message.From.Value) || voters.Contains((int)message.To.Value)));
        }

        Assert.Equal(Role.Leader, cluster[candidate].Group.Role);
    }

    private static bool IsElection(Message message) =>
        message.Kind is MessageKind.PreVote or MessageKind.PreVoteResponse or MessageKind.Vote or MessageKind.VoteResponse;

    /// <summary>Appends and their answers between the two travel, as far as <paramref name="which"/> lets them.</summary>
    private static void Replicate(Cluster cluster, int leader, int follower, Func<Message, bool>? which = null) =>
        cluster.Deliver(message =>
            (message.Kind == MessageKind.Append && message.From == cluster[leader].Id && message.To == cluster[follower].Id && (which is null || which(message)))
            || (message.Kind == MessageKind.AppendResponse && message.From == cluster[follower].Id && message.To == cluster[leader].Id));
}
