using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;

namespace RaftKv.RaftLog.Tests;

/// <summary>What was committed reads back, from memory's index and after a restart, on the fake disk and on a real one.</summary>
public sealed class RoundTripTests
{
    [Fact]
    public void A_new_log_is_empty()
    {
        MemoryDisk disk = new();
        using (LogText.Open(disk, out RecoveredLog recovered))
        {
            Assert.Null(recovered.Identity);
            Assert.Empty(recovered.Groups);
        }

        Assert.Equal("", LogText.Recover(disk));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public void A_log_of_many_groups_recovers_on_a_real_disk_as_on_the_fake_one(int groups)
    {
        using TemporaryDirectory directory = new();
        MemoryDisk fake = new();
        foreach (IDisk disk in (IDisk[])[fake, PosixDisk.OpenDirectory(directory.Path)])
        {
            using SegmentedRaftLog log = LogText.Open(disk, out _);
            new LogScript(seed: 8, batches: 80, groups).Run(log, log.Commit);
        }

        string text = LogText.Recover(fake);
        Assert.Equal(text, LogText.Recover(PosixDisk.OpenDirectory(directory.Path)));
        Assert.Equal(fake.List(), PosixDisk.OpenDirectory(directory.Path).List());
        foreach (string name in fake.List()) Assert.Equal(fake.BytesOf(name), File.ReadAllBytes(Path.Combine(directory.Path, name)));
        Assert.Equal(groups, text.Split("\ns").Length - 1);
    }

    [Fact]
    public void A_batch_larger_than_a_segment_has_one_of_its_own()
    {
        MemoryDisk disk = new();
        byte[] value = new byte[2 * LogScript.SegmentBytes];
        value.AsSpan().Fill(7);
        using (SegmentedRaftLog log = LogText.Open(disk, out _))
        {
            new LogScript(seed: 1, batches: 2, groups: 1).Run(log, log.Commit);
            log.AddCommitPoint(new GroupId(5), LogScript.PointAt(10, 5), keepsLogBehind: false);
            log.AddEntries(new GroupId(5), new ReplicaId(1), [new Entry(new LogIndex(11), new Term(5), EntryKind.Command, 0, 0, 0, value)]);
            log.Commit();
            log.AddEntries(new GroupId(5), new ReplicaId(1), [new Entry(new LogIndex(12), new Term(5), EntryKind.Command, 0, 0, 0, default)]);
            log.Commit();
        }

        using SegmentedRaftLog again = LogText.Open(disk, out _);
        Entry[] entries = again.Read(new GroupId(5), new LogIndex(11), new LogIndex(12), int.MaxValue);
        Assert.Equal(value, entries[0].Payload.ToArray());
        Assert.Equal(2, entries.Length);
    }

    [Fact]
    public void A_read_returns_at_least_one_entry_and_then_only_what_fits()
    {
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        log.AddCommitPoint(new GroupId(1), LogScript.PointAt(10, 5), keepsLogBehind: false);
        Entry[] entries = [.. Enumerable.Range(11, 5).Select(i => new Entry(new LogIndex((ulong)i), new Term(5), EntryKind.Command, 0, 0, 0, new byte[1000]))];
        log.AddEntries(new GroupId(1), new ReplicaId(1), entries);
        Assert.Empty(log.Read(new GroupId(1), new LogIndex(11), new LogIndex(15), 1)); // not committed yet
        log.Commit();
        Assert.Single(log.Read(new GroupId(1), new LogIndex(11), new LogIndex(15), 1));
        Assert.Equal(2, log.Read(new GroupId(1), new LogIndex(12), new LogIndex(15), 2_500).Length);
        Assert.Equal(4, log.Read(new GroupId(1), new LogIndex(12), new LogIndex(15), 100_000).Length);
        Assert.Empty(log.Read(new GroupId(1), new LogIndex(16), new LogIndex(20), 100_000));
        Assert.Empty(log.Read(new GroupId(2), new LogIndex(11), new LogIndex(15), 100_000));
    }

    /// <summary>Memory's index and recovery's must be one: both place records in the order they stand in the batch (design §7).</summary>
    [Theory]
    [InlineData(12, 5)] // Held: the entries behind it stay.
    [InlineData(12, 6)] // Another term: all that was there is dropped.
    [InlineData(40, 7)] // Beyond the end.
    public void A_commit_point_and_entries_of_one_batch_leave_the_index_that_recovery_finds(ulong index, ulong term)
    {
        foreach (bool entriesFirst in new[] { false, true })
        {
            MemoryDisk disk = new();
            using SegmentedRaftLog log = LogText.Open(disk, out _);
            GroupId group = new(1);
            log.AddCommitPoint(group, LogScript.PointAt(10, 5), keepsLogBehind: false);
            log.AddHardState(group, new ReplicaId(1), new HardState(new Term(5), ReplicaId.None, new LogIndex(10)));
            log.AddEntries(group, new ReplicaId(1), EntriesFrom(11, 3, 5));
            log.Commit();
            if (entriesFirst) log.AddEntries(group, new ReplicaId(1), EntriesFrom(14, 2, 5));
            bool isHeld = (index, term) == (12, 5);
            log.AddCommitPoint(group, LogScript.PointAt(index, term), keepsLogBehind: isHeld);
            log.AddEntries(group, new ReplicaId(1), EntriesFrom(isHeld ? (entriesFirst ? 16UL : 14UL) : index + 1, 2, 8));
            log.Commit();
            AssertSameAsRecovered(log, disk, group, first: index + 1, last: isHeld ? (entriesFirst ? 17UL : 15UL) : index + 2);
        }
    }

    [Fact]
    public void A_commit_point_at_the_same_index_and_term_drops_nothing()
    {
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        GroupId group = new(1);
        log.AddCommitPoint(group, LogScript.PointAt(10, 5), keepsLogBehind: false);
        log.AddEntries(group, new ReplicaId(1), EntriesFrom(11, 3, 5));
        log.Commit();
        log.AddCommitPoint(group, LogScript.PointAt(10, 5) with { EpochVersion = 2 }, keepsLogBehind: true);
        log.Commit();
        AssertSameAsRecovered(log, disk, group, first: 11, last: 13);
        log.AddEntries(group, new ReplicaId(1), EntriesFrom(14, 1, 5));
        log.AddCommitPoint(group, LogScript.PointAt(10, 5) with { EpochVersion = 3 }, keepsLogBehind: true);
        log.AddEntries(group, new ReplicaId(1), EntriesFrom(15, 1, 5));
        log.Commit();
        AssertSameAsRecovered(log, disk, group, first: 11, last: 15);
        LogText.Open(disk.AfterKill(), out RecoveredLog recovered).Dispose();
        Assert.Equal(3UL, recovered.Groups[0].CommitPoint.EpochVersion);
    }

    /// <summary>At the same index, another term: what follows the old one does not follow the new one.</summary>
    [Fact]
    public void A_commit_point_at_the_same_index_and_another_term_drops_what_was_behind_it()
    {
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        GroupId group = new(1);
        log.AddCommitPoint(group, LogScript.PointAt(10, 5), keepsLogBehind: false);
        log.AddEntries(group, new ReplicaId(1), EntriesFrom(11, 3, 5));
        log.AddCommitPoint(group, LogScript.PointAt(10, 6), keepsLogBehind: false);
        log.Commit();
        AssertSameAsRecovered(log, disk, group, first: 11, last: 10);
    }

    /// <summary>Who says that the log goes on behind a point has checked that it leads there; if not, the state is impossible.</summary>
    [Theory]
    [InlineData(12, 6)] // Another term.
    [InlineData(14, 5)] // Beyond the end.
    [InlineData(9, 5)] // Before the beginning.
    public void A_commit_point_that_keeps_the_log_behind_it_must_be_in_the_log(ulong index, ulong term)
    {
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        GroupId group = new(1);
        log.AddCommitPoint(group, LogScript.PointAt(10, 5), keepsLogBehind: false);
        log.AddEntries(group, new ReplicaId(1), EntriesFrom(11, 3, 5));
        InvariantViolatedException violated = Assert.Throws<InvariantViolatedException>(() => log.AddCommitPoint(group, LogScript.PointAt(index, term), keepsLogBehind: true));
        Assert.Contains($"{index}/t{term} keeps", violated.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// After a failed sync the batch reads back but is not durable, and no later sync will say so. Once a restart has returned it, it must
    /// stay: a vote in it may have been answered by then (design §7).
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_a_restart_returns_after_a_failed_sync_survives_a_power_cut(ulong seed)
    {
        MemoryDisk disk = new();
        MemoryDisk killed;
        using (SegmentedRaftLog log = LogText.Open(disk, out _))
        {
            new LogScript(seed, batches: 12).Run(log, log.Commit);
            log.AddHardState(new GroupId(1), new ReplicaId(1), new HardState(new Term(99), new ReplicaId(1), new LogIndex(10)));
            disk.SyncsFail = true;
            Assert.Throws<DiskFailedException>(log.Commit);
            killed = disk.AfterKill();
        }

        SplitMix random = new(seed);
        Assert.Contains("t99", LogText.Recover(killed.AfterKill()), StringComparison.Ordinal); // It reads back …
        for (int i = 0; i < 10; i++) Assert.DoesNotContain("t99", LogText.Recover(killed.AfterPowerCut(random)), StringComparison.Ordinal); // … and is not there.
        string recovered = LogText.Recover(killed);
        for (int i = 0; i < 50; i++) Assert.Equal(recovered, LogText.Recover(killed.AfterPowerCut(random)));
    }

    /// <summary>Writing it again can fail too: then the log does not open, and the next start tries once more.</summary>
    [Fact]
    public void A_sync_that_fails_at_recovery_fails_the_start()
    {
        MemoryDisk disk = new();
        using (SegmentedRaftLog log = LogText.Open(disk, out _)) new LogScript(seed: 4, batches: 5).Run(log, log.Commit);
        string text = LogText.Recover(disk.AfterKill());
        disk.SyncsFail = true;
        Assert.Throws<DiskFailedException>(() => LogText.Recover(disk));
        disk.SyncsFail = false;
        Assert.Equal(text, LogText.Recover(disk));
        SplitMix random = new(4);
        for (int i = 0; i < 50; i++) Assert.Equal(text, LogText.Recover(disk.AfterPowerCut(random)));
    }

    private static Entry[] EntriesFrom(ulong first, int count, ulong term) =>
        [.. Enumerable.Range(0, count).Select(i => new Entry(new LogIndex(first + (ulong)i), new Term(term), EntryKind.Command, 0, 0, 0, new byte[] { (byte)i, (byte)term }))];

    /// <summary>The running log and one recovered from its disk hold the same entries, and these.</summary>
    private static void AssertSameAsRecovered(SegmentedRaftLog log, MemoryDisk disk, GroupId group, ulong first, ulong last)
    {
        using SegmentedRaftLog recovered = LogText.Open(disk.AfterKill(), out RecoveredLog found);
        Assert.Equal(last, found.Groups.Single(item => item.Group == group).LastIndex.Value);
        string[] running = [.. log.Read(group, new LogIndex(first), new LogIndex(99), int.MaxValue).Select(entry => LogText.Describe(entry))];
        Assert.Equal(running, recovered.Read(group, new LogIndex(first), new LogIndex(99), int.MaxValue).Select(entry => LogText.Describe(entry)));
        Assert.Equal((int)(last + 1 - first), running.Length);
        Assert.Empty(log.Read(group, new LogIndex(first - 1), new LogIndex(first - 1), int.MaxValue));
    }

    /// <summary>A killed process leaves pages that read back but are not durable; they count only once they are (design §7).</summary>
    [Fact]
    public void What_recovery_returns_is_durable()
    {
        MemoryDisk disk = new();
        MemoryDisk killed = disk;
        using (SegmentedRaftLog log = LogText.Open(disk, out _))
        {
            new LogScript(seed: 2, batches: 5).Run(log, log.Commit);
            log.AddHardState(new GroupId(1), new ReplicaId(1), new HardState(new Term(99), new ReplicaId(1), new LogIndex(10)));
            bool isWritten = false;
            disk.OnOperation = () =>
            {
                if (isWritten) return;
                isWritten = true;
                killed = disk.AfterKill(); // Keeps unsynced bytes, as the page cache does.
            };
            log.Commit();
        }

        string recovered = LogText.Recover(killed);
        SplitMix random = new(3);
        for (int i = 0; i < 50; i++) Assert.Equal(recovered, LogText.Recover(killed.AfterPowerCut(random)));
    }
}
