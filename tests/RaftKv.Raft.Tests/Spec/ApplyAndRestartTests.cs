namespace RaftKv.Raft.Tests.Spec;

/// <summary>Raft paper §5.3 "applies the entry to its state machine", figure 2 "volatile state"; design §4: applied ≤ min(committed, durable here).</summary>
public sealed class ApplyAndRestartTests
{
    [Fact]
    public void Entries_are_applied_once_and_in_order()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        for (int i = 0; i < 10; i++) cluster[1].Propose($"{i}");
        cluster.Deliver();
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal(Enumerable.Range(1, 11), replica.StateMachine.Select(entry => (int)entry.Index.Value)));
    }

    [Fact]
    public void A_committed_entry_is_not_applied_before_it_is_durable_here()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.HoldsWrites = true;
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 2, 5, 5));
        Assert.Equal(2UL, follower.Commit);
        Assert.Empty(follower.ApplyRuns);
        follower.PersistOne();
        Assert.Equal([(new LogIndex(1), new LogIndex(2), false)], follower.ApplyRuns);
    }

    [Fact]
    public void A_durable_entry_is_not_applied_before_it_is_committed()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 1, 5, 5));
        Assert.Equal(2UL, follower.Group.DurableIndex.Value);
        Assert.Equal([(new LogIndex(1), new LogIndex(1), false)], follower.ApplyRuns);
    }

    // L12: pagination by size must lose nothing.
    [Theory]
    [InlineData(1)]
    [InlineData(200)]
    public void Entries_to_apply_come_in_pieces_that_fit(int maxApplyBytes)
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5), 1, options => options with { MaxApplyBytes = maxApplyBytes });
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 7, 5, 5, 5, 5, 5, 5, 5));
        Assert.Equal(Enumerable.Range(1, 7), follower.StateMachine.Select(entry => (int)entry.Index.Value));
        Assert.True(follower.ApplyRuns.Count > 1);
    }

    [Fact]
    public void A_slow_state_machine_is_handed_a_bounded_number_of_entries()
    {
        Replica leader = Replica.Alone(1, null, 1, options => options with { MaxApplyBytes = 100 * Entry.OverheadBytes });
        leader.TimeOut();
        leader.HoldsApply = true;
        for (int i = 0; i < 6000; i++) leader.Propose("");
        Assert.Equal(6001UL, leader.Commit);
        Assert.InRange(leader.ApplyRuns[^1].Last.Value, 4096UL, 4300UL);
        leader.ApplyAll();
        leader.HoldsApply = false;
        leader.ApplyAll();
        Assert.Equal(6001UL, leader.Group.Applied.Value);
    }

    [Fact]
    public void An_applied_index_that_was_never_handed_out_stops_the_process()
    {
        Replica replica = Replica.Alone(3, Disk.Of(5, 0, 0, 5, 5));
        Assert.Throws<InvariantViolatedException>(() => replica.Group.OnApplied(new LogIndex(1)));
    }

    [Fact]
    public void A_late_applied_index_changes_nothing()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 2, 5, 5));
        follower.Group.OnApplied(new LogIndex(1));
        Assert.Equal(2UL, follower.Group.Applied.Value);
    }

    // Figure 2, volatile state: the state machine's store says where to go on.
    [Fact]
    public void A_restarted_replica_goes_on_from_what_its_store_has_applied()
    {
        Disk disk = Disk.Of(5, 2, 4, 1, 2, 3, 3, 5);
        disk.Applied = new LogIndex(2);
        Replica replica = Replica.Alone(3, disk);
        Assert.Equal(2UL, replica.Group.Applied.Value);
        Assert.Equal(4UL, replica.Commit);
        Assert.Equal(5UL, replica.Group.DurableIndex.Value);
        Assert.Equal((Role.Follower, ReplicaId.None), (replica.Group.Role, replica.Group.Leader));
        replica.Pump();
        Assert.Equal([(new LogIndex(3), new LogIndex(4), true)], replica.ApplyRuns);
    }

    // The commit index on disk is a hint: what the store has applied was committed, whatever the hint says.
    [Fact]
    public void What_is_applied_counts_as_committed_after_a_restart()
    {
        Disk disk = Disk.Of(5, 0, 1, 1, 1, 1, 1);
        disk.Applied = new LogIndex(3);
        Assert.Equal(3UL, Replica.Alone(3, disk).Commit);
    }

    // R6: the last entry is not the commit index.
    [Fact]
    public void A_restarted_replica_does_not_take_its_last_entry_for_committed()
    {
        Replica replica = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1, 1));
        replica.Pump();
        Assert.Equal(0UL, replica.Commit);
        Assert.Empty(replica.ApplyRuns);
    }

    [Fact]
    public void Entries_on_disk_only_are_applied_from_the_log_one_run_at_a_time()
    {
        ulong[] terms = new ulong[10_000];
        Array.Fill(terms, 1UL);
        Replica replica = Replica.Alone(3, Disk.Of(1, 0, 10_000, terms));
        replica.HoldsApply = true;
        replica.Pump();
        Assert.Equal([(new LogIndex(1), new LogIndex(4096), true)], replica.ApplyRuns);
        replica.ApplyAll();
        Assert.Equal((new LogIndex(4097), new LogIndex(8192), true), replica.ApplyRuns[^1]);
        replica.HoldsApply = false;
        replica.ApplyAll();
        Assert.Equal(10_000UL, replica.Group.Applied.Value);
    }

    // A run from the disk ends where the memory begins.
    [Fact]
    public void A_restarted_follower_applies_old_entries_from_the_log_and_new_ones_from_memory()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 0, 1, 1, 1));
        follower.Receive(Some.Append(2, 1, 5, 3, 1, 5, 5, 5));
        Assert.Equal([(new LogIndex(1), new LogIndex(3), true), (new LogIndex(4), new LogIndex(5), false)], follower.ApplyRuns);
        Assert.Equal(Enumerable.Range(1, 5), follower.StateMachine.Select(entry => (int)entry.Index.Value));
    }

    // A leader restarted with its log on disk only: it must ask for old entries at once.
    [Fact]
    public void A_restarted_leader_replicates_its_old_entries_through_log_reads()
    {
        Cluster cluster = new(3, id => id == 1 ? Disk.Of(1, 0, 0, 1, 1, 1) : Disk.Of(term: 1));
        cluster.Elect(1);
        cluster.Heartbeat(1);
        Assert.All(cluster.Replicas, replica => Assert.Equal("1 1 1 2", replica.LogTerms));
        Assert.All(cluster.Replicas, replica => Assert.Equal(4, replica.StateMachine.Count));
    }

    // A conflict found below everything that is in memory.
    [Fact]
    public void A_restarted_follower_truncates_entries_that_are_on_disk_only()
    {
        Replica follower = Replica.Alone(3, Disk.Of(5, 0, 1, 1, 2, 2, 2));
        Message answer = Assert.Single(follower.Answer(Some.Append(2, 1, 5, 1, 1, 2, 3, 3)));
        Assert.Equal("1 3 3", follower.LogTerms);
        Assert.Equal("1 3 3", string.Join(' ', follower.Disk.Entries.Select(entry => entry.Term.Value)));
        Assert.Equal(3UL, answer.Index.Value);
        Assert.Equal([1UL, 3UL], follower.StateMachine.Select(entry => entry.Term.Value));
    }

    [Fact]
    public void The_commit_hint_is_written_along_with_entries_and_never_for_its_own_sake()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 0, 5, 5));
        follower.HoldsWrites = true;
        follower.Receive(Some.Heartbeat(2, 1, 5, commit: 2));
        Assert.Equal(0, follower.PendingWrites);
        follower.Receive(Some.Append(2, 1, 5, 2, 5, 2, 5));
        follower.PersistOne();
        Assert.Equal(new HardState(new Term(5), default, new LogIndex(2)), follower.Disk.HardState);
    }

    [Fact]
    public void Whole_group_restarts_lose_nothing_that_was_acknowledged()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        for (int round = 0; round < 5; round++)
        {
            cluster.Leader!.Propose($"{round}");
            cluster.Deliver();
            foreach (Replica replica in cluster.Replicas) replica.Restart();
            cluster.Run(4000);
            Assert.Equal(round + 1, cluster.Leader!.StateMachine.Count(entry => entry.Kind == EntryKind.Command));
        }
    }

    // L17, D5: what was synced is gone, or the files are not of one life.
    [Fact]
    public void A_start_from_files_that_contradict_each_other_is_refused()
    {
        Assert.Throws<InvariantViolatedException>(() => Replica.Alone(3, Disk.Of(5, 0, 3, 5, 5)));
        Assert.Throws<InvariantViolatedException>(() => Replica.Alone(3, Disk.Of(4, 0, 0, 5)));
        Disk disk = Disk.Of(5, 0, 0, 5);
        disk.Applied = new LogIndex(2);
        Assert.Throws<InvariantViolatedException>(() => Replica.Alone(3, disk));
    }

    // The clock may stand still or be read late; it never runs back inside the group.
    [Fact]
    public void Time_that_runs_back_is_ignored()
    {
        Replica follower = Replica.Alone();
        follower.Receive(Some.Heartbeat(2, 1, 5));
        follower.Group.Tick(0);
        follower.Group.Step(0, Some.Heartbeat(2, 1, 5));
        follower.TickAfter(499);
        Assert.Equal(Role.Follower, follower.Group.Role);
    }

    [Fact]
    public void The_last_64_role_changes_are_kept_with_their_reasons()
    {
        Replica replica = Replica.Alone();
        for (int i = 0; i < 100; i++) replica.TimeOut();
        Assert.Equal(64, replica.Group.RoleChanges.Count);
        Cluster cluster = new(3);
        cluster.Elect(1);
        Assert.Equal(
            [RoleChangeReason.Started, RoleChangeReason.ElectionTimeout, RoleChangeReason.PreVoteWon, RoleChangeReason.ElectionWon],
            cluster[1].Group.RoleChanges.Select(change => change.Reason));
    }
}
