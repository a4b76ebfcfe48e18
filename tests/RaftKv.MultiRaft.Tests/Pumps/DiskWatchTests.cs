using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>
/// Design §6, own disk stalled: one write of the log that is unfinished after 600 ms at two ticks in a row makes a node give up what it leads, and ends
/// the process after 20 s. (bugs.md D2)
/// </summary>
public sealed class DiskWatchTests
{
    private static readonly HostOptions Options = HostFixture.Options;
    private readonly DiskWatch _disk = new(Options);

    [Fact]
    public void A_write_that_is_late_at_two_ticks_in_a_row_is_a_stalled_disk()
    {
        Assert.False(_disk.Tick(599_999 + 1, writingSince: 1));
        Assert.False(_disk.Tick(600_001, writingSince: 1));
        Assert.False(_disk.IsStalled);
        Assert.True(_disk.Tick(650_001, writingSince: 1));
        Assert.True(_disk.IsStalled);
        Assert.False(_disk.Tick(700_001, writingSince: 1)); // Told once.
        Assert.True(_disk.IsStalled);
        Assert.True(_disk.Tick(750_001, writingSince: 0));
        Assert.False(_disk.IsStalled);
    }

    // "A paused process is no slow disk": at its first tick everything is late, at the second the write is done.
    [Fact]
    public void A_process_that_was_paused_has_no_slow_disk()
    {
        Assert.False(_disk.Tick(10_000_000, writingSince: 1));
        Assert.False(_disk.Tick(10_050_000, writingSince: 0));
        Assert.False(_disk.Tick(15_000_000, writingSince: 10_050_001));
        Assert.False(_disk.IsStalled);
    }

    // Even one that was paused for longer than a stalled disk is waited for.
    [Fact]
    public void A_process_that_was_paused_for_long_does_not_end_at_its_first_tick() => Assert.False(_disk.Tick(60_000_000, writingSince: 1));

    [Fact]
    public void Many_writes_one_after_the_other_are_no_stalled_disk()
    {
        for (long now = 50_000; now < 10_000_000; now += 50_000) Assert.False(_disk.Tick(now, writingSince: now - 599_999));
    }

    [Fact]
    public void After_20_seconds_the_process_ends()
    {
        Assert.False(_disk.Tick(600_001, writingSince: 1));
        Assert.True(_disk.Tick(19_999_999, writingSince: 1));
        DiskFailedException failure = Assert.Throws<DiskFailedException>(() => _disk.Tick(20_000_001, writingSince: 1));
        Assert.Contains("20 s", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_leader_on_a_stalled_disk_hands_over_what_it_leads_and_says_so_to_the_other_nodes()
    {
        HostFixture leader = HostFixture.Leading();
        Stall(leader);
        Assert.Equal(Role.Follower, leader.Group.Role);
        Assert.Contains("send s1 r1>r2 TimeoutNow t6", leader.Trace.Take());
        Assert.Equal((1, 1), (Flags(leader, 2), Flags(leader, 3)));
    }

    [Fact]
    public void A_sleeping_group_is_woken_and_handed_over_too()
    {
        HostFixture leader = new(Options with { HibernateAfterMicros = 0 }, Some.Recovered(1, 3), Some.Recovered(2, 3));
        leader.Lead();
        leader.FallAsleep();
        byte[] entryOfAnotherGroup = Some.Body((2UL, Some.Message(MessageKind.Append, 2, 1, 9, 10, 5, 10, Some.Entry(11, 9))));
        leader.Worker.OnFrame(Some.Node(2), FrameKind.RaftMessages, entryOfAnotherGroup);
        leader.Trace.Take();
        Stall(leader, proposes: false);
        Assert.Equal((Role.Follower, false), (leader.Group.Role, leader.Group.IsAsleep));
        Assert.Contains("send s1 r1>r2 TimeoutNow t6", leader.Trace.Take());
    }

    [Fact]
    public void A_voter_on_a_stalled_disk_does_not_campaign_until_it_works_again()
    {
        HostFixture follower = new(Some.Recovered(1, 3));
        follower.Arrive(Some.Message(MessageKind.Append, 2, 1, 6, 10, 5, 10, Some.Entry(11, 6)));
        Stall(follower, proposes: false);
        follower.Trace.Take();
        for (int i = 0; i < 100; i++)
        {
            follower.After(Options.TickMicros);
            follower.Step();
        }

        Assert.Equal((Role.Follower, new Term(6)), (follower.Group.Role, follower.Group.Term));
        Assert.DoesNotContain(follower.Trace.Take(), what => what.Contains("PreVote", StringComparison.Ordinal));
        follower.Persist();
        follower.Pass(1_100_000);
        Assert.Equal(Role.PreCandidate, follower.Group.Role);
        Assert.Equal(0, Flags(follower, 2));
    }

    [Fact]
    public void A_log_write_that_hangs_for_20_seconds_ends_the_process()
    {
        HostFixture leader = HostFixture.Leading();
        Stall(leader);
        leader.After(Options.DiskStallExitMicros);
        Assert.Throws<DiskFailedException>(() => leader.Step());
    }

    // "Waiting in the queue does not count", nor does a log that has nothing to write.
    [Fact]
    public void What_waits_to_be_written_is_not_late()
    {
        HostFixture leader = HostFixture.Leading();
        leader.Propose("p");
        leader.Step();
        for (int i = 0; i < 8; i++)
        {
            leader.After(Options.TickMicros * 2);
            leader.Arrive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6));
            leader.Step();
        }

        Assert.False(leader.Worker.IsDiskStalled);
        Assert.Equal(Role.Leader, leader.Group.Role);
    }

    /// <summary>One write is begun and does not end: two ticks after the timeout the node has noticed.</summary>
    private static void Stall(HostFixture host, bool proposes = true)
    {
        if (proposes) host.Propose("p");
        host.Step();
        host.Host.LogWriter.Begin(host.Now);
        host.After(Options.DiskStallMicros - Options.TickMicros);
        // Whoever leads has its quorum, and whoever follows hears its leader: nothing but the disk is the matter.
        if (host.Group is { Role: Role.Leader, IsAsleep: false }) host.Arrive(Some.Message(MessageKind.HeartbeatResponse, 2, 1, 6));
        for (int i = 0; i < 3; i++)
        {
            if (host.Group.Role == Role.Follower && host.Group.Leader == new ReplicaId(2)) host.Arrive(Some.Message(MessageKind.Heartbeat, 2, 1, 6));
            host.Step();
            host.After(Options.TickMicros);
        }

        Assert.True(host.Worker.IsDiskStalled);
    }

    /// <summary>What the node said last of itself: 1 is a stalled disk.</summary>
    private static int Flags(HostFixture host, int node) => host.Links.LastHeartbeat[Some.Node(node)][8];
}
