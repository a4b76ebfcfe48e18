using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>Sizes of the raft log, in bytes.</summary>
public sealed record RaftLogOptions
{
    /// <summary>A segment is closed before it grows beyond this, unless one batch alone is larger.</summary>
    public long SegmentBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// What the segments in use should stay within: past half of it the host makes whoever pins the oldest one flush and truncate.
    /// The log itself grows on beyond, for a refused write of the log would stop the node.
    /// </summary>
    public long BudgetBytes { get; init; } = 1024L * 1024 * 1024;

    /// <summary>
    /// Zeros written ahead of the end, so that most syncs overwrite allocated blocks and need no journal commit
    /// (measured: half the latency, dotnet-facts.md §3).
    /// </summary>
    public int ZeroAheadBytes { get; init; } = 4 * 1024 * 1024;
}

/// <summary>
/// The node's raft log: append-only segments shared by all groups. A batch is one write and one sync; batch n + 1 is
/// written only after the sync of n returned, so that only the last batch on disk can be torn.
/// </summary>
/// <remarks>Format: <see cref="SegmentFormat"/>. Recovery: <see cref="LogRecovery"/>. Adding and Commit belong to PERSIST; Read to APPLY.</remarks>
public sealed class SegmentedRaftLog : IRaftLog
{
    private const string NewSegmentName = "segment.new";

    private readonly IDisk _disk;
    private readonly RaftLogOptions _options;
    private readonly SplitMix _salts;
    private readonly ByteWriter _batch = new(1024 * 1024);
    private readonly List<Action> _placed = [];
    private readonly Lock _lock = new();
    private readonly SortedDictionary<GroupId, GroupLog> _groups;
    private readonly SortedDictionary<ulong, Segment> _segments;
    private Segment _current;
    private ulong _nextBatch;
    private long _writeOffset;
    private long _zeroedTo;
    private int _records;
    private byte[] _zeros = [];

    private SegmentedRaftLog(IDisk disk, RaftLogOptions options, ulong saltSeed, LogRecovery recovery)
    {
        _disk = disk;
        _options = options;
        _salts = new SplitMix(saltSeed);
        _groups = recovery.Groups;
        _segments = recovery.Segments;
        _nextBatch = recovery.NextBatch;
        if (_segments.Count == 0)
        {
            _current = CreateSegment(1);
        }
        else
        {
            _current = _segments.Values.Last();
            _writeOffset = recovery.EndOffset;
            _zeroedTo = recovery.EndOffset;
        }

        SegmentFormat.BeginBatch(_batch);
    }

    /// <summary>
    /// Recovers the log in <paramref name="disk"/>. Everything it returns is on stable storage when it returns. <paramref name="saltSeed"/>
    /// draws the salts of new segments. Throws <see cref="LogCorruptException"/> on rot.
    /// </summary>
    public static SegmentedRaftLog Open(IDisk disk, RaftLogOptions options, ulong saltSeed, out RecoveredLog recovered)
    {
        foreach (string leftover in disk.List().Where(name => name == NewSegmentName)) disk.Delete(leftover);
        LogRecovery recovery = LogRecovery.Run(disk);
        recovered = recovery.ToRecovered();
        return new SegmentedRaftLog(disk, options, saltSeed, recovery);
    }

    /// <inheritdoc/>
    public LogUsage Usage
    {
        get
        {
            lock (_lock)
            {
                ulong oldest = _segments.Keys.First();
                return new LogUsage(_segments.Values.Sum(segment => segment.File.Length), _options.BudgetBytes, _options.SegmentBytes,
                    [.. _groups.Values.Where(log => log.HasEntriesIn(oldest)).Select(log => log.Group)]);
            }
        }
    }

    /// <inheritdoc/>
    public void AddHardState(GroupId group, ReplicaId replica, HardState hardState)
    {
        GroupLog log = GroupOf(group);
        int start = SegmentFormat.BeginRecord(_batch, RecordKind.HardState, 0, group, replica, log.TakeWriteSequence());
        _batch.U64(hardState.Term.Value);
        _batch.U64(hardState.Vote.Value);
        _batch.U64(hardState.Commit.Value);
        Finish(start);
        _placed.Add(() => log.SetHardState(hardState));
    }

    /// <inheritdoc/>
    public void AddEntries(GroupId group, ReplicaId replica, ReadOnlySpan<Entry> entries)
    {
        GroupLog log = GroupOf(group);
        foreach (ref readonly Entry entry in entries)
        {
            int start = SegmentFormat.BeginRecord(_batch, RecordKind.Entry, entry.FeatureLevel, group, replica, log.TakeWriteSequence());
            SegmentFormat.WriteEntry(_batch, entry);
            Finish(start);
            PlacedEntry placed = new(log, entry.Index, entry.Term, start, _batch.Length - start);
            _placed.Add(() => Place(placed));
        }
    }

    /// <inheritdoc/>
    public void AddCommitPoint(GroupId group, CommitPoint point, bool keepsLogBehind)
    {
        GroupLog log = GroupOf(group);
        int start = SegmentFormat.BeginRecord(_batch, RecordKind.CommitPoint, 0, group, point.Replica, log.TakeWriteSequence());
        SegmentFormat.WriteCommitPoint(_batch, point, keepsLogBehind);
        Finish(start);
        _placed.Add(() => log.SetCommitPoint(point, keepsLogBehind));
    }

    /// <inheritdoc/>
    public void AddInitialised(DiskIdentity identity)
    {
        int start = SegmentFormat.BeginRecord(_batch, RecordKind.Initialised, 0, default, default, 0);
        SegmentFormat.WriteIdentity(_batch, identity);
        Finish(start);
    }

