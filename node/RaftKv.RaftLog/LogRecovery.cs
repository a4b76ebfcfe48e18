using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// Reads the log back after any crash. Since batch n + 1 is only written after the sync of n returned, at most the very
/// last batch may be torn; a bad batch with any later valid one behind it is rot, and the node must not start.
/// </summary>
/// <remarks>
/// Reads the newest segment first, then backwards to the one that the newest FirstSegment record names: all of these must be there,
/// and what lies before them no longer counts. The order does not matter, for <see cref="GroupReplay"/> goes by write sequences.
/// <para>
/// Limit: rot in the very last batch cannot be told from tearing (if that batch let a segment be freed, the FirstSegment record is
/// lost with it, and the freed segment is missed). A killed process leaves written but unsynced pages that
/// read back as if they were durable; and after a failed sync Linux keeps the pages readable but marks them clean, so that a
/// sync at recovery would succeed and write nothing. Therefore the last batch, the only one in doubt, is written again and
/// synced before anything read from it counts.
/// </para>
/// </remarks>
internal sealed class LogRecovery
{
    private readonly IDisk _disk;
    private readonly SortedSet<ulong> _present = [];
    private readonly List<Segment> _segments = [];
    private readonly SortedDictionary<GroupId, GroupReplay> _replays = [];
    private readonly SortedDictionary<GroupId, GroupLog> _groups = [];
    private byte[] _buffer = [];
    private ulong? _first;
    private DiskIdentity? _identity;
    private RecordPlace? _identityPlace;

    private LogRecovery(IDisk disk) => _disk = disk;

    /// <summary>The segments that count, ascending and consecutive. None in a new log.</summary>
    public IReadOnlyList<Segment> Segments => _segments;

    /// <summary>Segments that are still there but no longer count, ascending.</summary>
    public IReadOnlyList<ulong> Retired { get; private set; } = [];

    /// <summary>The oldest segment that counts.</summary>
    public ulong First => _first ?? 1;

    public ulong NextBatch { get; private set; } = 1;

    /// <summary>Where in the last segment the next batch goes.</summary>
    public long EndOffset { get; private set; }

    public static LogRecovery Run(IDisk disk)
    {
        LogRecovery recovery = new(disk);
        recovery.FindSegments();
        if (recovery._present.Count > 0) recovery.ReplaySegments();
        return recovery;
    }

    /// <summary>Takes what was found; to be called once.</summary>
    public LiveRecords ToLiveRecords() => new(_groups, _identityPlace);

    public RecoveredLog ToRecovered() => new(_identity, [.. _groups.Values.Where(group => group.CommitPoint is not null).Select(group => group.ToRecovered())])
    {
        Tombstones = [.. _groups.Values.Where(group => !group.Tombstone.IsNone).Select(group => (group.Group, group.Tombstone))],
    };

    private void FindSegments()
    {
        IReadOnlyList<string> names = _disk.List();
        foreach (string name in names.Where(SegmentNames.IsSegment)) _present.Add(SegmentNames.SequenceOf(name) ?? throw new LogCorruptException(name, 0, "not the name of a segment"));
        // A file becomes a spare only while another one is the current segment.
        if (_present.Count == 0 && names.FirstOrDefault(SegmentNames.IsSpare) is { } spare) throw new LogCorruptException(spare, 0, "a spare file, but there is no segment: the log was lost");
    }

    private void ReplaySegments()
    {
        Segment newest = Open(_present.Max);
        // Directory and open segment: what reads back may not be durable yet.
#if MUTANTS
        if (!Mutants.On(Mutant.RecoveryTrustsUnsyncedPages))
#endif
        newest.File.Sync();
        _disk.SyncDirectory();
        var (end, lastBatch) = Replay(newest, out ulong nextBatch);
        (EndOffset, NextBatch) = (end, nextBatch);
        ExpectNothingValidBehind(newest, end);
        while (_segments[0].Sequence > First) ReplayBefore(_segments[0]);
        // One after the other, so that what was gathered of all groups is not there together with what comes of it.
        while (_replays.Count > 0)
        {
            var (group, replay) = _replays.First();
            _replays.Remove(group);
            _groups.Add(group, replay.Resolve());
        }

        if (_identityPlace is { } identity) identity.Segment.LiveBytes += identity.Bytes;
        if (lastBatch is { } start) WriteAgain(newest.File, start, end);
        Retired = [.. _present.GetViewBetween(0, First - 1)];
    }

    private void ReplayBefore(Segment later)
    {
        Segment segment = Open(later.Sequence - 1);
        var (end, _) = Replay(segment, out ulong next);
        if (later.Header.FirstBatch != next) throw new LogCorruptException(segment.File.Name, end, $"batch {next} does not check, but the next segment begins with batch {later.Header.FirstBatch}");
    }

