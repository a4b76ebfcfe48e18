using System.Text;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using static RaftKv.RaftLog.Tests.RawSegment;

namespace RaftKv.RaftLog.Tests;

/// <summary>The rules of <see cref="GroupReplay"/> and of the first segment, one by one, on segments written by hand (design §7).</summary>
public sealed class ReplayRuleTests
{
    private static readonly Action<ByteWriter> s_birth = Point(1, 10, keepsLogBehind: false);

    [Fact]
    public void A_carried_record_never_undoes_a_newer_one()
    {
        // 12 was replaced by sequence 4; the copies of 2 and 3 come last all the same.
        MemoryDisk disk = DiskOf(s_birth, Entry(2, 11, payload: "a"), Entry(3, 12, payload: "b"), Entry(4, 12, term: 6, payload: "c"), Entry(5, 13, term: 6, payload: "d"));
        Assert.Equal("after 10: 11/5 a, 12/6 c, 13/6 d", Recover(disk));
        MemoryDisk carried = DiskOf(s_birth, Entry(4, 12, term: 6, payload: "c"), Entry(5, 13, term: 6, payload: "d"), Entry(2, 11, payload: "a"), Entry(3, 12, payload: "b"));
        Assert.Equal("after 10: 11/5 a, 12/6 c, 13/6 d", Recover(carried));
    }

    [Fact]
    public void The_hard_state_of_the_highest_write_sequence_counts_wherever_it_lies()
    {
        MemoryDisk disk = DiskOf(s_birth, HardState(4, term: 9), HardState(2, term: 7), HardState(3, term: 8));
        LogText.Open(disk, out RecoveredLog recovered).Dispose();
        Assert.Equal(new Term(9), recovered.Groups[0].HardState.Term);
    }

    [Fact]
    public void The_commit_point_of_the_highest_write_sequence_counts_wherever_it_lies() =>
        Assert.Equal("after 12: 13/5", Recover(DiskOf(Entry(2, 11), Entry(3, 12), Entry(4, 13), Point(6, 12, keepsLogBehind: true), s_birth, Point(5, 11, keepsLogBehind: true))));

    [Fact]
    public void A_point_that_keeps_the_log_drops_only_what_it_covers() =>
        Assert.Equal("after 12: 13/5 c", Recover(DiskOf(s_birth, Entry(2, 11, payload: "a"), Entry(3, 12, payload: "b"), Entry(4, 13, payload: "c"), Point(5, 12, keepsLogBehind: true))));

    [Fact]
    public void A_point_that_does_not_keep_the_log_drops_every_older_entry() =>
        Assert.Equal("after 12:", Recover(DiskOf(s_birth, Entry(2, 11), Entry(3, 12), Entry(4, 13), Entry(5, 14), Point(6, 12, keepsLogBehind: false, term: 6))));

    [Fact]
    public void Entries_after_a_point_that_does_not_keep_the_log_count() =>
        Assert.Equal("after 14: 15/6 new", Recover(DiskOf(s_birth, Entry(2, 11), Entry(3, 12), Point(4, 14, keepsLogBehind: false, term: 6), Entry(5, 15, term: 6, payload: "new"))));

    /// <summary>An ordinary truncation after a snapshot must not bring back what the snapshot dropped.</summary>
    [Fact]
    public void What_a_point_dropped_stays_dropped_under_a_later_point_that_keeps_the_log() =>
        Assert.Equal("after 12:", Recover(DiskOf(s_birth, Entry(2, 11), Entry(3, 12), Entry(4, 13), Entry(5, 14), Point(6, 12, keepsLogBehind: false, term: 6), Point(7, 12, keepsLogBehind: true, term: 6))));

    [Fact]
    public void A_snapshot_behind_the_log_drops_it_too() =>
        Assert.Equal("after 3: 4/7", Recover(DiskOf(s_birth, Entry(2, 11), Entry(3, 12), Point(4, 3, keepsLogBehind: false, term: 7), Entry(5, 4, term: 7))));