    /// <inheritdoc/>
    public void Commit()
    {
        if (_records == 0) return;
        long span = (_batch.Length + SegmentFormat.BlockBytes - 1L) / SegmentFormat.BlockBytes * SegmentFormat.BlockBytes;
        if (_writeOffset + span > _options.SegmentBytes && _writeOffset > SegmentFormat.BlockBytes) RollAndReseal();
        SegmentFormat.FinishBatch(_batch, _current.Header.Seal, _nextBatch, _records);
        ZeroAhead(span);
        _current.File.Write(_writeOffset, _batch.Written);
        _current.File.Sync();
        Place();
        _nextBatch++;
        _writeOffset += span;
        _records = 0;
        _batch.Clear();
        SegmentFormat.BeginBatch(_batch);
    }

    /// <inheritdoc/>
    public Entry[] Read(GroupId group, LogIndex first, LogIndex last, int maxBytes)
    {
        List<(EntryPlace Place, Segment Segment)> places = [];
        lock (_lock)
        {
            if (!_groups.TryGetValue(group, out GroupLog? log)) return [];
            long bytes = 0;
            for (LogIndex index = first; index <= last && log.Holds(index); index = index.Next)
            {
                EntryPlace place = log.PlaceOf(index);
                bytes += place.Bytes;
                if (places.Count > 0 && bytes > maxBytes) break;
                places.Add((place, _segments[place.Segment]));
            }
        }

        Entry[] entries = new Entry[places.Count];
        for (int i = 0; i < entries.Length; i++) entries[i] = ReadEntry(places[i].Place, places[i].Segment);
        return entries;
    }

    public void Dispose()
    {
        foreach (Segment segment in _segments.Values) segment.File.Dispose();
    }

    private static Entry ReadEntry(EntryPlace place, Segment segment)
    {
        byte[] bytes = new byte[place.Bytes];
        int read = segment.File.Read(place.Offset, bytes);
        try
        {
            Record record = SegmentFormat.ReadRecord(bytes.AsMemory(0, read), segment.Header.Seal);
            return SegmentFormat.ReadEntry(record);
        }
        catch (MalformedException malformed)
        {
            throw new LogCorruptException(segment.File.Name, place.Offset, malformed.Message);
        }
    }

    private void Finish(int start)
    {
        SegmentFormat.FinishRecord(_batch, start, _current.Header.Seal);
        _records++;
    }

    /// <summary>The batch is durable: now, and only now, the index shows it.</summary>
    private void Place()
    {
        lock (_lock)
        {
            // In the order they were added, which is the order recovery will read them in.
            foreach (Action place in _placed) place();
        }

        _placed.Clear();
    }

    private void Place(in PlacedEntry entry)
    {
        EntryPlace place = new(_current.Header.Sequence, _writeOffset + entry.Start, entry.Bytes, entry.Term);
        Invariant.Holds(entry.Log.TrySetEntry(entry.Index, place), $"{entry.Log.Group}: entry {entry.Index} does not follow {entry.Log.Last}");
    }

    /// <summary>Continues in a new segment. The records gathered so far were sealed for the old one: seal them again.</summary>
    private void RollAndReseal()
    {
        _current = CreateSegment(_current.Header.Sequence + 1);
        for (int start = SegmentFormat.BatchHeaderBytes; start < _batch.Length;)
        {
            ByteReader reader = new(_batch.WrittenMemory[start..]);
            int covered = (int)reader.U32();
            _batch.PatchU32(start + 4, Crc32C.Of(_current.Header.Seal, _batch.Written.Slice(start + SegmentFormat.RecordHeaderBytes, covered)));
            start += SegmentFormat.RecordHeaderBytes + covered;
        }
    }

    /// <summary>A segment gets its name only when its header is durable, so that a header that does not parse is rot, never a crash's trace.</summary>
    private Segment CreateSegment(ulong sequence)
    {
        SegmentHeader header = new(sequence, _salts.Next(), _nextBatch);
        ByteWriter block = new(SegmentFormat.BlockBytes);
        SegmentFormat.WriteSegmentHeader(block, header);
        using (IDiskFile file = _disk.Create(NewSegmentName))
        {
            file.Write(0, block.Written);
            file.Sync();
        }

        _disk.Rename(NewSegmentName, SegmentFormat.NameOf(sequence));
        _disk.SyncDirectory();
        Segment segment = new(header, _disk.Open(SegmentFormat.NameOf(sequence)));
        lock (_lock) _segments.Add(sequence, segment);
        _writeOffset = _zeroedTo = SegmentFormat.BlockBytes;
        return segment;
    }

    private void ZeroAhead(long span)
    {
        if (_writeOffset + span <= _zeroedTo) return;
        if (_zeros.Length != _options.ZeroAheadBytes) _zeros = new byte[_options.ZeroAheadBytes];
        _current.File.Write(_writeOffset + span, _zeros);
        _zeroedTo = _writeOffset + span + _zeros.Length;
    }

    private GroupLog GroupOf(GroupId group)
    {
        if (_groups.TryGetValue(group, out GroupLog? log)) return log;
        log = new GroupLog(group);
        lock (_lock) _groups.Add(group, log);
        return log;
    }

    private readonly record struct PlacedEntry(GroupLog Log, LogIndex Index, Term Term, int Start, int Bytes);
}

/// <summary>An open segment file.</summary>
internal sealed record Segment(SegmentHeader Header, IDiskFile File);
