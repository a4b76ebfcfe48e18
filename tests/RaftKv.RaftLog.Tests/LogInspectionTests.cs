using RaftKv.MultiRaft.Ports;

namespace RaftKv.RaftLog.Tests;

/// <summary>A log looked at without being opened: nothing changes, all rot is found, and what a crash leaves is no rot.</summary>
public sealed class LogInspectionTests
{
    private const string First = "0000000000000001.log";

    [Fact]
    public void A_healthy_log_of_many_lives_has_nothing_wrong_and_is_not_touched()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.TruncateUntilFreed(3);
        log.Pin();
        log.Truncate(segments: 2);
        disk.OnOperation = () => Assert.Fail("it changes the disk");
        LogInspection inspection = LogInspection.Run(disk);
        Assert.Empty(inspection.Problems);
        Assert.Null(inspection.TornTail);
        Assert.Equal(disk.List(), inspection.Files.Select(file => file.Name));
        LogFile[] segments = [.. inspection.Files.Where(file => file.Kind == LogFileKind.Segment)];
        Assert.True(segments.Length > 1);
        Assert.All(segments, segment => Assert.True(segment is { Batches: > 0, LiveBytes: not null } && segment.Records >= segment.Batches, segment.ToString()));
        Assert.Contains(inspection.Files, file => file is { Kind: LogFileKind.Spare, Batches: 0 });
        disk.OnOperation = static () => { };
    }

    [Fact]
    public void It_finds_what_recovery_finds()
    {
        MemoryDisk disk = new();
        using (SmallLog log = SmallLog.Born(disk)) log.Truncate(segments: 3);
        LogInspection inspection = LogInspection.Run(disk);
        RecoveredLog found = inspection.Recovered!;
        using SmallLog again = SmallLog.Open(disk, out RecoveredLog opened);
        Assert.Equal(opened.Groups.Select(group => (group.Group, group.LastIndex, group.HardState, group.CommitPoint.Index)), found.Groups.Select(group => (group.Group, group.LastIndex, group.HardState, group.CommitPoint.Index)));
    }

    [Fact]
    public void Every_rotten_batch_is_named_not_only_the_first()
    {
        MemoryDisk disk = Filled(out long[] offsets);
        disk.Damage(First, bytes => Flip(Flip(bytes, offsets[2] + 40), offsets[5] + 3));
        LogInspection inspection = LogInspection.Run(disk);
        Assert.Equal([(First, offsets[2]), (First, offsets[5])], inspection.Problems.Select(problem => (problem.File, problem.Offset)));
        Assert.Null(inspection.Recovered);
        Assert.Null(inspection.TornTail);
    }

    [Fact]
    public void Whatever_it_finds_no_file_stays_open()
    {
        MemoryDisk disk = new();
        using (SmallLog log = SmallLog.Born(disk)) log.Truncate(segments: 3);
        Assert.Equal(0, disk.OpenFiles);
        LogInspection.Run(disk);
        Assert.Equal(0, disk.OpenFiles);

        string oldest = disk.List().First(SegmentNames.IsSegment);
        disk.Damage(oldest, bytes => Flip(bytes, SegmentFormat.BlockBytes + 40));
        Assert.NotEmpty(LogInspection.Run(disk).Problems);
        Assert.Throws<LogCorruptException>(() => SmallLog.Open(disk, out _));
        Assert.Equal(0, disk.OpenFiles);

        int reads = 0;
        disk.OnRead = _ => { if (++reads == 4) throw new DiskFailedException("EIO"); };
        Assert.Throws<DiskFailedException>(() => LogInspection.Run(disk));
        Assert.Equal(0, disk.OpenFiles);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public void A_last_batch_that_is_not_whole_is_a_torn_tail_and_no_problem(int at)
    {
        MemoryDisk disk = Filled(out long[] offsets);
        disk.Damage(First, bytes => Flip(bytes, offsets[^1] + at));
        LogInspection inspection = LogInspection.Run(disk);
        Assert.Empty(inspection.Problems);
        LogProblem torn = inspection.TornTail!;
        Assert.Equal((First, offsets[^1]), (torn.File, torn.Offset));
        Assert.Contains("torn tail, will be cut at start", torn.What, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_recycled_file_held_before_is_no_torn_tail()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        disk.FreeBytes = 0; // So that every spare is used again.
        log.TruncateUntilFreed(6);
        for (int i = 0; i < 20; i++)
        {
            log.Truncate();
            LogInspection inspection = LogInspection.Run(disk);
            Assert.Empty(inspection.Problems);
            Assert.Null(inspection.TornTail);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(9)]
    [InlineData(33)]
    public void A_rotten_header_and_the_end_of_a_closed_segment_are_named(int at)
    {
        MemoryDisk disk = new();
        using (SmallLog log = SmallLog.Born(disk))
        {
            log.Pin();
            log.Truncate(segments: 3);
        }

        string second = SegmentNames.Of(2);
        disk.Damage(second, bytes => Flip(bytes, at));
        Assert.Equal(second, Assert.Single(LogInspection.Run(disk).Problems).File);
    }

    [Fact]
    public void A_missing_segment_is_named()
    {
        MemoryDisk disk = new();
        using (SmallLog log = SmallLog.Born(disk))
        {
            log.Pin();
            log.Truncate(segments: 3);
        }

        disk.Delete(SegmentNames.Of(2));
        LogProblem problem = LogInspection.Run(disk).Problems[0];
        Assert.Equal((SegmentNames.Of(2), "segment 2 is missing"), (problem.File, problem.What));
    }

    /// <summary>One segment with ten batches, and where they begin.</summary>
    private static MemoryDisk Filled(out long[] offsets)
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk, segmentBytes: 1024 * 1024);
        log.Append(9);
        offsets = [.. Enumerable.Range(1, 10).Select(i => (long)i * SegmentFormat.BlockBytes)];
        return disk;
    }

    private static byte[] Flip(byte[] bytes, long at)
    {
        bytes[at] ^= 0x10;
        return bytes;
    }
}
