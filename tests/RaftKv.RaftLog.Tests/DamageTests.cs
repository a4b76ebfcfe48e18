using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>What is no crash's trace is rot: the log names file and offset and does not open.</summary>
public sealed class DamageTests
{
    private const string First = "0000000000000001.log";
    private const string Second = "0000000000000002.log";

    [Fact]
    public void A_torn_last_batch_is_left_out()
    {
        MemoryDisk disk = DiskWithBatches(3, out string[] texts);
        disk.Damage(First, bytes => Garble(bytes, BatchOffset(disk, 3) + 40));
        Assert.Equal(texts[2], LogText.Recover(disk));
    }

    [Fact]
    public void A_last_batch_that_ends_with_the_file_is_left_out()
    {
        MemoryDisk disk = DiskWithBatches(3, out string[] texts);
        disk.Damage(First, bytes => bytes[..(BatchOffset(disk, 3) + 50)]);
        Assert.Equal(texts[2], LogText.Recover(disk));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(60)]
    public void A_bad_batch_with_a_valid_later_one_is_rot_and_named(int at)
    {
        MemoryDisk disk = DiskWithBatches(4, out _);
        int offset = BatchOffset(disk, 3);
        disk.Damage(First, bytes => Garble(bytes, offset + at));
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
        Assert.Equal((First, (long)offset), (corrupt.File, corrupt.Offset));
        Assert.Contains(First, corrupt.Message, StringComparison.Ordinal);
        Assert.Contains("batch 3", corrupt.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bad_last_batch_of_a_segment_that_another_follows_is_rot()
    {
        MemoryDisk disk = DiskWithSegments(3);
        int last = BatchOffsets(disk, First)[^1];
        disk.Damage(First, bytes => Garble(bytes, last + 30));
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
        Assert.Equal((First, (long)last), (corrupt.File, corrupt.Offset));
    }

    [Fact]
    public void A_missing_middle_segment_is_rot()
    {
        MemoryDisk disk = DiskWithSegments(3);
        disk.Delete(Second);
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
        Assert.Contains("segment 2 is missing", corrupt.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "magic")]
    [InlineData(4, "checksum")]
    [InlineData(10, "checksum")]
    [InlineData(33, "checksum")]
    public void A_bad_segment_header_is_rot(int at, string what)
    {
        MemoryDisk disk = DiskWithSegments(2);
        disk.Damage(Second, bytes => Garble(bytes, at));
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
        Assert.Equal((Second, 0L), (corrupt.File, corrupt.Offset));
        Assert.Contains(what, corrupt.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_segment_under_another_name_is_rot()
    {
        MemoryDisk disk = DiskWithSegments(2);
        disk.Rename(Second, "00000000000000ff.log");
        Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
    }

    [Fact]
    public void A_segment_that_never_got_its_name_is_deleted()
    {
        MemoryDisk disk = DiskWithBatches(3, out string[] texts);
        disk.Create("segment.new").Write(0, [1, 2, 3]);
        Assert.Equal(texts[3], LogText.Recover(disk));
        Assert.DoesNotContain("segment.new", disk.List());
    }

    /// <summary>A client's value may hold anything, also the bytes of another segment's batches.</summary>
    [Fact]
    public void A_value_that_looks_like_a_batch_is_not_taken_for_one()
    {
        MemoryDisk donor = DiskWithBatches(6, out _);
        int start = BatchOffset(donor, 5);
        byte[] foreign = donor.BytesOf(First)[start..(start + 2 * 4096)];
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _, saltSeed: 99);
        new LogScript(seed: 4, batches: 2).Run(log, log.Commit);
        string before = LogText.Recover(disk.AfterKill());
        // The value is placed so that its copy of a batch begins at a block boundary.
        byte[] value = new byte[4096 - 28 - 34 - 33 + foreign.Length];
        foreign.CopyTo(value, value.Length - foreign.Length);
        log.AddEntries(new GroupId(9), new ReplicaId(1), []);
        log.AddCommitPoint(new GroupId(9), LogScript.PointAt(10, 5), keepsLogBehind: false);
        log.Commit();
        log.AddEntries(new GroupId(9), new ReplicaId(1), [new Entry(new LogIndex(11), new Term(5), EntryKind.Command, 0, 0, 0, value)]);
        log.Commit();
        int last = BatchOffsets(disk, First)[^1];
        disk.Damage(First, bytes => Garble(bytes, last + 5));
        Assert.StartsWith(before, LogText.Recover(disk), StringComparison.Ordinal);
    }

    private static MemoryDisk DiskWithBatches(int batches, out string[] texts)
    {
        MemoryDisk disk = new();
        List<string> after = [""];
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        new LogScript(seed: 5, batches).Run(log, () =>
        {
            log.Commit();
            after.Add(LogText.Recover(disk.AfterKill()));
        });
        Assert.Equal([First], disk.List());
        texts = [.. after];
        return disk;
    }

    private static MemoryDisk DiskWithSegments(int atLeast)
    {
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        new LogScript(seed: 6, batches: 60).Run(log, log.Commit);
        Assert.True(disk.List().Count >= atLeast, $"{disk.List().Count} segments");
        return disk;
    }

    private static int BatchOffset(MemoryDisk disk, int number) => BatchOffsets(disk, First)[number - 1];

    private static List<int> BatchOffsets(MemoryDisk disk, string name)
    {
        byte[] bytes = disk.BytesOf(name);
        SegmentHeader header = SegmentFormat.ReadSegmentHeader(bytes.AsMemory(0, SegmentFormat.BlockBytes), out string reason) ?? throw new InvalidOperationException(reason);
        List<int> offsets = [];
        for (int offset = SegmentFormat.BlockBytes; offset < bytes.Length;)
        {
            if (SegmentFormat.ReadBatchHeader(bytes.AsSpan(offset, SegmentFormat.BatchHeaderBytes), header.Seal) is not { } batch) break;
            offsets.Add(offset);
            offset += (int)batch.SpanBytes;
        }

        return offsets;
    }

    private static byte[] Garble(byte[] bytes, int at)
    {
        bytes[at] ^= 0x10;
        return bytes;
    }
}