    [Fact]
    public void A_tombstone_kills_everything_before_it_wherever_it_lies()
    {
        MemoryDisk disk = DiskOf(Tombstone(5, replica: 7), s_birth, HardState(2, 6), Entry(3, 11), Entry(4, 12));
        LogText.Open(disk, out RecoveredLog recovered).Dispose();
        Assert.Empty(recovered.Groups);
        Assert.Equal([(new GroupId(1), new ReplicaId(7))], recovered.Tombstones);
        Assert.Equal(SegmentFormat.RecordPrefixBytes, LogRecovery.Run(disk).Segments[0].LiveBytes);
    }

    [Fact]
    public void A_replica_that_comes_after_a_tombstone_has_nothing_of_the_one_before()
    {
        MemoryDisk disk = DiskOf(s_birth, HardState(2, 6), Entry(3, 11), Entry(4, 12), Tombstone(5, replica: 7), Point(6, 10, keepsLogBehind: false), Entry(7, 11, payload: "new"));
        Assert.Equal("after 10: 11/5 new", Recover(disk));
        LogText.Open(disk, out RecoveredLog recovered).Dispose();
        Assert.Equal(default, recovered.Groups[0].HardState);
        Assert.Equal([(new GroupId(1), new ReplicaId(7))], recovered.Tombstones);
    }

    [Fact]
    public void The_newest_tombstone_counts()
    {
        LogText.Open(DiskOf(Tombstone(5, replica: 9), Tombstone(2, replica: 7), s_birth, Point(4, 10, keepsLogBehind: false)), out RecoveredLog recovered).Dispose();
        Assert.Equal([(new GroupId(1), new ReplicaId(9))], recovered.Tombstones);
    }

    /// <summary>What replaced the tail is itself covered by the point; the tail stays replaced.</summary>
    [Fact]
    public void A_dead_entry_still_truncates_what_it_truncated() =>
        Assert.Equal("after 12:", Recover(DiskOf(s_birth, Entry(2, 11), Entry(3, 12), Entry(4, 13), Entry(5, 14), Entry(6, 12, term: 6), Point(7, 12, keepsLogBehind: true, term: 6))));

    /// <summary>13 and 14 of term 5 were dead and went with their segment; 15 and 16 are dead too, but still there.</summary>
    [Fact]
    public void Records_that_went_with_their_segment_leave_a_hole_that_a_newer_entry_covers() =>
        Assert.Equal("after 10: 11/5, 12/5, 13/6", Recover(DiskOf(s_birth, Entry(6, 15), Entry(7, 16), Entry(8, 13, term: 6), Entry(2, 11), Entry(3, 12))));

    [Fact]
    public void Write_sequences_may_have_gaps() =>
        Assert.Equal("after 10: 11/5, 12/5", Recover(DiskOf(Point(7, 10, keepsLogBehind: false), Entry(20, 11), Entry(4000, 12))));

    [Fact]
    public void The_next_write_sequence_follows_the_highest_found()
    {
        MemoryDisk disk = DiskOf(s_birth, Entry(90, 11), Entry(91, 12), HardState(70, term: 6));
        using (SegmentedRaftLog log = LogText.Open(disk, out _))
        {
            log.AddEntries(new GroupId(1), new ReplicaId(1), [new Entry(new LogIndex(12), new Term(8), EntryKind.Command, 0, 0, 0, default)]);
            log.Commit();
        }

        Assert.Equal("after 10: 11/5, 12/8", Recover(disk));
    }

    [Fact]
    public void A_record_and_its_copy_are_one_and_the_copy_is_used()
    {
        MemoryDisk disk = new();
        new RawSegment(1, 1).Batch(s_birth, Entry(2, 11, payload: "a"), Entry(3, 12, payload: "b")).WriteTo(disk);
        new RawSegment(2, 2).Batch(Entry(2, 11, payload: "a")).WriteTo(disk);
        Assert.Equal("after 10: 11/5 a, 12/5 b", Recover(disk));
        GroupLog group = LogRecovery.Run(disk).ToLiveRecords().Groups.Single();
        Assert.Equal(2UL, group.PlaceOf(new LogIndex(11)).Record.Segment.Sequence);
        Assert.Equal(1UL, group.PlaceOf(new LogIndex(12)).Record.Segment.Sequence);
    }

