using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;

namespace RaftKv.RaftLog.Tests;

/// <summary>The oldest segment goes, oldest first, when little of it counts, and that little goes on to count (design §7).</summary>
public sealed class FreeingTests
{
    private static readonly GroupId s_busy = new(1);
    private static readonly GroupId s_idle = new(2);

    [Fact]
    public void What_counts_of_a_freed_segment_is_read_as_before_also_after_a_restart()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        string[] before = log.Texts(s_idle);
        for (int segment = 1; segment < 6; segment++)
        {
            log.TruncateUntilFreed((ulong)segment);
            Assert.Equal(before, log.Texts(s_idle));
            Assert.DoesNotContain(SegmentNames.Of((ulong)segment), disk.List());
            using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out RecoveredLog found);
            Assert.Equal(before, recovered.Texts(s_idle));
            Assert.Equal(LogScript.Identity.Name, found.Identity!.Name);
            Assert.Equal(SmallLog.IdleHardState, found.Groups.Single(group => group.Group == s_idle).HardState);
        }
    }

    [Fact]
    public void A_freed_segment_is_a_spare_and_occupies_nothing()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.TruncateUntilFreed(1);
        Assert.Contains(SegmentNames.SpareOf(1), disk.List());
        Assert.Equal(disk.List().Where(SegmentNames.IsSegment).Sum(name => disk.BytesOf(name).Length), log.Log.Usage.Bytes);
    }

    [Fact]
    public void A_range_that_was_truncated_reads_as_none_before_and_after_its_segment_is_freed()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.Append(3);
        Assert.Equal(3, log.Log.Read(s_busy, new LogIndex(11), new LogIndex(13), int.MaxValue).Length);
        log.Truncate();
        Assert.Empty(log.Log.Read(s_busy, new LogIndex(11), new LogIndex(13), int.MaxValue));
        log.TruncateUntilFreed(1);
        Assert.Empty(log.Log.Read(s_busy, new LogIndex(11), new LogIndex(13), int.MaxValue));
        using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out _);
        Assert.Empty(recovered.Log.Read(s_busy, new LogIndex(11), new LogIndex(13), int.MaxValue));
    }

    [Fact]
    public void A_segment_of_which_more_than_a_quarter_counts_stays_and_so_does_every_later_one()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        GroupId large = new(3);
        log.AddBirth(large);
        log.Log.AddEntries(large, new ReplicaId(1), [SmallLog.EntryOf(11, new byte[SmallLog.SegmentBytes / SegmentFreeing.LiveShare])]);
        log.Log.Commit();
        log.Truncate(segments: 3);
        Assert.Equal([SegmentNames.Of(1), SegmentNames.Of(2), SegmentNames.Of(3), SegmentNames.Of(4)], disk.List());
        Assert.Equal([s_idle, large], log.Log.PinningOldest);

        log.Log.AddCommitPoint(large, LogScript.PointAt(11, 5), keepsLogBehind: true);
        log.Log.Commit();
        List<ulong> firsts = [];
        while (log.Segments[0] != log.Segments[^1])
        {
            log.Truncate();
            firsts.Add(log.Segments[0]);
        }

        Assert.Equal(firsts.Order(), firsts);
        Assert.Contains(2UL, firsts);
        Assert.Contains(3UL, firsts);
    }

    /// <summary>A group that has lost its majority for good, or its store's disk, cannot truncate; the others go on writing for ever.</summary>
    [Fact]
    public void Above_the_budget_also_what_cannot_be_truncated_is_carried()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        GroupId large = new(3);
        log.AddBirth(large);
        for (ulong index = 11; index < 14; index++)
        {
            log.Log.AddEntries(large, new ReplicaId(1), [SmallLog.EntryOf(index, new byte[SmallLog.SegmentBytes / SegmentFreeing.LiveShare])]);
            log.Log.Commit();
        }

        string[] before = log.Texts(large);
        log.Truncate(segments: 60);
        Assert.InRange(log.Segments.Length, 2, (int)(SmallLog.BudgetBytes / SmallLog.SegmentBytes) + 2);
        Assert.Equal(before, log.Texts(large));
        using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out _);
        Assert.Equal(before, recovered.Texts(large));
    }

    [Fact]
    public void Who_pins_the_oldest_segment_is_named_until_it_has_truncated()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.Append(1);
        Assert.Equal([s_busy, s_idle], log.Log.PinningOldest);
        log.Truncate();
        Assert.Equal([s_idle], log.Log.PinningOldest);
        log.Log.AddCommitPoint(s_idle, LogScript.PointAt(13, 5), keepsLogBehind: true);
        log.Log.Commit();
        Assert.Empty(log.Log.PinningOldest);
        Assert.Equal(SmallLog.BudgetBytes, log.Log.Usage.BudgetBytes);
    }

    /// <summary>No batch waits for a whole segment's worth of copies; a crash between two steps leaves copies and originals.</summary>
    [Fact]
    public void A_segment_is_carried_forward_in_small_steps()
    {
        const int LargeSegmentBytes = 256 * 1024;
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk, LargeSegmentBytes);
        GroupId many = new(3);
        log.AddBirth(many);
        log.Log.AddEntries(many, new ReplicaId(1), [.. Enumerable.Range(11, 200).Select(i => SmallLog.EntryOf((ulong)i, new byte[100]))]);
        log.Log.Commit();
        string[] before = log.Texts(many);
        while (log.Segments.Length == 1) log.Truncate();
        int steps = 0;
        for (; log.Segments[0] == 1; steps++)
        {
            int length = disk.WrittenBytes;
            log.Truncate();
            // Two blocks, and now and then two of zeros ahead.
            Assert.True(disk.WrittenBytes - length <= 4 * SegmentFormat.BlockBytes, $"{disk.WrittenBytes - length} bytes in one commit");
            Assert.Equal(before, log.Texts(many));
            using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out _);
            Assert.Equal(before, recovered.Texts(many));
        }

        // 200 entries of 167 bytes, 1 KiB a step.
        Assert.InRange(steps, 30, 40);
    }

    [Fact]
    public void Rot_in_what_must_be_carried_forward_stops_the_log_and_is_named()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        RecordPlace place = LogRecovery.Run(disk.AfterKill()).ToLiveRecords().Groups.Single(group => group.Group == s_idle).PlaceOf(new LogIndex(12)).Record;
        disk.Damage(SegmentNames.Of(1), bytes =>
        {
            bytes[place.Offset + place.Bytes - 1] ^= 1;
            return bytes;
        });
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => log.TruncateUntilFreed(1));
        Assert.Equal((SegmentNames.Of(1), place.Offset), (corrupt.File, corrupt.Offset));
        Assert.Contains(SegmentNames.Of(1), disk.List());
    }

    /// <summary>APPLY has looked up where the entries lie and reads; PERSIST carries them forward and would free and reuse the file.</summary>
    [Fact]
    public void A_segment_is_not_freed_while_it_is_being_read()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        string[] before = log.Texts(s_idle);
        bool isInside = false;
        disk.OnRead = name =>
        {
            if (isInside) return;
            isInside = true;
            log.Truncate(segments: 4);
            Assert.Equal(SegmentNames.Of(1), name);
            Assert.Contains(name, disk.List());
        };
        Assert.Equal(before, log.Texts(s_idle));
        disk.OnRead = _ => { };
        Assert.True(isInside);

        // Nothing waits for it any more, and the next commit frees it; after a crash before that, recovery does.
        using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out _);
        Assert.Equal(before, recovered.Texts(s_idle));
        Assert.DoesNotContain(1UL, recovered.Segments);
        log.Append(1);
        Assert.DoesNotContain(1UL, log.Segments);
        Assert.Equal(before, log.Texts(s_idle));
    }

    /// <summary>The same with threads and on a real disk: what is read is always what was written.</summary>
    [Fact]
    public void Reads_beside_freeing_and_recycling_return_what_was_written()
    {
        using TemporaryDirectory directory = new();
        using SmallLog log = SmallLog.Born(PosixDisk.OpenDirectory(directory.Path));
        string[] before = log.Texts(s_idle);
        using CancellationTokenSource stop = new();
        int reads = 0;
        Exception? failure = null;
        Thread reader = new(() =>
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    Assert.Equal(before, log.Texts(s_idle));
                    Assert.InRange(log.Log.Usage.Bytes, 1, long.MaxValue);
                    Interlocked.Increment(ref reads);
                }
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        });
        reader.Start();
        while (failure is null && (Volatile.Read(ref reads) < 200 || log.Segments[0] < 60)) log.Truncate();
        stop.Cancel();
        reader.Join();
        Assert.Null(failure);
        log.TruncateUntilFreed(60);
    }
}
