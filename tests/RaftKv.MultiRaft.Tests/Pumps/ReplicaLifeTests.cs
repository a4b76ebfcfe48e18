using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>
/// Replicas are made by messages and go by tombstones (design §2, §6, §8): what makes one, what must be durable before, and who is told that it is gone. (bugs.md
/// K4, M13)
/// </summary>
public sealed class ReplicaLifeTests
{
    private static readonly GroupId First = new(1);

    /// <summary>r1 is in neither half, and its id was given away.</summary>
    private static readonly Configuration Without = Configuration.OfVoters(Some.Member(2), Some.Member(3));

    [Fact]
    public void A_leaders_message_makes_a_replica_and_nobody_elses_does()
    {
        foreach (MessageKind kind in Enum.GetValues<MessageKind>())
        {
            HostFixture host = new(HostFixture.Options);
            host.ReceiveFrom(2, (1UL, Some.Message(kind, 2, 9, 6)));
            Assert.Equal(kind is MessageKind.Append or MessageKind.Heartbeat, host.Worker.Find(First) is not null);
        }
    }

    [Fact]
    public void A_replica_without_an_id_is_none()
    {
        HostFixture host = new(HostFixture.Options);
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 0, 6)));
        Assert.Empty(host.Worker.Groups);
    }

    // "A replica created by a message is empty, owns no range, and always starts from a snapshot, never from entries."
    [Fact]
    public void A_new_replica_has_nothing_and_takes_no_entries()
    {
        HostFixture host = new(HostFixture.Options);
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Append, 2, 9, 6, 10, 5, 11, Some.Entry(11, 6))));
        Assert.Equal((new ReplicaId(9), 0UL, 0UL), (host.Group.Replica, host.Group.LastIndex.Value, host.Group.SnapshotIndex.Value));
        Assert.Empty(host.Group.Configuration.Members);
        Assert.Empty(host.Machines.Opened);
        (_, Message answer) = Assert.Single(Assert.Single(host.Links.Take()).Raft());
        Assert.Equal((MessageKind.AppendResponse, true, 0UL), (answer.Kind, answer.Rejected, answer.Hint.Value)); // It lacks even what the log begins behind.
    }

    // A crash in between would leave a store of which the log knows nothing (seed 20365).
    [Fact]
    public void A_new_replica_is_durable_in_the_log_before_it_says_anything()
    {
        HostFixture host = new(HostFixture.Options);
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 6)));
        Assert.Equal(["s1/r9 commit point 0", "s1/r9 hard state t6 vote - commit 0", "commit", "send s1 r9>r2 HeartbeatResponse t6 round 0"], host.Trace.Take());
        Assert.Equal((new ReplicaId(9), 0UL), (host.Log.DurablePoint(First)!.Replica, host.Log.DurablePoint(First)!.Generation));
    }

    // "Writes (shard, highest replica id seen) to the raft log before its directory is deleted."
    [Fact]
    public void A_removed_replicas_tombstone_is_durable_before_its_store_is_closed_and_deleted()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        FakeMachine machine = host.Machines.Opened[First];
        host.Log.BeforeCommit = () => Assert.False(machine.IsDisposed);
        host.Receive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 11, Some.ConfigurationEntry(11, 6, Without)));
        Assert.Equal(["s1 applied 11..11", "s1/r1 tombstone", "commit", "s1 generation 1 deleted"], host.Trace.Take().TakeLast(4));
        Assert.True(machine.IsDisposed);
        Assert.Null(host.Worker.Find(First));
    }

    [Fact]
    public void A_tombstone_that_does_not_become_durable_leaves_the_store_where_it_is()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        host.Receive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.ConfigurationEntry(11, 6, Without)));
        host.Log.BeforeCommit = () => throw new DiskFailedException("tombstone");
        Assert.Throws<DiskFailedException>(() => host.Receive(Some.Message(MessageKind.Removed, 2, 1, 6)));
        Assert.False(host.Machines.Opened[First].IsDisposed);
        Assert.Contains((First, 1UL), host.Machines.Directories);
    }

    // "A message for an id at or below it never creates a replica." (K4)
    [Fact]
    public void A_removed_replica_is_not_made_again_nor_one_before_it()
    {
        HostFixture host = new(HostFixture.Options);
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 6)));
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Removed, 2, 9, 6)));
        foreach (ulong id in (ulong[])[1, 8, 9])
        {
            host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Append, 2, id, 7)), (1UL, Some.Message(MessageKind.Heartbeat, 2, id, 7)));
            Assert.Null(host.Worker.Find(First));
        }

        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 10, 7)));
        Assert.Equal(new ReplicaId(10), host.Group.Replica);
        host.ReceiveFrom(2, (2UL, Some.Message(MessageKind.Heartbeat, 2, 1, 7))); // Another group has ids of its own.
        Assert.NotNull(host.Worker.Find(new GroupId(2)));
    }

    [Fact]
    public void Tombstones_outlive_a_restart()
    {
        HostFixture host = new(HostFixture.Options, new RecoveredLog(null, []) { Tombstones = [(First, new ReplicaId(9))] });
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 7)));
        Assert.Empty(host.Worker.Groups);
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 10, 7)));
        Assert.Equal(new ReplicaId(10), host.Group.Replica);
    }

    // The old one's way out and the new one's way in cross: PERSIST keeps their order, and what is deleted is the old one's.
    [Fact]
    public void A_new_replica_may_come_while_the_old_one_is_being_deleted()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        host.Arrive(Some.Message(MessageKind.Removed, 2, 1, 6));
        host.Step();
        host.Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, Some.Body((1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 6))));
        host.Step();
        host.Settle();
        Assert.Equal(["s1/r1 tombstone", "s1/r9 commit point 0"], host.Trace.Take().Where(what => what.Contains("tombstone", StringComparison.Ordinal) || what.Contains("commit point", StringComparison.Ordinal)));
        Assert.Equal(new ReplicaId(9), host.Group.Replica);
        Assert.Equal(new ReplicaId(9), host.Log.DurablePoint(First)!.Replica);
        Assert.DoesNotContain((First, 1UL), host.Machines.Directories);
    }

    // Nobody can say here what became of it.
    [Fact]
    public void What_a_removed_leader_was_asked_and_has_not_answered_has_no_outcome()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Propose("p");
        leader.Read("r");
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.Removed, 2, 1, 7));
        Assert.Equal(["p Appended 12", "r dropped"], leader.Trace.Take().Where(what => what.StartsWith("p ", StringComparison.Ordinal) || what.StartsWith("r ", StringComparison.Ordinal)));
        leader.Propose("later");
        leader.Settle();
        Assert.Contains("later NotLeader", leader.Trace.Take());
    }

    // AmIMember: a message for a newer replica is the first it hears of its removal.
    [Fact]
    public void A_replica_asks_whoever_takes_another_for_the_one_on_its_node_and_stays_until_it_is_told()
    {
        HostFixture host = new(Some.Recovered(1, 3));
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 8)));
        Assert.Equal(["send s1 r1>r2 AmIMember t5"], host.Trace.Take());
        Assert.Equal((new ReplicaId(1), new Term(5)), (host.Group.Replica, host.Group.Term)); // What is said to another says nothing to it.
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Removed, 2, 1, 8)));
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.Heartbeat, 2, 9, 8)));
        Assert.Equal(new ReplicaId(9), host.Group.Replica);
    }

    [Fact]
    public void Whoever_asks_for_the_one_before_is_told_by_the_one_that_lives_here_if_its_applied_configuration_proves_it()
    {
        RecoveredGroup recovered = Some.Recovered(1, 3);
        Configuration members = Configuration.OfVoters(Some.Member(9), Some.Member(2), Some.Member(3));
        HostFixture host = new(recovered with { CommitPoint = recovered.CommitPoint with { Replica = new ReplicaId(9), Configuration = members } });
        host.ReceiveFrom(4, (1UL, Some.Message(MessageKind.AmIMember, 4, 4, 5)));
        Assert.Equal(["send s1 r9>r4 Removed t5"], host.Trace.Take());
        host.ReceiveFrom(2, (1UL, Some.Message(MessageKind.AmIMember, 2, 1, 5)));
        host.ReceiveFrom(4, (1UL, Some.Message(MessageKind.AmIMember, 6 << 16, 6 << 16, 5)));
        host.ReceiveFrom(4, (1UL, Some.Message(MessageKind.Heartbeat, 4, 4, 5)));
        Assert.Empty(host.Trace.Take()); // A member; one that may be added yet; and one that asks nothing.
    }

    // Its members may have been replaced one and all: whoever holds a newer replica of the group knows.
    [Fact]
    public void A_replica_without_a_leader_for_long_asks_every_node_of_the_cluster_under_its_own_id()
    {
        HostFixture orphan = new(Some.Recovered(1, 3));
        orphan.Links.Nodes = [Some.Node(2), Some.Node(3), Some.Node(7)];
        for (int timeouts = 1; timeouts <= 4; timeouts++)
        {
            orphan.Links.Take();
            orphan.After(1_000_001);
            orphan.Settle();
        }

        var asked = orphan.Links.Take().SelectMany(frame => frame.Raft().Select(sent => (frame.To, sent.Message))).Where(sent => sent.Message.Kind == MessageKind.AmIMember);
        Assert.Equal([Some.Node(2), Some.Node(3), Some.Node(7)], asked.Select(sent => sent.To).Order());
        Assert.All(asked, sent => Assert.Equal((orphan.Group.Replica, orphan.Group.Replica), (sent.Message.From, sent.Message.To)));
    }

    [Fact]
    public void A_removed_replicas_node_forgets_it_but_for_its_tombstone()
    {
        HostFixture host = new(Some.Recovered(1, 3), Some.Recovered(2, 3));
        host.Receive(Some.Message(MessageKind.Removed, 2, 1, 6));
        host.Pass(3_000_000);
        Assert.DoesNotContain(host.Links.Take().SelectMany(frame => frame.Kind == FrameKind.RaftMessages ? frame.Raft() : []), sent => sent.Group == First);
        Assert.Equal([new GroupId(2)], host.Worker.Groups.Select(group => group.Group));
        Assert.Equal((0, 0), host.Worker.PendingOf(First));
        Assert.Null(host.Worker.LeaderNodeOf(First));
    }
}