    [Fact]
    public void Live_bytes_are_those_of_the_records_that_count_each_once()
    {
        MemoryDisk disk = new();
        new RawSegment(1, 1).Batch(Identity("a"), s_birth, HardState(2, 5), Entry(3, 11), Entry(4, 12)).WriteTo(disk);
        new RawSegment(2, 2).Batch(Entry(4, 12), HardState(5, 6), Identity("a")).WriteTo(disk);
        LogRecovery recovery = LogRecovery.Run(disk);
        LiveRecords live = recovery.ToLiveRecords();
        const int Entry11 = SegmentFormat.RecordPrefixBytes + SegmentFormat.EntryBodyBytes;
        Assert.Equal(live.Groups.Single().CommitPointPlace!.Value.Bytes + Entry11, recovery.Segments[0].LiveBytes);
        Assert.Equal(Entry11 + SegmentFormat.RecordPrefixBytes + 24 + live.Identity!.Value.Bytes, recovery.Segments[1].LiveBytes);
    }

    [Theory]
    [InlineData("another payload")]
    [InlineData("another kind")]
    public void The_same_write_sequence_with_other_bytes_is_rot_and_named(string what)
    {
        MemoryDisk disk = new();
        new RawSegment(1, 1).Batch(s_birth, Entry(2, 11, payload: "a")).WriteTo(disk);
        new RawSegment(2, 2).Batch(what == "another kind" ? HardState(2, 5) : Entry(2, 11, payload: "b")).WriteTo(disk);
        AssertCorrupt(disk, SegmentNames.Of(2), "s1", "write sequence 2", SegmentNames.Of(1));
    }

    [Fact]
    public void A_missing_entry_is_rot_and_named() =>
        AssertCorrupt(DiskOf(s_birth, Entry(2, 11), Entry(4, 13)), SegmentNames.Of(1), "entry 13 does not follow 11");

    [Fact]
    public void A_missing_first_entry_is_rot() =>
        AssertCorrupt(DiskOf(s_birth, Entry(3, 12)), SegmentNames.Of(1), "entry 12 does not follow 10");

    [Fact]
    public void Entries_without_a_commit_point_are_rot() =>
        AssertCorrupt(DiskOf(HardState(1, 5), Entry(2, 11)), SegmentNames.Of(1), "s1", "without a commit point", "lost");

    [Fact]
    public void An_entry_that_its_own_commit_point_covers_already_is_rot() =>
        AssertCorrupt(DiskOf(s_birth, Entry(2, 9)), SegmentNames.Of(1), "entry 9", "commit point at 10");

    [Fact]
    public void A_record_without_a_write_sequence_is_rot() => AssertCorrupt(DiskOf(s_birth, Entry(0, 11)), SegmentNames.Of(1), "write sequence");

    [Fact]
    public void A_commit_point_that_neither_keeps_nor_drops_the_log_is_rot()
    {
        Action<ByteWriter> point = writer =>
        {
            int start = writer.Length;
            s_birth(writer);
            writer.Patch(start + SegmentFormat.RecordPrefixBytes + 5 * 8, [2]);
        };
        AssertCorrupt(DiskOf(point), SegmentNames.Of(1), "keeps the log behind: 2");
    }

    [Fact]
    public void The_identity_that_lies_latest_counts()
    {
        MemoryDisk disk = new();
        new RawSegment(1, 1).Batch(Identity("a"), Identity("b")).WriteTo(disk);
        new RawSegment(2, 2).Batch(Identity("c"), Identity("d")).WriteTo(disk);
        LogText.Open(disk, out RecoveredLog recovered).Dispose();
        Assert.Equal("d", recovered.Identity!.Name);
    }

