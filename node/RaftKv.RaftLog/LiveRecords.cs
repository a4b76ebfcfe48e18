using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// Where every record lies that still counts: each group's, and the node's birth certificate. Changes only when the batch that changes it is
/// durable.
/// </summary>
/// <remarks>Changed by PERSIST alone, which therefore reads without the lock; APPLY and others read under it. Hot path: no allocation per record.</remarks>
internal sealed class LiveRecords(SortedDictionary<GroupId, GroupLog> groups, RecordPlace? identity)
{
    private readonly Lock _lock = new();

    /// <summary>PERSIST only.</summary>
    public IReadOnlyCollection<GroupLog> Groups => groups.Values;

    /// <summary>Where the Initialised record lies. PERSIST only.</summary>
    public RecordPlace? Identity { get; private set; } = identity;

    /// <summary>PERSIST only.</summary>
    public GroupLog GroupOf(GroupId group)
    {
        if (groups.TryGetValue(group, out GroupLog? log)) return log;
        log = new GroupLog(group);
        lock (_lock) groups.Add(group, log);
        return log;
    }

    /// <summary>
    /// The batch at <paramref name="offset"/> of <paramref name="segment"/> is durable: now, and only now, its records count. What was carried is moved
    /// first, for a record added to the same batch may have replaced it.
    /// </summary>
    public void Place(Segment segment, long offset, List<CarriedRecord> carried, List<AddedRecord> added)
    {
        lock (_lock)
        {
            foreach (CarriedRecord record in carried)
            {
                RecordPlace to = record.From with { Segment = segment, Offset = offset + record.Start };
                if (record.Log is { } log) log.Move(record.Kind, record.Index, record.From, to);
                else SetIdentity(to);
            }

            // In the order they were added, which is the order of their write sequences.
            foreach (AddedRecord record in added) Place(record, new RecordPlace(segment, offset + record.Start, record.Bytes, record.WriteSequence));
        }
    }

    /// <summary>
    /// The places of the entries from <paramref name="first"/> to at most <paramref name="last"/>, cut at <paramref name="maxBytes"/> but at least one. Their segments
    /// stay what they are until <see cref="Release"/>.
    /// </summary>
    public List<EntryPlace> Hold(GroupId group, LogIndex first, LogIndex last, int maxBytes)
    {
        List<EntryPlace> places = [];
        lock (_lock)
        {
            if (!groups.TryGetValue(group, out GroupLog? log)) return places;
            long bytes = 0;
            for (LogIndex index = first; index <= last && log.Holds(index); index = index.Next)
            {
                EntryPlace place = log.PlaceOf(index);
                bytes += place.Record.Bytes;
                if (places.Count > 0 && bytes > maxBytes) break;
                places.Add(place);
                place.Record.Segment.Readers++;
            }
        }

        return places;
    }

    public void Release(List<EntryPlace> places)
    {
        lock (_lock)
        {
            foreach (EntryPlace place in places) place.Record.Segment.Readers--;
        }
    }

    /// <summary>Whether no record there counts and nobody reads one; it stays so, for nobody can begin to.</summary>
    public bool IsDone(Segment segment)
    {
        lock (_lock) return segment.LiveBytes == 0 && segment.Readers == 0;
    }

    /// <summary>The groups with live entries in the segment. Any thread.</summary>
    public IReadOnlyList<GroupId> WithEntriesIn(Segment segment)
    {
        lock (_lock) return [.. groups.Values.Where(log => log.EntriesIn(segment) > 0).Select(log => log.Group)];
    }

    private void Place(in AddedRecord record, in RecordPlace place)
    {
        switch (record.Kind)
        {
            case RecordKind.Entry:
                Invariant.Holds(record.Log!.TrySetEntry(record.Index, record.Term, record.IsConfiguration, place), $"{record.Log.Group}: entry {record.Index} does not follow {record.Log.Last}");
                break;
            case RecordKind.HardState:
                record.Log!.SetHardState(new HardState(record.Term, record.Vote, record.Index), place);
                break;
            case RecordKind.CommitPoint:
                record.Log!.SetCommitPoint(record.Point!, record.KeepsLogBehind, place);
                break;
            case RecordKind.Tombstone:
                record.Log!.SetTombstone(record.Vote, place);
                break;
            case RecordKind.Initialised:
                SetIdentity(place);
                break;
        }
    }

    private void SetIdentity(in RecordPlace place)
    {
        if (Identity is { } old) old.Segment.LiveBytes -= old.Bytes;
        place.Segment.LiveBytes += place.Bytes;
        Identity = place;
    }
}

/// <summary>A record of the batch being gathered: what will count once it is durable. A hard state's commit is <see cref="Index"/>, a tombstone's replica <see cref="Vote"/>.</summary>
internal readonly record struct AddedRecord(RecordKind Kind, GroupLog? Log, ulong WriteSequence, int Start, int Bytes)
{
    public LogIndex Index { get; init; }

    public Term Term { get; init; }

    public ReplicaId Vote { get; init; }

    public CommitPoint? Point { get; init; }

    public bool KeepsLogBehind { get; init; }

    public bool IsConfiguration { get; init; }
}

/// <summary>A live record of the oldest segment, copied into the batch being gathered. <see cref="Log"/> is null for the Initialised record.</summary>
internal readonly record struct CarriedRecord(RecordKind Kind, GroupLog? Log, LogIndex Index, RecordPlace From, int Start);
