using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Pumps;

/// <summary>Design §6 "truncation after snapshot with a catch-up allowance", §7 "never truncated past the flushed applied index". bugs.md S3, S4.</summary>
public sealed class LogCompactionTests
{
    private const long Second = 1_000_000;
    private static readonly GroupId S1 = new(1);
    private static readonly HostOptions Limits = HostFixture.Options with { SnapshotEntries = 20, SnapshotBytes = 10_000, CatchUpEntries = 5 };

    [Fact]
    public void Within_the_limits_nobody_is_asked()
    {
        RaftGroup group = WithApplied(20);
        LogCompaction compaction = new();
        compaction.OnAppended(10_000);
        Assert.False(compaction.TryAsk(0, group, Limits, isPinning: false, out bool beginFlush));
        Assert.False(beginFlush);
    }

    [Fact]
    public void One_entry_beyond_the_limit_has_the_store_flushed_and_the_log_cut_but_for_the_allowance()
    {
        RaftGroup group = WithApplied(21);
        LogCompaction compaction = new();
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: false, out bool beginFlush));
        Assert.True(beginFlush);
        compaction.OnFlushed(group, group.Applied);
        Assert.Equal(31UL - 5, group.SnapshotIndex.Value);
    }

    [Fact]
    public void One_byte_beyond_the_limit_does_so_too()
    {
        RaftGroup group = WithApplied(8);
        LogCompaction compaction = new();
        compaction.OnAppended(10_001);
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: false, out _));
        compaction.OnFlushed(group, group.Applied);
        Assert.Equal(18UL - 4, group.SnapshotIndex.Value); // Half of what there is, for the allowance is more.
    }

    // S3, S4: what is not flushed would be lost in a crash.
    [Theory]
    [InlineData(10, 10)]
    [InlineData(11, 11)]
    [InlineData(25, 25)]
    [InlineData(26, 26)]
    [InlineData(27, 26)]
    [InlineData(31, 26)]
    public void The_log_is_never_cut_past_what_is_flushed(ulong flushed, ulong cut)
    {
        RaftGroup group = WithApplied(21);
        LogCompaction compaction = new();
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: false, out _));
        compaction.OnFlushed(group, new LogIndex(flushed));
        Assert.Equal(cut, group.SnapshotIndex.Value);
    }

    [Fact]
    public void Whoever_keeps_the_nodes_log_from_shrinking_is_cut_to_the_end_whatever_the_limits_say()
    {
        RaftGroup group = WithApplied(1);
        LogCompaction compaction = new();
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: true, out bool beginFlush));
        Assert.True(beginFlush);
        compaction.OnFlushed(group, group.Applied);
        Assert.Equal(11UL, group.SnapshotIndex.Value);
        Assert.False(compaction.TryAsk(10 * Second, group, Limits, isPinning: true, out _)); // There is nothing left to cut.
    }

    [Fact]
    public void It_does_not_ask_again_before_it_is_answered()
    {
        RaftGroup group = WithApplied(21);
        LogCompaction compaction = new();
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: false, out _));
        Assert.False(compaction.TryAsk(10 * Second, group, Limits, isPinning: true, out _));
        compaction.OnFlushed(group, LogIndex.Zero);
        Assert.True(compaction.TryAsk(10 * Second, group, Limits, isPinning: false, out _));
    }

    // Each flush is a file: many small ones would have to be merged again.
    [Fact]
    public void It_has_the_store_flushed_once_a_second_at_most_but_asks_on()
    {
        RaftGroup group = WithApplied(21);
        LogCompaction compaction = new();
        List<long> flushedAt = [];
        for (long now = 5 * Second; now < 8 * Second; now += 50_000)
        {
            Assert.True(compaction.TryAsk(now, group, Limits, isPinning: false, out bool beginFlush));
            if (beginFlush) flushedAt.Add(now);
            compaction.OnFlushed(group, LogIndex.Zero);
        }

        Assert.Equal([5 * Second, 6 * Second, 7 * Second], flushedAt);
    }

    [Fact]
    public void A_cut_takes_its_share_of_the_bytes_and_a_snapshot_all_of_them()
    {
        RaftGroup group = WithApplied(10);
        LogCompaction compaction = new();
        compaction.OnAppended(20_001);
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: false, out _));
        compaction.OnFlushed(group, group.Applied);
        Assert.Equal(15UL, group.SnapshotIndex.Value); // Half of the entries, and so of the bytes, rounded down.
        Assert.False(compaction.TryAsk(Second, group, Limits, isPinning: false, out _));
        compaction.OnAppended(1);
        Assert.True(compaction.TryAsk(Second, group, Limits, isPinning: false, out _));
        compaction.OnFlushed(group, LogIndex.Zero);
        compaction.OnInstalled();
        Assert.False(compaction.TryAsk(2 * Second, group, Limits, isPinning: false, out _));
    }

    // What was asked for is answered when a snapshot is being installed, or has been.
    [Fact]
    public void An_answer_that_a_snapshot_has_overtaken_cuts_nothing()
    {
        RaftGroup group = Some.Group(1, 3);
        LogCompaction compaction = new();
        group.Step(0, Some.Message(MessageKind.Append, 2, 1, 5, 10, 5, 12, [.. Enumerable.Range(11, 4).Select(index => Some.Entry((ulong)index))]));
        Drive(group);
        Assert.True(compaction.TryAsk(0, group, Limits, isPinning: true, out _));
        Assert.Equal(InstallStatus.Accepted, group.TryInstall(0, new SnapshotHead(new Term(5), new LogIndex(13), new Term(5), Some.Voters(3))));
        compaction.OnFlushed(group, new LogIndex(12));
        Assert.Equal(13UL, group.SnapshotIndex.Value);
        Assert.False(compaction.TryAsk(Second, group, Limits, isPinning: true, out _)); // Until the store is there.
    }

    [Fact]
    public void The_host_asks_with_its_tick_and_cuts_in_one_commit_point()
    {
        HostFixture host = Filled(out FakeMachine machine);
        Assert.Equal(0, machine.FlushesBegun);
        Tick(host);
        Assert.Equal(1, machine.FlushesBegun);
        Assert.DoesNotContain(host.Trace.Take(), what => what.Contains("commit point", StringComparison.Ordinal));
        machine.Flush();
        Tick(host);
        Assert.Equal(["s1/r1 commit point 27, keeps what is behind", "s1/r1 hard state t6 vote r1 commit 32", "commit"], host.Trace.Take());
        Assert.Equal((1UL, 27UL), (host.Log.DurablePoint(S1)!.Generation, host.Group.SnapshotIndex.Value));
        Assert.Equal(1, machine.FlushesBegun);
    }

    // Design §7: past half its budget, the shard that pins the oldest segment; nobody else, and not before.
    [Theory]
    [InlineData(500, 1, false)]
    [InlineData(501, 2, false)]
    [InlineData(501, 1, true)]
    public void The_host_lets_whoever_pins_the_oldest_segment_give_way_past_half_the_budget(long bytes, ulong pinning, bool isCut)
    {
        HostFixture host = HostFixture.Leading(1, HostFixture.Options);
        FakeMachine machine = host.Machines.Opened[S1];
        machine.Flush();
        host.Log.Usage = new LogUsage(bytes, 1000);
        host.Log.PinningOldest = [new GroupId(pinning)];
        Tick(host);
        Assert.Equal(isCut ? 11UL : 10UL, host.Group.SnapshotIndex.Value);
    }

    /// <summary>A leader, alone, with 22 entries applied and nothing flushed.</summary>
    private static HostFixture Filled(out FakeMachine machine)
    {
        HostFixture host = HostFixture.Leading(1, Limits);
        for (int i = 0; i < 21; i++) host.Propose("p");
        host.Settle();
        Assert.Equal(32UL, host.Group.Applied.Value);
        host.Trace.Take();
        machine = host.Machines.Opened[S1];
        return host;
    }

    private static void Tick(HostFixture host)
    {
        host.After(HostFixture.Options.TickMicros);
        host.Settle();
    }

    /// <summary>A group of a host without limits whose log holds so many applied entries.</summary>
    private static RaftGroup WithApplied(int entries)
    {
        HostFixture host = HostFixture.Leading(1, HostFixture.Options);
        for (int i = 1; i < entries; i++) host.Propose("p");
        host.Settle();
        Assert.Equal(10 + (ulong)entries, host.Group.Applied.Value);
        return host.Group;
    }

    /// <summary>The host's part: everything is durable and applied.</summary>
    private static void Drive(RaftGroup group)
    {
        Ready ready = new();
        for (group.TakeReady(ready); !ready.IsEmpty; group.TakeReady(ready))
        {
            if (ready.MustPersist) group.OnPersisted(0, ready.Number);
            if (ready.ApplyLast > LogIndex.Zero) group.OnApplied(ready.ApplyLast);
        }
    }
}
