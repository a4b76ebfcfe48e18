namespace RaftKv.Raft.Tests.Spec;

/// <summary>
/// Raft paper §7: "once a server completes writing a snapshot, it may delete all log entries up through the last included index". Design §6,
/// "truncation after snapshot with a catch-up allowance"; §7, "one commit point". bugs.md L9, L13, L14, S3, S4, T3.
/// </summary>
public sealed class CompactionTests
{
    [Fact]
    public void A_cut_is_one_commit_point_with_the_term_of_its_last_entry()
    {
        Replica leader = Leader();
        leader.Flush();
        List<LogStart> starts = Watch(leader);
        leader.CompactTo(4);
        Assert.Equal(new LogStart(new LogIndex(4), new Term(1), Some.Voters(3), KeepsLogBehind: true), Assert.Single(starts));
        Assert.Equal((4UL, 6UL, "1 1"), (leader.Group.SnapshotIndex.Value, leader.Last, leader.LogTerms));
        Assert.Equal((new LogIndex(4), new Term(1), 2), (leader.Disk.SnapshotIndex, leader.Disk.SnapshotTerm, leader.Disk.Entries.Count));
        Assert.Equal(6, leader.StateMachine.Count);
    }

    // S4, S3: only what a store holds for sure may go; the harness' disk refuses a commit point beyond what is flushed.
    [Fact]
    public void A_cut_beyond_what_is_applied_stops_the_process()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 2, 5, 5, 5));
        Assert.Equal((2UL, 3UL), (follower.Group.Applied.Value, follower.Last));
        Assert.Throws<InvariantViolatedException>(() => follower.Group.CompactTo(new LogIndex(3)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_cut_where_the_log_begins_or_before_it_changes_nothing(ulong index)
    {
        Replica leader = Leader();
        leader.Flush();
        leader.CompactTo(4);
        List<LogStart> starts = Watch(leader);
        leader.CompactTo(index);
        Assert.Empty(starts);
        Assert.Equal(4UL, leader.Group.SnapshotIndex.Value);
    }

    [Fact]
    public void Of_two_cuts_in_one_turn_the_later_one_is_written()
    {
        Replica leader = Leader();
        leader.Flush();
        List<LogStart> starts = Watch(leader);
        leader.Group.CompactTo(new LogIndex(2));
        leader.Group.CompactTo(new LogIndex(5));
        leader.Pump();
        Assert.Equal(5UL, Assert.Single(starts).Index.Value);
    }

    [Fact]
    public void Nothing_is_cut_while_a_snapshot_is_being_installed()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 2, 5, 5));
        follower.Flush();
        follower.HoldsWrites = true;
        follower.HoldsApply = true;
        List<LogStart> starts = Watch(follower);
        follower.Install(Some.Snapshot(5, 5, 5, 5, 5));
        follower.CompactTo(1);
        follower.PersistAll();
        follower.CompactTo(1);
        Assert.Equal(4UL, Assert.Single(starts).Index.Value);
        follower.ApplyAll();
        follower.HoldsApply = false;
        follower.Receive(Some.Append(2, 1, 5, 4, 5, 5, 5));
        follower.PersistAll();
        follower.Flush();
        follower.CompactTo(5);
        Assert.Equal([4UL, 5UL], starts.Select(start => start.Index.Value));
    }

    // A cut and a snapshot in one turn: one commit point, the snapshot's.
    [Fact]
    public void A_snapshot_in_the_turn_of_a_cut_takes_its_place()
    {
        Replica follower = Replica.Alone(3, Disk.Of(term: 5));
        follower.Receive(Some.Append(2, 1, 5, 0, 0, 2, 5, 5, 5, 5));
        follower.Flush();
        List<LogStart> starts = Watch(follower);
        follower.Group.CompactTo(new LogIndex(2));
        Assert.Equal(InstallStatus.Accepted, follower.InstallSilently(Some.Snapshot(5, 5, 5, 5)));
        follower.Pump();
        Assert.Equal((3UL, true), (Assert.Single(starts).Index.Value, starts[0].KeepsLogBehind));
        Assert.Equal("5", follower.LogTerms);
    }

    [Fact]
    public void A_restarted_replica_goes_on_from_its_commit_point()
    {
        Replica leader = Leader();
        leader.Propose("y");
        leader.Flush();
        leader.CompactTo(4);
        leader.Restart();
        Assert.Equal((4UL, 7UL, "1 1 1"), (leader.Group.SnapshotIndex.Value, leader.Last, leader.LogTerms));
        Assert.Equal((6UL, 6UL), (leader.Commit, leader.Group.Applied.Value));
        leader.Compact();
        leader.Restart();
        Assert.Equal((6UL, 7UL, "1"), (leader.Group.SnapshotIndex.Value, leader.Last, leader.LogTerms));
    }

    // S2: the store is ahead of the commit point, and what a crash took from it is applied again from what the log kept.
    [Fact]
    public void What_a_store_lost_in_a_crash_is_applied_again_from_behind_the_cut()
    {
        Replica leader = Leader();
        leader.Disk.Flushed = new LogIndex(3);
        leader.CompactTo(3);
        leader.Disk.Applied = leader.Disk.Flushed;
        leader.Restart();
        Assert.Equal([1UL, 2UL, 3UL, 4UL, 5UL, 6UL], leader.StateMachine.Select(entry => entry.Index.Value));
        Assert.Equal([(new LogIndex(4), new LogIndex(6), true)], leader.ApplyRuns);
    }

    [Fact]
    public void A_store_that_ends_before_its_commit_point_is_refused()
    {
        Disk disk = Disk.Of(5, 0, 5, 5, 5, 5, 5, 5);
        RaftStart start = disk.ToStart(Some.Voters(3)) with { SnapshotIndex = new LogIndex(6) };
        Assert.Throws<InvariantViolatedException>(() => new RaftGroup(new RaftOptions { Group = default, Replica = new ReplicaId(1), Seed = 1 }, start, 0));
    }

    // L13: the probe before the first entry that is left needs the term of the last one that is gone.
    [Fact]
    public void A_follower_that_ends_exactly_where_the_log_was_cut_gets_entries()
    {
        Cluster cluster = Lagging(out Replica leader, followerHas: 3);
        leader.Flush();
        leader.CompactTo(3);
        cluster.Heal();
        cluster.Heartbeat(1);
        Assert.Equal(leader.Last, cluster[3].Last);
        Assert.Equal(0UL, cluster[3].Group.SnapshotIndex.Value);
        Assert.Empty(leader.SnapshotsAsked);
    }

    // L13: everything is gone, and a new leader has nothing but its no-op to offer.
    [Fact]
    public void A_leader_elected_on_a_log_that_is_a_snapshot_only_replicates()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver();
        cluster.Heartbeat(1);
        foreach (Replica replica in cluster.Replicas)
        {
            replica.Compact();
            replica.Restart();
            Assert.Equal((2UL, ""), (replica.Group.SnapshotIndex.Value, replica.LogTerms));
        }

        cluster.Elect(2);
        cluster[2].Propose("y");
        cluster.Deliver();
        cluster.Heartbeat(2);
        Assert.All(cluster.Replicas, replica => Assert.Equal((4UL, "2 2", 4), (replica.Commit, replica.LogTerms, replica.StateMachine.Count)));
    }

    // T3, L9: answers from before the cut come after it.
    [Fact]
    public void Rejections_from_before_a_cut_are_no_reason_to_look_behind_it()
    {
        Replica leader = Leader();
        leader.Receive(Some.Reject(3, 1, 1, 6, 1, 1));
        leader.TakeSent();
        leader.Flush();
        leader.CompactTo(5);
        foreach (Message late in new[] { Some.Reject(3, 1, 1, 6, 1, 1), Some.Reject(3, 1, 1, 2, 0, 0), Some.Reject(3, 1, 1, 5, 4, 1), Some.Reject(2, 1, 1, 3, 1, 1) })
            leader.Receive(late);
        Assert.DoesNotContain(leader.TakeSent(), message => message.Kind == MessageKind.Append && message.Index.Value < 5);
        Assert.Equal(6UL, leader.Commit);
    }

    // The leader counted on the follower's acknowledgements; its window was lost, and so was what it would be sent again.
    [Fact]
    public void A_follower_whose_lost_window_is_cut_off_is_found_out_step_by_step_and_gets_a_snapshot()
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        Replica leader = cluster[1];
        cluster[1].Propose("x");
        cluster.Deliver();
        Assert.Equal(2UL, cluster[3].Last);
        for (int i = 0; i < 4; i++) leader.Propose("y");
        cluster.Drop(message => message.To.Value == 3);
        cluster.Deliver();
        leader.Compact();
        Assert.Equal(6UL, leader.Group.SnapshotIndex.Value);
        cluster.Heartbeat(1);
        Assert.Equal([new ReplicaId(3)], leader.SnapshotsAsked);
        Assert.Equal(2UL, cluster[3].Last);
    }

    // What was read is gone, or no longer fits: it is dropped, and what the follower needs instead is found out anew.
    [Fact]
    public void A_log_read_under_way_when_the_log_is_cut_is_dropped()
    {
        Cluster cluster = Lagging(out Replica leader, followerHas: 3, options => options with { MaxCachedBytes = 0 });
        leader.HoldsLogReads = true;
        cluster.Heal();
        cluster.Heartbeat(1);
        LogReadRequest request = Assert.Single(leader.LogReads);
        Assert.Equal(4UL, request.First.Value);
        Entry[] entries = leader.Disk.Read(request.First, request.Last);
        leader.Compact();
        Assert.Equal([new ReplicaId(3)], leader.SnapshotsAsked);
        leader.TakeSent();
        leader.LogReads.Clear();
        leader.AnswerLogRead(request, entries);
        Assert.Empty(leader.TakeSent());
        Assert.Empty(leader.LogReads);
    }

    [Fact]
    public void A_log_read_that_comes_back_empty_because_the_log_was_cut_is_followed_by_a_snapshot()
    {
        Cluster cluster = Lagging(out Replica leader, followerHas: 3, options => options with { MaxCachedBytes = 0 });
        leader.HoldsLogReads = true;
        cluster.Heal();
        cluster.Heartbeat(1);
        leader.Compact();
        leader.AnswerLogRead();
        Assert.Equal([new ReplicaId(3)], leader.SnapshotsAsked);
        Assert.Empty(leader.LogReads);
    }

    // A cut that leaves what is being read does not disturb it.
    [Fact]
    public void A_log_read_behind_the_cut_is_sent()
    {
        Cluster cluster = Lagging(out Replica leader, followerHas: 3, options => options with { MaxCachedBytes = 0 });
        leader.HoldsLogReads = true;
        cluster.Heal();
        cluster.Heartbeat(1);
        leader.Flush();
        leader.CompactTo(3);
        leader.AnswerLogRead();
        cluster.Deliver();
        Assert.Equal(leader.Last, cluster[3].Last);
    }

    [Fact]
    public void Reads_and_commits_go_on_over_a_cut_at_the_very_end()
    {
        Replica leader = Leader();
        leader.Compact();
        Assert.Equal("", leader.LogTerms);
        Assert.True(leader.Read(1));
        leader.Receive(Some.HeartbeatResponse(2, 1, 1, round: 2));
        Assert.Equal(new ReadGrant(1, new LogIndex(6), new Term(1)), Assert.Single(leader.Grants));
        leader.Propose("y");
        leader.Receive(Some.Ack(2, 1, 1, 7));
        Assert.Equal((7UL, 7), (leader.Commit, leader.StateMachine.Count));
    }

    /// <summary>A leader of term 1; entries 1 … 6 are committed and applied by it and r2. r3 has been silent since the no-op.</summary>
    private static Replica Leader()
    {
        Replica leader = Replica.Leading(3);
        leader.Receive(Some.Ack(2, 1, 1, 1));
        leader.Receive(Some.Ack(3, 1, 1, 1));
        for (int i = 0; i < 5; i++) leader.Propose("x");
        leader.Receive(Some.Ack(2, 1, 1, 6));
        Assert.Equal(6UL, leader.Group.Applied.Value);
        leader.TakeSent();
        return leader;
    }

    /// <summary>r1 leads with 8 entries; r3, cut off, ends at <paramref name="followerHas"/>.</summary>
    private static Cluster Lagging(out Replica leader, int followerHas, Func<RaftOptions, RaftOptions>? configure = null)
    {
        Cluster cluster = new(3, null, configure);
        cluster.Elect(1);
        leader = cluster[1];
        while (cluster[3].Last < (ulong)followerHas)
        {
            leader.Propose("x");
            cluster.Deliver();
        }

        cluster.Isolate(3);
        while (leader.Last < 8)
        {
            leader.Propose("y");
            cluster.Deliver();
        }

        Assert.Equal(8UL, leader.Group.Applied.Value);
        return cluster;
    }

    private static List<LogStart> Watch(Replica replica)
    {
        List<LogStart> starts = [];
        replica.OnReady = ready =>
        {
            if (ready.LogStart is { } start) starts.Add(start);
        };
        return starts;
    }
}