    private Segment Open(ulong sequence)
    {
        string name = SegmentNames.Of(sequence);
        if (!_present.Contains(sequence)) throw new LogCorruptException(name, 0, $"segment {sequence} is missing");
        IDiskFile file = _disk.Open(name);
        byte[] block = new byte[SegmentFormat.BlockBytes];
        int read = file.Read(0, block);
        SegmentHeader header = SegmentFormat.ReadSegmentHeader(block.AsMemory(0, read), out string reason) ?? throw new LogCorruptException(name, 0, reason);
        if (header.Sequence != sequence) throw new LogCorruptException(name, 8, $"the header says segment {header.Sequence}");
        Segment segment = new(header, file);
        _segments.Insert(0, segment);
        return segment;
    }

    /// <summary>Replays the batches that check, from the first on. Returns where they end, where the last of them begins, and the number of the one that does not.</summary>
    private (long End, long? LastBatch) Replay(Segment segment, out ulong nextBatch)
    {
        nextBatch = segment.Header.FirstBatch;
        long offset = SegmentFormat.BlockBytes;
        long? lastBatch = null;
        ulong? first = null;
        for (; TryReadBatch(segment, offset, nextBatch) is { } batch; nextBatch++)
        {
            lastBatch = offset;
            ReplayBatch(segment, offset, batch, ref first);
            offset += batch.SpanBytes;
        }

        _first ??= first; // Later segments came before, so that the newest stands.
        return (offset, lastBatch);
    }

    /// <summary>The same bytes over themselves: however a crash cuts this write, it changes nothing.</summary>
    private static void WriteAgain(IDiskFile file, long start, long end)
    {
#if MUTANTS
        if (Mutants.On(Mutant.RecoveryTrustsUnsyncedPages)) return;
#endif
        byte[] bytes = new byte[end - start];
        int read = file.Read(start, bytes);
        file.Write(start, bytes.AsSpan(0, read));
        file.Sync();
    }

    /// <summary>The last batch may be torn. If any valid batch follows what does not check, it was not the last: rot.</summary>
    private void ExpectNothingValidBehind(Segment segment, long end)
    {
        byte[] header = new byte[SegmentFormat.BatchHeaderBytes];
        for (long offset = end + SegmentFormat.BlockBytes; offset < segment.Bytes; offset += SegmentFormat.BlockBytes)
        {
            int read = segment.File.Read(offset, header);
            if (SegmentFormat.ReadBatchHeader(header.AsSpan(0, read), segment.Header.Seal) is { } later && later.Number > NextBatch)
                throw new LogCorruptException(segment.File.Name, end, $"batch {NextBatch} does not check, but batch {later.Number} behind it does");
        }
    }

    /// <summary>Reads the batch into the buffer. Null when there is none of this number that checks.</summary>
    private BatchHeader? TryReadBatch(Segment segment, long offset, ulong expectedNumber)
    {
        Span<byte> headerBytes = stackalloc byte[SegmentFormat.BatchHeaderBytes];
        int read = segment.File.Read(offset, headerBytes);
        if (SegmentFormat.ReadBatchHeader(headerBytes[..read], segment.Header.Seal) is not { } header) return null;
        bool isExpected = header.Number == expectedNumber;
#if MUTANTS
        if (Mutants.On(Mutant.RecycledRecordAccepted)) isExpected = true;
#endif
        if (!isExpected || header.Length > segment.Bytes - offset) return null;
        if (_buffer.Length < header.Length) _buffer = new byte[header.Length];
        Span<byte> records = _buffer.AsSpan(0, (int)header.Length);
        if (segment.File.Read(offset + SegmentFormat.BatchHeaderBytes, records) != records.Length) return null;
        return Crc32C.Of(records) == header.Checksum ? header : null;
    }

    private void ReplayBatch(Segment segment, long offset, in BatchHeader header, ref ulong? first)
    {
        ReadOnlyMemory<byte> records = _buffer.AsMemory(0, (int)header.Length);
        int position = 0;
        try
        {
            for (uint i = 0; i < header.Records; i++)
            {
                Record record = SegmentFormat.ReadRecord(records[position..], segment.Header.Seal);
                ReplayRecord(record, new RecordPlace(segment, offset + SegmentFormat.BatchHeaderBytes + position, record.TotalBytes, record.WriteSequence), ref first);
                position += record.TotalBytes;
            }
        }
        catch (MalformedException malformed)
        {
            throw new LogCorruptException(segment.File.Name, offset + SegmentFormat.BatchHeaderBytes + position, malformed.Message);
        }
    }

    private void ReplayRecord(in Record record, in RecordPlace place, ref ulong? first)
    {
        switch (record.Kind)
        {
            case RecordKind.Initialised:
                if (_identityPlace is { } known && known.Segment.Sequence > place.Segment.Sequence) break; // A copy, carried forward, was read before.
                DiskIdentity identity = SegmentFormat.ReadIdentity(record);
                (_identity, _identityPlace) = (identity with { InitialMap = identity.InitialMap.ToArray() }, place);
                break;
            case RecordKind.FirstSegment:
                first = SegmentFormat.ReadFirstSegment(record);
                if (first == 0 || first > place.Segment.Sequence) throw new MalformedException($"segment {first} as the first, named in segment {place.Segment.Sequence}");
                break;
            default:
                if (!_replays.TryGetValue(record.Group, out GroupReplay? replay)) _replays.Add(record.Group, replay = new GroupReplay(record.Group));
                replay.Add(record, place);
                break;
        }
    }
}
