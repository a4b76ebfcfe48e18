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
            log.AddCommitPoint(new GroupId(5), LogScript.PointAt(10, 5));
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
        log.AddCommitPoint(new GroupId(1), LogScript.PointAt(10, 5));
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
