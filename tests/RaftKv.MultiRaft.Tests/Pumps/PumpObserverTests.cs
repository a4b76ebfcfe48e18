using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>What the pumps say of their work to whoever listens.</summary>
public sealed class PumpObserverTests
{
    private readonly Told _told = new();

    [Fact]
    public void A_batch_of_the_leader_is_timed_from_stage_to_stage()
    {
        HostFixture leader = Leading();
        leader.Propose("p");
        leader.Propose("q");
        leader.Step();
        leader.After(300);
        leader.Persist();
        leader.Step();
        leader.After(50);
        leader.Arrive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 13));
        leader.Step();
        long handedOnAt = leader.Now;
        leader.After(20);
        leader.Apply();
        Assert.Equal(["persisted after 300", "committed after 50", $"applied from {handedOnAt}"], _told.Take());
    }

    [Fact]
    public void What_a_majority_of_others_committed_first_is_committed_as_soon_as_it_is_durable_here()
    {
        HostFixture leader = Leading();
        leader.Receive(Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 11));
        leader.Propose("p");
        leader.Step();
        leader.Arrive(Some.Message(MessageKind.AppendResponse, 2, 1, 6, index: 12), Some.Message(MessageKind.AppendResponse, 3, 1, 6, index: 12));
        leader.Step();
        leader.After(300);
        leader.Persist();
        leader.Step();
        Assert.Equal(["persisted after 300", "committed after 0"], _told.Take());
    }

    [Fact]
    public void What_a_deposed_leader_had_under_way_is_not_timed()
    {
        HostFixture deposed = Leading();
        deposed.Propose("p");
        deposed.Step();
        deposed.Receive(Some.Message(MessageKind.Append, 2, 1, 7, 12, 6, 12, Some.Entry(13, 7)));
        Assert.Equal(["Leader > Follower HigherTerm in t7", "leader r2 in t7"], _told.Take());
        Assert.Equal(12UL, deposed.Group.Applied.Value);
    }

    [Fact]
    public void Role_changes_are_told_once_and_in_order_and_groups_are_counted_by_role()
    {
        HostFixture leader = new(HostFixture.Options with { Observer = _told }, Some.Recovered(1, 3), Some.Recovered(2, 3));
        leader.After(1_000_001);
        leader.Settle();
        leader.Receive(Some.Message(MessageKind.PreVoteResponse, 2, 1, 6));
        leader.Receive(Some.Message(MessageKind.VoteResponse, 2, 1, 6));
        leader.After(50_001);
        leader.Settle();
        Assert.Equal(
            ["Follower > PreCandidate ElectionTimeout in t5", "PreCandidate > Candidate PreVoteWon in t6", "Candidate > Leader ElectionWon in t6", "leader r1 in t6"],
            _told.Take().Where(what => !what.EndsWith("in t5 of s2", StringComparison.Ordinal) && !what.StartsWith("persisted", StringComparison.Ordinal)));
        Assert.Equal(new GroupCounts { AwakeLeaders = 1, Candidates = 1 }, _told.Counts);
    }

    [Fact]
    public void Pending_proposals_and_reads_are_counted()
    {
        HostFixture leader = Leading();
        leader.Propose("p");
        leader.Read("r");
        leader.Step();
        Assert.Equal((1, 1), leader.Worker.PendingOf(new GroupId(1)));
        Assert.Equal((0, 0), leader.Worker.PendingOf(new GroupId(9)));
        Assert.Equal(1, leader.Host.LogWriter.QueueDepth.Items);
        Assert.True(leader.Host.LogWriter.QueueDepth.Bytes >= 3);
    }

    [Fact]
    public void A_disk_that_stands_still_is_told_and_so_is_its_end()
    {
        HostFixture leader = Leading();
        leader.Propose("p");
        leader.Step();
        leader.Host.LogWriter.Begin(leader.Now);
        leader.After(HostFixture.Options.DiskStallMicros);
        leader.Step();
        Assert.False(leader.Worker.IsDiskStalled);
        leader.After(HostFixture.Options.TickMicros);
        leader.Step();
        Assert.True(leader.Worker.IsDiskStalled);
        Assert.Contains("stalled True", _told.Take());
        leader.Settle();
        leader.After(HostFixture.Options.TickMicros);
        leader.Settle();
        Assert.False(leader.Worker.IsDiskStalled);
        Assert.Contains("stalled False", _told.Take());
    }

    [Fact]
    public void A_snapshot_that_waits_for_room_is_told_of_once_each_time_that_it_begins_to_wait()
    {
        TestNetwork network = new(TestNetwork.Options with { Observer = _told }) { Loses = static _ => true };
        HostUnderTest two = network.Two;
        SnapshotOffer offer = new HandedSnapshot(20, 6, 6).Offer;
        Assert.Equal(56, offer.Bytes);
        void Offer(ulong number)
        {
            two.Arrive(1, (offer with { Id = offer.Id with { Number = number } }).ToFrame());
            two.Snapshots();
        }

        two.Machines.RoomBytes = 55;
        Offer(1);
        Offer(1);
        Offer(2);
        two.Machines.RoomBytes = 56;
        Offer(2);
        network.After(1_000_000);
        two.Machines.RoomBytes = -3;
        Offer(3);
        Assert.Equal([$"{offer.Id.Group}: 56 bytes wait for room, there is 55", $"{offer.Id.Group}: 56 bytes wait for room, there is -3"], _told.Take());
    }

    private HostFixture Leading()
    {
        HostFixture leader = HostFixture.Leading(options: HostFixture.Options with { Observer = _told });
        _told.Take();
        return leader;
    }

    private sealed class Told : IPumpObserver
    {
        private readonly List<string> _told = [];

        public GroupCounts Counts { get; private set; }

        public string[] Take()
        {
            string[] told = [.. _told];
            _told.Clear();
            return told;
        }

        public void OnPersisted(long micros) => _told.Add($"persisted after {micros}");

        public void OnCommitted(long micros) => _told.Add($"committed after {micros}");

        public void OnApplied(long handedOnAt) => _told.Add($"applied from {handedOnAt}");

        public void OnRoleChanged(RaftGroup group, in RoleChange change) =>
            _told.Add($"{change.From} > {change.To} {change.Reason} in {change.Term}{(group.Group.Value == 1 ? "" : $" of {group.Group}")}");

        public void OnLeaderChanged(RaftGroup group) => _told.Add($"leader {group.Leader} in {group.Term}");

        public void OnSnapshotSent(RaftGroup group, ReplicaId follower, LogIndex index) => _told.Add($"{group.Group}: {follower} has a snapshot to {index}");

        public void OnSnapshotInstalled(GroupId group, LogIndex index, Term term) => _told.Add($"{group}: snapshot to {index}/{term} installed");

        public void OnSnapshotWaits(GroupId group, long bytes, long roomBytes) => _told.Add($"{group}: {bytes} bytes wait for room, there is {roomBytes}");

        public void OnReplicaStopped(RaftGroup group, string reason) => _told.Add($"stopped {group.Group}");

        public void OnDiskStalled(bool isStalled) => _told.Add($"stalled {isStalled}");

        public void OnTick(in GroupCounts groups) => Counts = groups;
    }
}
