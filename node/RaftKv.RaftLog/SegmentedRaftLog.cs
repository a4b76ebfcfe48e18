using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// The node's raft log: append-only segments shared by all groups. A batch is one write and one sync; batch n + 1 is
/// written only after the sync of n returned, so that only the last batch on disk can be torn.
/// </summary>
/// <remarks>
/// Format: <see cref="SegmentFormat"/>. Recovery: <see cref="LogRecovery"/>. Giving back: <see cref="SegmentFreeing"/>. Adding and Commit belong to PERSIST;
/// Read to APPLY. Hot path: no allocation per record.
/// </remarks>
public sealed class SegmentedRaftLog : IRaftLog
{
    private readonly RaftLogOptions _options;
    private readonly SegmentSet _segments;
    private readonly LiveRecords _live;
    private readonly SegmentFreeing _freeing;
    private readonly ByteWriter _batch = new(1024 * 1024);
    private readonly List<AddedRecord> _added = [];
    private ulong _nextBatch;

    private SegmentedRaftLog(IDisk disk, RaftLogOptions options, ulong saltSeed, LogRecovery recovery)
    {
        _options = options;
        _segments = new SegmentSet(disk, options, saltSeed, recovery);
        _live = recovery.ToLiveRecords();
        _freeing = new SegmentFreeing(_segments, _live, options, recovery.First);
        _nextBatch = recovery.NextBatch;
        SegmentFormat.BeginBatch(_batch);
    }

    /// <summary>
    /// Recovers the log in <paramref name="disk"/>. Everything it returns is on stable storage when it returns. <paramref name="saltSeed"/>
    /// draws the salts of new segments. Throws <see cref="LogCorruptException"/> on rot.
    /// </summary>
    public static SegmentedRaftLog Open(IDisk disk, RaftLogOptions options, ulong saltSeed, out RecoveredLog recovered)
    {
        SegmentSet.DeleteLeftover(disk);
        LogRecovery recovery = LogRecovery.Run(disk);
        recovered = recovery.ToRecovered();
        return new SegmentedRaftLog(disk, options, saltSeed, recovery);
    }

    /// <inheritdoc/>
    public LogUsage Usage => new(_segments.Bytes, _options.BudgetBytes);

    /// <inheritdoc/>
    public IReadOnlyList<GroupId> PinningOldest => _live.WithEntriesIn(_segments.Oldest);

    /// <inheritdoc/>
    public void AddHardState(GroupId group, ReplicaId replica, HardState hardState)
    {
        AddedRecord record = Begin(RecordKind.HardState, 0, _live.GroupOf(group), replica);
        _batch.U64(hardState.Term.Value);
        _batch.U64(hardState.Vote.Value);
        _batch.U64(hardState.Commit.Value);
        Finish(record with { Term = hardState.Term, Vote = hardState.Vote, Index = hardState.Commit });
    }

    /// <inheritdoc/>
    public void AddEntries(GroupId group, ReplicaId replica, ReadOnlySpan<Entry> entries)
    {
        GroupLog log = _live.GroupOf(group);
        foreach (ref readonly Entry entry in entries)
        {
            AddedRecord record = Begin(RecordKind.Entry, entry.FeatureLevel, log, replica);
            SegmentFormat.WriteEntry(_batch, entry);
            Finish(record with { Index = entry.Index, Term = entry.Term, IsConfiguration = entry.Kind == EntryKind.Configuration });
        }
    }

    /// <inheritdoc/>
    public void AddCommitPoint(GroupId group, CommitPoint point, bool keepsLogBehind)
    {
        GroupLog log = _live.GroupOf(group);
        // Before it is written: a record that says so wrongly could not be recovered from.
        Invariant.Holds(!keepsLogBehind || WillLeadTo(log, point), $"{group}: commit point {point.Index}/{point.Term} keeps what is behind it, but the log does not hold it");
        AddedRecord record = Begin(RecordKind.CommitPoint, 0, log, point.Replica);
        SegmentFormat.WriteCommitPoint(_batch, point, keepsLogBehind);
        Finish(record with { Point = point, KeepsLogBehind = keepsLogBehind });
    }

