namespace RaftKv.Raft.Tests.Spec;

/// <summary>
/// Raft paper §7: "the leader must occasionally send snapshots to followers that lag behind", when "the leader has already discarded the next
/// log entry that it needs to send". Design §6, "probe / replicate / snapshot states per follower". bugs.md E16, L18, S6, T3, T4.
/// </summary>
public sealed class SnapshotSendingTests
{
    private static readonly ReplicaId Laggard = new(3);

    [Fact]
    public void A_follower_behind_the_leaders_log_is_sent_one_snapshot()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        Assert.Equal([Laggard], leader.SnapshotsAsked);
        for (int i = 0; i < 10; i++)
        {
            leader.Propose("y");
            cluster.Heartbeat(1);
        }

        Assert.Equal([Laggard], leader.SnapshotsAsked);
    }

    // A new leader knows nothing of its followers: it is their answers that show who is behind.
    [Fact]
    public void A_new_leader_asks_for_no_snapshot_for_a_follower_that_has_everything()
    {
        Cluster cluster = Behind(out _);
        cluster[2].Compact();
        cluster.Elect(2);
        cluster.Heartbeat(2);
        cluster.Heartbeat(2);
        Assert.Equal([Laggard], cluster[2].SnapshotsAsked);
        Assert.Equal(cluster[2].Last, cluster[1].Last);
    }

    // Nor does it count as one that a snapshot is on its way to: the log can be cut.
    [Fact]
    public void A_follower_that_is_not_heard_is_sent_no_snapshot()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Isolate(3);
        for (int i = 0; i < 20; i++) cluster.Heartbeat(1);
        Assert.Empty(leader.SnapshotsAsked);
        Assert.False(leader.Group.IsSendingSnapshot);
        cluster.Heal();
        cluster.Heartbeat(1);
        Assert.Equal([Laggard], leader.SnapshotsAsked);
        Assert.True(leader.Group.IsSendingSnapshot);
        cluster.Isolate(3);
        leader.EndSnapshot(3, 0);
        for (int i = 0; i < 20; i++) cluster.Heartbeat(1);
        Assert.Equal([Laggard], leader.SnapshotsAsked);
    }

    [Fact]
    public void Meanwhile_it_is_sent_heartbeats_and_nothing_else()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        cluster.OnDeliver = message => Assert.True(message.To != Laggard || message.Kind == MessageKind.Heartbeat, $"{message}");
        int heartbeats = 0;
        for (int i = 0; i < 10; i++)
        {
            leader.Propose("y");
            cluster.Deliver();
            leader.TickAfter(100);
            cluster.Collect();
            heartbeats += cluster.InFlight.Count(message => message.To == Laggard && message.Kind == MessageKind.Heartbeat);
            cluster.Deliver();
            // L9: late answers to what was sent before.
            leader.Receive(Some.Reject(3, 1, 1, leader.Last, 1, 1));
            leader.Receive(Some.Ack(3, 1, 1, 1));
        }

        Assert.Equal(10, heartbeats);
        Assert.Equal(1UL, cluster[3].Last);
    }

    [Fact]
    public void It_does_not_stop_the_leader()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        ulong before = leader.Commit;
        for (int i = 0; i < 20; i++)
        {
            leader.Propose("y");
            Assert.True(leader.Read((ulong)i + 1));
            cluster.Heartbeat(1);
        }

        Assert.Equal((Role.Leader, before + 20, 20), (leader.Group.Role, leader.Commit, leader.Grants.Count));
    }

    // Check-quorum (thesis §6.2): it answers heartbeats, so it counts as there.
    [Fact]
    public void It_is_part_of_the_quorum_that_keeps_the_leader()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        cluster.Isolate(2);
        for (int i = 0; i < 20; i++) cluster.Heartbeat(1);
        Assert.True(leader.Read(1));
        cluster.Heartbeat(1);
        Assert.Equal((Role.Leader, 1), (leader.Group.Role, leader.Grants.Count));
    }

    [Fact]
    public void After_success_it_is_probed_behind_the_snapshot_and_then_replicated_to()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        Snapshot snapshot = leader.TakeSnapshot();
        leader.Propose("y");
        leader.Propose("z");
        cluster.Deliver();
        Assert.Equal(InstallStatus.Accepted, cluster[3].Install(snapshot));
        cluster.Drop(); // Also its acknowledgement: the end of the transfer is told by another way.
        leader.TakeSent();
        leader.EndSnapshot(3, snapshot.Index.Value);
        Message probe = Assert.Single(leader.TakeSent());
        Assert.Equal($"r1>r3 Append t1 after {snapshot.Index}/t1 commit 10 [9/t1..10/t1]", probe.ToString());
        cluster[3].Receive(probe);
        cluster.Heartbeat(1);
        Assert.Equal((leader.Last, leader.Commit, 10), (cluster[3].Last, cluster[3].Commit, cluster[3].StateMachine.Count));
        Assert.Equal([Laggard], leader.SnapshotsAsked);
    }

    [Fact]
    public void A_snapshot_that_the_log_has_left_behind_meanwhile_is_followed_by_another()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        Snapshot snapshot = leader.TakeSnapshot();
        leader.Propose("y");
        cluster.Deliver();
        leader.Compact();
        cluster[3].Install(snapshot);
        cluster.Drop();
        leader.TakeSent();
        leader.EndSnapshot(3, snapshot.Index.Value);
        Assert.Empty(leader.TakeSent());
        Assert.Equal([Laggard, Laggard], leader.SnapshotsAsked);
    }

    [Fact]
    public void After_a_failure_another_is_sent_but_not_at_once()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        leader.EndSnapshot(3, installed: 0);
        // Two election timeouts.
        for (int i = 0; i < 9; i++) cluster.Heartbeat(1);
        Assert.Equal([Laggard], leader.SnapshotsAsked);
        Assert.DoesNotContain(leader.TakeSent(), message => message.Kind == MessageKind.Append && message.To == Laggard);
        cluster.Heartbeat(1);
        Assert.Equal([Laggard, Laggard], leader.SnapshotsAsked);
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    // Else it would seem to lag behind for as long as nobody writes anything.
    [Fact]
    public void A_follower_whose_snapshot_reaches_the_end_of_the_log_is_asked_for_a_lost_acknowledgement()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        Assert.Equal(InstallStatus.Accepted, cluster[3].Install(leader.TakeSnapshot()));
        cluster.Drop();
        leader.EndSnapshot(3, leader.Last);
        cluster.Heartbeat(1);
        leader.TickAfter(100);
        Assert.Contains(leader.TakeSent(), message => message.ToString() == "r1>r3 Heartbeat t1 commit 8 round 5");
        Assert.Equal([Laggard], leader.SnapshotsAsked);
    }

    // T4, L18: the report that it ended is lost; the follower's own acknowledgement says as much.
    [Fact]
    public void An_acknowledgement_from_behind_the_cut_ends_it()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        cluster[3].Install(leader.TakeSnapshot());
        leader.Propose("y");
        cluster.Deliver();
        Assert.Equal(leader.Last, cluster[3].Last);
        leader.TakeSent();
        leader.EndSnapshot(3, installed: 0); // Late, and about something that is over.
        leader.Propose("z");
        cluster.Deliver();
        Assert.Equal(leader.Last, cluster[3].Last);
        Assert.Equal([Laggard], leader.SnapshotsAsked);
    }

    [Fact]
    public void An_acknowledgement_from_before_the_cut_does_not_end_it()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        Assert.Empty(leader.Answer(Some.Ack(3, 1, 1, 7)));
        leader.Receive(Some.HeartbeatResponse(3, 1, 1));
        Assert.Empty(leader.TakeSent());
        Assert.Equal([Laggard], leader.SnapshotsAsked);
        Assert.NotEmpty(leader.Answer(Some.Ack(3, 1, 1, 8)).Concat(Proposed()));

        Message[] Proposed()
        {
            leader.Propose("y");
            return leader.TakeSent();
        }
    }

    // A follower that was sent one, installed it, and lost its disk's last second is a follower like any other.
    [Fact]
    public void A_follower_that_turns_out_not_to_have_it_gets_another()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        leader.EndSnapshot(3, leader.Disk.Flushed.Value);
        leader.Propose("y");
        cluster.Deliver();
        Assert.Equal(1UL, cluster[3].Last);
        cluster.Heartbeat(1);
        Assert.Equal([Laggard, Laggard], leader.SnapshotsAsked);
    }

    // S6, E16: whatever was said of a transfer of an earlier leadership.
    [Fact]
    public void The_end_of_a_transfer_of_an_earlier_leadership_changes_nothing()
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        leader.Receive(Some.Heartbeat(2, 1, 2));
        leader.EndSnapshot(3, 8);
        leader.EndSnapshot(3, 0);
        cluster.Drop();
        cluster.Elect(1);
        Assert.Equal(leader.Last, cluster[2].Last);
        cluster.Heartbeat(1);
        Assert.Equal([Laggard, Laggard], leader.SnapshotsAsked);
        leader.EndSnapshot(9, 8); // Nobody we know.
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    // What a peer says is no reason to stop: the log cannot be probed beyond its end.
    [Theory]
    [InlineData(9)]
    [InlineData(1_000_000)]
    [InlineData(ulong.MaxValue)]
    public void A_follower_that_claims_more_than_the_log_holds_is_probed_at_its_end(ulong installed)
    {
        Cluster cluster = Behind(out Replica leader);
        cluster.Heartbeat(1);
        leader.EndSnapshot(3, installed);
        leader.Propose("y");
        cluster.Heartbeat(1);
        cluster.Heartbeat(1);
        Assert.Equal((Role.Leader, 9UL), (leader.Group.Role, leader.Commit));
        Assert.Equal([Laggard, Laggard], leader.SnapshotsAsked);
    }

    [Fact]
    public void Learners_get_snapshots_too()
    {
        Configuration configuration = new(new ConfigurationHalf([Some.Member(1), Some.Member(2)], [Some.Member(3)]), ConfigurationHalf.Empty);
        Cluster cluster = new(configuration);
        cluster.Isolate(3);
        cluster.Elect(1);
        cluster[1].Propose("x");
        cluster.Deliver();
        cluster[1].Compact();
        cluster.Heal();
        cluster.Heartbeat(1);
        cluster.Heartbeat(1);
        Assert.Equal([Laggard], cluster[1].SnapshotsAsked);
        Assert.Equal(InstallStatus.Accepted, cluster[3].Install(cluster[1].TakeSnapshot()));
        cluster[1].Propose("y");
        cluster.Heartbeat(1);
        cluster.Heartbeat(1);
        Assert.Equal((3UL, 3), (cluster[3].Commit, cluster[3].StateMachine.Count));
    }

    // The follower's log differs from the leader's where it was cut.
    [Fact]
    public void A_divergent_follower_behind_the_cut_ends_up_with_the_leaders_state()
    {
        Cluster cluster = new(3, id => id == 3 ? Disk.Of(4, 0, 0, 1, 4, 4, 4) : Disk.Of(3, 0, 0, 1, 3, 3, 3, 3));
        cluster.Isolate(3);
        cluster.Elect(1);
        cluster.Heartbeat(1);
        Assert.Equal("1 3 3 3 3 4", cluster[1].LogTerms);
        cluster[1].Restart(); // Votes in term 5, or it would meet a follower of its own term.
        cluster.Elect(1);
        cluster.Heartbeat(1);
        cluster[1].Compact();
        cluster.Heal();
        for (int i = 0; i < 4; i++) cluster.Heartbeat(1);
        Assert.Equal([Laggard], cluster[1].SnapshotsAsked);
        Assert.Equal(InstallStatus.Accepted, cluster[3].Install(cluster[1].TakeSnapshot()));
        cluster.Deliver();
        cluster[1].Propose("x");
        cluster.Heartbeat(1);
        cluster.Heartbeat(1);
        Assert.Equal(cluster[1].StateMachine.Select(entry => entry.Term), cluster[3].StateMachine.Select(entry => entry.Term));
        Assert.Equal((cluster[1].Last, cluster[1].Commit), (cluster[3].Last, cluster[3].Commit));
    }

    /// <summary>r1 leads term 1 and its log, 8 entries all committed, is cut to nothing; r3 has the first one only and is back.</summary>
    private static Cluster Behind(out Replica leader)
    {
        Cluster cluster = new(3);
        cluster.Elect(1);
        leader = cluster[1];
        cluster.Isolate(3);
        for (int i = 0; i < 7; i++) leader.Propose("x");
        cluster.Deliver();
        leader.Compact();
        cluster.Heartbeat(1);
        Assert.Equal((8UL, 8UL, 8UL, 1UL), (leader.Group.SnapshotIndex.Value, leader.Last, cluster[2].Commit, cluster[3].Last));
        cluster.Heal();
        return cluster;
    }
}
