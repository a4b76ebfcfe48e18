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
    private readonly SegmentReader _reader = new();
    private ulong? _first;
    private DiskIdentity? _identity;
    private RecordPlace? _identityPlace;

    private readonly bool _isOffline;

    private LogRecovery(IDisk disk, bool isOffline)
    {
        _disk = disk;
        _isOffline = isOffline;
    }

    /// <summary>The segments that count, ascending and consecutive. None in a new log.</summary>
    public IReadOnlyList<Segment> Segments => _segments;

    /// <summary>Segments that are still there but no longer count, ascending.</summary>
    public IReadOnlyList<ulong> Retired { get; private set; } = [];

    /// <summary>The oldest segment that counts.</summary>
    public ulong First => _first ?? 1;

    public ulong NextBatch { get; private set; } = 1;

    /// <summary>Where in the last segment the next batch goes.</summary>
    public long EndOffset { get; private set; }

    /// <param name="isOffline">Only looks: nothing is synced or written, so that nothing it finds may be relied on as durable.</param>
    public static LogRecovery Run(IDisk disk, bool isOffline = false)
    {
        LogRecovery recovery = new(disk, isOffline);
        try
        {
            recovery.FindSegments();
            if (recovery._present.Count > 0) recovery.ReplaySegments();
            return recovery;
        }
        catch
        {
            foreach (Segment segment in recovery._segments) segment.File.Dispose();
            throw;
        }
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
        if (!_isOffline) Sync(newest);
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
        if (lastBatch is { } start && !_isOffline) WriteAgain(newest.File, start, end);
        Retired = [.. _present.GetViewBetween(0, First - 1)];
    }

    /// <summary>Directory and open segment: what reads back may not be durable yet.</summary>
    private void Sync(Segment newest)
    {
#if MUTANTS
        if (!Mutants.On(Mutant.RecoveryTrustsUnsyncedPages))
#endif
        newest.File.Sync();
        _disk.SyncDirectory();
    }

    private void ReplayBefore(Segment later)
    {
        Segment segment = Open(later.Sequence - 1);
        var (end, _) = Replay(segment, out ulong next);
        if (later.Header.FirstBatch != next) throw new LogCorruptException(segment.File.Name, end, $"batch {next} does not check, but the next segment begins with batch {later.Header.FirstBatch}");
    }

    private Segment Open(ulong sequence)
    {
        if (!_present.Contains(sequence)) throw new LogCorruptException(SegmentNames.Of(sequence), 0, $"segment {sequence} is missing");
        Segment segment = SegmentReader.Open(_disk, sequence);
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
        for (; _reader.TryReadBatch(segment, offset, nextBatch) is { } batch; nextBatch++)
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
#if MUTANTS
        if (Mutants.On(Mutant.RotTakenForTornEnd)) return;
#endif
        if (SegmentReader.FindLater(segment, end, NextBatch) is { } later)
            throw new LogCorruptException(segment.File.Name, end, $"batch {NextBatch} does not check, but batch {later.Number} behind it does");
    }

    private void ReplayBatch(Segment segment, long offset, in BatchHeader header, ref ulong? first)
    {
        ReadOnlyMemory<byte> records = _reader.Records;
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