    /// <inheritdoc/>
    public void AddTombstone(GroupId group, ReplicaId replica)
    {
        AddedRecord record = Begin(RecordKind.Tombstone, 0, _live.GroupOf(group), replica);
        Finish(record with { Vote = replica });
    }

    /// <inheritdoc/>
    public void AddInitialised(DiskIdentity identity)
    {
        int start = SegmentFormat.BeginRecord(_batch, RecordKind.Initialised, 0, default, default, 0);
        SegmentFormat.WriteIdentity(_batch, identity);
        Finish(new AddedRecord(RecordKind.Initialised, null, 0, start, 0));
    }

    /// <inheritdoc/>
    public void Commit()
    {
        if (_added.Count == 0) return;
        _freeing.Gather(_batch);
        if (!_segments.HasRoomFor(SegmentFormat.SpanOf(_batch.Length))) _segments.Roll(_nextBatch);
        SegmentFormat.FinishBatch(_batch, _segments.Current.Header.Seal, _nextBatch);
        long offset = _segments.Append(_batch.Written);
        _live.Place(_segments.Current, offset, _freeing.Carried, _added);
        _freeing.Finish();
        _nextBatch++;
        _added.Clear();
        _batch.Clear();
        SegmentFormat.BeginBatch(_batch);
    }

    /// <inheritdoc/>
    public Entry[] Read(GroupId group, LogIndex first, LogIndex last, int maxBytes)
    {
        List<EntryPlace> places = _live.Hold(group, first, last, maxBytes);
        try
        {
            Entry[] entries = new Entry[places.Count];
            for (int i = 0; i < entries.Length; i++) entries[i] = ReadEntry(places[i].Record);
            return entries;
        }
        finally
        {
            _live.Release(places);
        }
    }

    public void Dispose() => _segments.Dispose();

    private static Entry ReadEntry(in RecordPlace place)
    {
        byte[] bytes = new byte[place.Bytes];
        int read = place.Segment.File.Read(place.Offset, bytes);
        try
        {
            Record record = SegmentFormat.ReadRecord(bytes.AsMemory(0, read), place.Segment.Header.Seal);
            return SegmentFormat.ReadEntry(record);
        }
        catch (MalformedException malformed)
        {
            throw new LogCorruptException(place.Segment.File.Name, place.Offset, malformed.Message);
        }
    }

    private AddedRecord Begin(RecordKind kind, byte featureLevel, GroupLog log, ReplicaId replica)
    {
        ulong sequence = log.TakeWriteSequence();
        return new AddedRecord(kind, log, sequence, SegmentFormat.BeginRecord(_batch, kind, featureLevel, log.Group, replica, sequence), 0);
    }

    private void Finish(in AddedRecord record)
    {
        SegmentFormat.FinishRecord(_batch, record.Start);
        _added.Add(record with { Bytes = _batch.Length - record.Start });
    }

    /// <summary>Whether the group's log leads to the point once the batch being gathered is durable.</summary>
    private bool WillLeadTo(GroupLog log, CommitPoint point)
    {
        for (int i = _added.Count - 1; i >= 0; i--)
        {
            AddedRecord added = _added[i];
            if (added.Log != log) continue;
            if (added.Kind == RecordKind.Tombstone) return false;
            if (added.Kind == RecordKind.Entry && added.Index <= point.Index) return (added.Index, added.Term) == (point.Index, point.Term);
            if (added.Kind == RecordKind.CommitPoint && (!added.KeepsLogBehind || point.Index <= added.Point!.Index)) return (added.Point!.Index, added.Point.Term) == (point.Index, point.Term);
        }

        return log.LeadsTo(point.Index, point.Term);
    }
}
