using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>A damaged store stops its replica, and no other, and says so (design §3.5).</summary>
public sealed class StoppedReplicaTests
{
    private static readonly GroupId First = new(1);

    [Fact]
    public void A_leader_whose_store_is_damaged_leads_no_more_and_promises_nothing()
    {
        HostFixture host = Damaged();
        Assert.Null(host.Worker.Find(First));
        Assert.Equal(new StoppedReplica(First, new ReplicaId(1), "store s1: block 7"), Assert.Single(host.Worker.Stopped));
        host.Trace.Take();
        host.Propose("p");
        host.Read("r");
        host.Settle();
        Assert.Equal(["p NotLeader", "r not taken"], host.Trace.Take());
    }

    [Fact]
    public void Its_proposals_learn_nothing_and_its_reads_are_dropped()
    {
        HostFixture host = HostFixture.Leading();
        host.Read("unconfirmed");
        host.Propose("p");
        host.Settle();
        host.Machines.Opened[First].BeforeCommit = static () => throw new StoreDamagedException("block 7");
        host.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        string[] lines = host.Trace.Take();
        Assert.Contains("unconfirmed dropped", lines);
        Assert.DoesNotContain(lines, line => line.StartsWith("p applied", StringComparison.Ordinal) || line.StartsWith("p superseded", StringComparison.Ordinal));
    }

    [Fact]
    public void The_nodes_other_replicas_go_on()
    {
        HostFixture host = new(Some.Recovered(1, 1), Some.Recovered(2, 1));
        host.After(2_000_000);
        host.Settle();
        host.Machines.Opened[First].BeforeCommit = static () => throw new StoreDamagedException("block 7");
        host.Propose("p", group: 1);
        host.Propose("q", group: 2);
        host.Settle();
        Assert.Equal(First, Assert.Single(host.Worker.Stopped).Group);
        Assert.Contains(host.Trace.Take(), line => line.StartsWith("q applied", StringComparison.Ordinal));
    }

    [Fact]
    public void Messages_for_it_change_nothing_and_make_no_other_replica()
    {
        HostFixture host = Damaged();
        host.Links.Take();
        host.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 7), Some.Message(MessageKind.Vote, 3, 1, 8));
        Assert.Null(host.Worker.Find(First));
        Assert.Empty(host.Links.Take());
    }

    [Fact]
    public void When_another_replica_is_meant_to_live_here_it_asks_whether_it_was_removed_and_goes_when_told()
    {
        HostFixture host = Damaged();
        host.Links.Take();
        host.Receive(Some.Message(MessageKind.Append, 2, 9, 7));
        Assert.Contains("r1>r2 AmIMember", Assert.Single(host.Links.Take().Single().Messages()), StringComparison.Ordinal);
        host.Receive(Some.Message(MessageKind.Removed, 2, 1, 7));
        Assert.Empty(host.Worker.Stopped);
        Assert.True(host.Machines.Opened[First].IsDisposed);
        host.Receive(Some.Message(MessageKind.Append, 2, 9, 7));
        Assert.Equal(new ReplicaId(9), host.Group.Replica);
    }

    [Fact]
    public void A_store_that_cannot_be_opened_stops_its_replica_and_the_node_starts()
    {
        Trace trace = new();
        int opened = 0;
        FakeMachines machines = new(trace) { BeforeOpen = _ => { if (opened++ == 0) throw new StoreDamagedException("no manifest"); } };
        using MultiRaftHost host = MultiRaftHost.Start(HostFixture.Options, new RecoveredLog(null, [Some.Recovered(1, 3), Some.Recovered(2, 3)]), new MemoryLog(trace), machines, new FakeLinks(trace), 0);
        Assert.Equal((First, "no manifest"), (host.Worker.Stopped.Single().Group, host.Worker.Stopped.Single().Reason));
        Assert.NotNull(host.Worker.Find(new GroupId(2)));
    }

    [Fact]
    public void A_store_that_has_forgotten_what_it_had_flushed_is_damaged()
    {
        Trace trace = new();
        FakeMachines machines = new(trace);
        machines.Applied[First] = new LogIndex(9);
        using MultiRaftHost host = MultiRaftHost.Start(HostFixture.Options, new RecoveredLog(null, [Some.Recovered(1, 3, lastIndex: 12)]), new MemoryLog(trace), machines, new FakeLinks(trace), 0);
        Assert.Contains("has forgotten what it had flushed", host.Worker.Stopped.Single().Reason, StringComparison.Ordinal);
        Assert.True(machines.Opened.Values.Single().IsDisposed);
    }

    [Fact]
    public void A_write_that_failed_is_no_damage_and_ends_the_process()
    {
        HostFixture host = HostFixture.Leading();
        host.Machines.Opened[First].BeforeCommit = static () => throw new StoreFailedException("No space left on device");
        host.Propose("p");
        host.Settle();
        host.Arrive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        host.Step();
        Assert.Throws<StoreFailedException>(host.Apply);
    }

    [Fact]
    public void Others_hear_of_it_and_wake_what_sleeps_under_that_node()
    {
        HostFixture follower = new(HostFixture.Options with { HibernateAfterMicros = 0 }, Some.Recovered(1, 3));
        follower.Receive(Some.Message(MessageKind.Heartbeat, 2, 1, 6));
        Hear(follower, stopped: 0);
        follower.Receive(Some.Message(MessageKind.Hibernate, 2, 1, 6, index: 10));
        Assert.True(follower.Group.IsAsleep);
        Hear(follower, stopped: 0);
        Assert.True(follower.Group.IsAsleep);
        Hear(follower, stopped: 1);
        Assert.False(follower.Group.IsAsleep);
    }

    private static void Hear(HostFixture host, ulong stopped)
    {
        host.Worker.OnFrame(Some.Node(2), FrameKind.NodeHeartbeat, NodeWatch.Heartbeat(bootId: 7, isStalled: false, isLeaving: false, losses: 0, stopped)[PeerFrame.HeaderBytes..]);
        host.Settle();
    }

    /// <summary>Led group 1 until its store turned out to be damaged.</summary>
    private static HostFixture Damaged()
    {
        HostFixture host = HostFixture.Leading();
        host.Machines.Opened[First].BeforeCommit = static () => throw new StoreDamagedException("store s1: block 7");
        host.Propose("first");
        host.Settle();
        host.Receive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12));
        return host;
    }
}
