using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using static RaftKv.RaftLog.Tests.RawSegment;

namespace RaftKv.RaftLog.Tests;

/// <summary>A freed file becomes a segment again, and nothing of its former life counts (bugs.md D6).</summary>
public sealed class RecyclingTests
{
    private static readonly Action<ByteWriter> s_birth = Point(1, 10, keepsLogBehind: false);

    [Fact]
    public void A_new_segment_takes_a_spare_file_and_writes_no_zeros()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        while (Spares(disk).Length < 2) log.Truncate();
        byte[] former = disk.BytesOf(Spares(disk)[0]);
        int created = disk.Created;
        ulong next = log.Segments[^1] + 1;
        log.Truncate(segments: 1);
        Assert.Equal(next, log.Segments[^1]);
        Assert.Equal(created, disk.Created);
        byte[] now = disk.BytesOf(SegmentNames.Of(next));
        Assert.Equal(former.Length, now.Length);
        Assert.Equal(former[(2 * SegmentFormat.BlockBytes)..], now[(2 * SegmentFormat.BlockBytes)..]);
        Assert.Contains(former[(2 * SegmentFormat.BlockBytes)..], value => value != 0);
    }

    [Fact]
    public void The_last_spare_is_kept_while_the_disk_has_room()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.TruncateUntilFreed(1);
        string reserve = Assert.Single(Spares(disk));
        (int created, ulong newest) = (disk.Created, log.Segments[^1]);
        log.Truncate(segments: 1);
        Assert.Equal((created + 1, newest + 1), (disk.Created, log.Segments[^1]));
        Assert.Equal([reserve], Spares(disk));
    }

    [Fact]
    public void On_a_full_disk_the_last_spare_is_taken()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.TruncateUntilFreed(1);
        (int created, ulong newest) = (disk.Created, log.Segments[^1]);
        disk.FreeBytes = SmallLog.SegmentBytes;
        log.Truncate(segments: 1);
        Assert.Equal((created, newest + 1), (disk.Created, log.Segments[^1]));
        Assert.Empty(Spares(disk));
    }

    [Fact]
    public void No_more_than_two_spares_are_kept()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        PinAndRoll(log);
        PinAndRoll(log);
        PinAndRoll(log);
        log.Unpin();
        while (log.Segments.Length > 1)
        {
            log.Truncate();
            Assert.InRange(Spares(disk).Length, 0, SegmentSet.MaxSpares);
        }

        Assert.Equal(SegmentSet.MaxSpares, Spares(disk).Length);
    }

    [Fact]
    public void Spares_beyond_two_are_deleted_at_the_start()
    {
        MemoryDisk disk = new();
        new RawSegment(9, 20).Batch(s_birth, First(9)).WriteTo(disk);
        for (ulong i = 1; i <= 4; i++) disk.Create(SegmentNames.SpareOf(i));
        LogText.Recover(disk);
        Assert.Equal([SegmentNames.SpareOf(1), SegmentNames.SpareOf(2)], Spares(disk));
    }

    /// <summary>
    /// Only the seal tells: the old batch lies exactly where the next one is expected, with its very number, and the one behind it would prove
    /// that this one has rotted.
    /// </summary>
    [Fact]
    public void Batches_of_a_former_life_with_plausible_numbers_are_neither_taken_nor_proof_of_rot()
    {
        const ulong Sequence = 9;
        ulong formerSeal = SegmentFormat.SealOf(4, 55);
        foreach (ulong seal in (ulong[])[formerSeal, SegmentFormat.SealOf(Sequence, 55), SegmentFormat.SealOf(4, 77)])
        {
            MemoryDisk disk = new();
            RawSegment segment = new RawSegment(Sequence, 20, salt: 77).Batch(s_birth, First(Sequence)).Batch(Entry(2, 11));
            segment.Then(BytesOf(seal, segment.NextBatch, Entry(3, 12, payload: "former"))).Then(BytesOf(seal, segment.NextBatch + 1, Entry(4, 13, payload: "former")));
            segment.WriteTo(disk);
            using SegmentedRaftLog log = LogText.Open(disk, out RecoveredLog recovered);
            Assert.Equal(11UL, recovered.Groups.Single().LastIndex.Value);
        }
    }

    /// <summary>Only the number tells: should a sequence and a salt ever give the same seal again, an old batch is still an old one.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(20)]
    [InlineData(21)]
    public void A_batch_that_checks_but_has_an_older_number_is_neither_taken_nor_proof_of_rot(ulong number)
    {
        MemoryDisk disk = new();
        RawSegment segment = new RawSegment(9, 20, salt: 77).Batch(s_birth, First(9)).Batch(Entry(2, 11));
        Assert.Equal(22UL, segment.NextBatch);
        byte[] former = BytesOf(SegmentFormat.SealOf(9, 77), number, Entry(3, 12, payload: "former"));
        segment.Then(former).Then(former).WriteTo(disk);
        using SegmentedRaftLog log = LogText.Open(disk, out RecoveredLog recovered);
        Assert.Equal(11UL, recovered.Groups.Single().LastIndex.Value);
    }

    /// <summary>What counts was written over; what comes behind it is the former life's, block by block.</summary>
    [Fact]
    public void A_recycled_segment_recovers_after_each_of_its_batches()
    {
        MemoryDisk disk = new();
        using SmallLog log = SmallLog.Born(disk);
        log.TruncateUntilFreed(5);
        int created = disk.Created;
        for (int i = 0; i < 40; i++)
        {
            log.Truncate();
            using SmallLog recovered = SmallLog.Open(disk.AfterKill(), out RecoveredLog found);
            Assert.Equal(log.LastIndex, found.Groups[0].LastIndex.Value);
            Assert.Equal(log.Texts(found.Groups[1].Group), recovered.Texts(found.Groups[1].Group));
        }

        Assert.Equal(created, disk.Created);
    }

    private static void PinAndRoll(SmallLog log)
    {
        log.Pin();
        log.Truncate(segments: 1);
    }

    private static string[] Spares(MemoryDisk disk) => [.. disk.List().Where(SegmentNames.IsSpare)];
}