    [Fact]
    public void Segments_before_the_first_are_not_read_and_become_spares()
    {
        MemoryDisk disk = new();
        disk.Create(SegmentNames.Of(1)).Write(0, [1, 2, 3]); // Rotten, and nobody minds.
        new RawSegment(2, 8).Batch(Entry(5, 11, payload: "not read")).WriteTo(disk);
        new RawSegment(3, 9).Batch(s_birth).WriteTo(disk);
        new RawSegment(4, 10).Batch(Entry(2, 11), First(3)).WriteTo(disk);
        Assert.Equal("after 10: 11/5", Recover(disk));
        Assert.Equal([SegmentNames.Of(3), SegmentNames.Of(4), SegmentNames.SpareOf(1), SegmentNames.SpareOf(2)], disk.List());
    }

    [Fact]
    public void The_newest_word_on_the_first_segment_counts()
    {
        MemoryDisk disk = new();
        new RawSegment(3, 9).Batch(s_birth).Batch(First(3)).WriteTo(disk);
        new RawSegment(4, 11).Batch(s_birth, First(2), First(3)).Batch(First(4)).WriteTo(disk);
        Assert.Equal("after 10:", Recover(disk));
        Assert.Equal([SegmentNames.Of(4), SegmentNames.SpareOf(3)], disk.List());
    }

    [Theory]
    [InlineData(2)] // The first.
    [InlineData(3)] // One in between.
    public void A_missing_segment_is_rot_and_named(ulong missing)
    {
        MemoryDisk disk = new();
        new RawSegment(2, 8).Batch(s_birth).WriteTo(disk);
        new RawSegment(3, 9).Batch(Entry(2, 11)).WriteTo(disk);
        new RawSegment(4, 10).Batch(Entry(3, 12), First(2)).WriteTo(disk);
        disk.Delete(SegmentNames.Of(missing));
        AssertCorrupt(disk, SegmentNames.Of(missing), $"segment {missing} is missing");
    }

    [Fact]
    public void Without_a_word_on_the_first_segment_it_is_segment_1()
    {
        MemoryDisk disk = new();
        new RawSegment(2, 8).Batch(s_birth).WriteTo(disk);
        AssertCorrupt(disk, SegmentNames.Of(1), "segment 1 is missing");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_first_segment_that_cannot_be_is_rot(ulong first) => AssertCorrupt(DiskOf(s_birth, First(first)), SegmentNames.Of(1), $"segment {first} as the first");

    [Fact]
    public void Spares_without_a_segment_mean_that_the_log_was_lost()
    {
        MemoryDisk disk = DiskOf(s_birth);
        disk.Rename(SegmentNames.Of(1), SegmentNames.SpareOf(1));
        AssertCorrupt(disk, SegmentNames.SpareOf(1), "no segment");
    }

    [Fact]
    public void A_file_that_only_looks_like_a_segment_is_rot()
    {
        MemoryDisk disk = DiskOf(s_birth);
        disk.Create("00000000000000AB.log");
        AssertCorrupt(disk, "00000000000000AB.log", "not the name of a segment");
    }

    private static MemoryDisk DiskOf(params ReadOnlySpan<Action<ByteWriter>> records)
    {
        MemoryDisk disk = new();
        new RawSegment(1, 1).Batch(records).WriteTo(disk);
        return disk;
    }

    /// <summary>Of the one group, the point's index and the entries: index/term payload.</summary>
    private static string Recover(MemoryDisk disk)
    {
        using SegmentedRaftLog log = LogText.Open(disk, out RecoveredLog recovered);
        RecoveredGroup group = recovered.Groups.Single();
        Entry[] entries = log.Read(group.Group, group.CommitPoint.Index.Next, group.LastIndex, int.MaxValue);
        return $"after {group.CommitPoint.Index}: {string.Join(", ", entries.Select(entry => $"{entry.Index}/{entry.Term.Value} {Encoding.UTF8.GetString(entry.Payload.Span)}".Trim()))}".Trim();
    }

    private static void AssertCorrupt(MemoryDisk disk, string file, params string[] parts)
    {
        LogCorruptException corrupt = Assert.Throws<LogCorruptException>(() => LogText.Recover(disk));
        Assert.Equal(file, corrupt.File);
        Assert.All(parts, part => Assert.Contains(part, corrupt.Message, StringComparison.Ordinal));
    }
}
