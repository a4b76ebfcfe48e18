using System.Runtime.InteropServices;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// Recovery of one group: gathers where its records lie, in any order and some of them twice, and then finds out which of them count, by
/// their write sequences alone. Holds places, never payloads.
/// </summary>
/// <remarks>
/// The rules. The same write sequence twice is a record and its copy carried forward: they are identical, and the one that lies later is
/// used. The newest hard state and the newest commit point P count. An entry is dead when
/// <list type="bullet">
/// <item>a newer tombstone removed the replica (that kills hard states and commit points too), or</item>
/// <item>a newer commit point does not keep the log behind it, or</item>
/// <item>a newer entry has the same or a lower index (each entry replaces what stood at its index and after it), or</item>
/// <item>its index is at or below that of P.</item>
/// </list>
/// The others are alive and must be consecutive from P.Index + 1 on.
/// <para>
/// Why this is right although segments are gone: what kills a record is itself a record, its killer. It was written after the record, when
/// only copies existed that lie in the same or in earlier segments; and since what is dead is never carried forward, no copy is made later.
/// So no copy of a record lies in a later segment than its killer. Segments are freed strictly oldest first: where a copy is still there, so
/// is every later segment, and in one of them, or in the same, the killer. Freed in another order, or with copies of dead records made, a
/// truncation would be forgotten while what it truncated was still there.
/// </para>
/// What is alive is always there: its segment is freed only after its copy was synced. What is dead may be there or not; so among the records
/// there may be holes, which their killers cover.
/// </remarks>
internal sealed class GroupReplay(GroupId group)
{
    private readonly List<GatheredRecord> _records = [];
    private CommitPoint? _point;
    private ulong _pointSequence;
    private HardState _hardState;
    private ulong _hardStateSequence;
    private ReplicaId _tombstone;
    private ulong _tombstoneSequence;

    /// <summary>Notes a record. Throws <see cref="MalformedException"/> when it does not parse.</summary>
    public void Add(in Record record, in RecordPlace place)
    {
        if (record.WriteSequence == 0) throw new MalformedException($"{group}: {record.Kind} without a write sequence");
        GatheredRecord gathered = new(record.Kind, Crc32C.Of(record.Covered.Span), place);
        switch (record.Kind)
        {
            case RecordKind.HardState:
                HardState hardState = SegmentFormat.ReadHardState(record);
                if (record.WriteSequence >= _hardStateSequence) (_hardState, _hardStateSequence) = (hardState, record.WriteSequence);
                break;
            case RecordKind.CommitPoint:
                CommitPoint point = SegmentFormat.ReadCommitPoint(record, out bool keepsLogBehind);
                if (record.WriteSequence >= _pointSequence) (_point, _pointSequence) = (point, record.WriteSequence);
                gathered = gathered with { KeepsLogBehind = keepsLogBehind };
                break;
            case RecordKind.Entry:
                Entry entry = SegmentFormat.ReadEntry(record);
                gathered = gathered with { Index = entry.Index, Term = entry.Term, IsConfiguration = entry.Kind == EntryKind.Configuration };
                break;
            case RecordKind.Tombstone:
                if (record.WriteSequence >= _tombstoneSequence) (_tombstone, _tombstoneSequence) = (record.Replica, record.WriteSequence);
                break;
            default:
                throw new MalformedException($"record kind {(byte)record.Kind}");
        }

        _records.Add(gathered);
    }

    /// <summary>The group as it was when the last of these records became durable; to be called once. Throws <see cref="LogCorruptException"/> when there was no such time.</summary>
    public GroupLog Resolve()
    {
        _records.Sort();
        DropCopies();
        DropBeforeTombstone();
        GroupLog log = new(group, _records[^1].Place.WriteSequence);
        foreach (ref readonly GatheredRecord record in CollectionsMarshal.AsSpan(_records))
        {
            if (record.Place.WriteSequence == _tombstoneSequence) log.SetTombstone(_tombstone, record.Place);
            if (record.Place.WriteSequence == _hardStateSequence) log.SetHardState(_hardState, record.Place);
            if (record.Place.WriteSequence == _pointSequence) log.SetCommitPoint(_point!, keepsLogBehind: false, record.Place);
        }

        ReadOnlySpan<GatheredRecord> live = LiveEntries();
        log.EnsureRoomFor(live.Length);
        foreach (ref readonly GatheredRecord entry in live)
        {
            if (_point is null) throw Corrupt(entry, $"entry {entry.Index} of a group without a commit point: synced log was lost");
            if (!log.TrySetEntry(entry.Index, entry.Term, entry.IsConfiguration, entry.Place)) throw Corrupt(entry, $"entry {entry.Index} does not follow {log.Last}: synced log was lost");
        }

        return log;
    }

    /// <summary>A removal kills everything before it.</summary>
    private void DropBeforeTombstone()
    {
        if (_tombstoneSequence == 0) return;
        _records.RemoveAll(record => record.Place.WriteSequence < _tombstoneSequence);
        if (_hardStateSequence < _tombstoneSequence) (_hardState, _hardStateSequence) = (default, 0);
        if (_pointSequence < _tombstoneSequence) (_point, _pointSequence) = (null, 0);
    }

    /// <summary>Keeps of each write sequence the record that lies latest.</summary>
    private void DropCopies()
    {
        int kept = 0;
        for (int i = 0; i < _records.Count; i++)
        {
            GatheredRecord record = _records[i];
            if (kept > 0 && _records[kept - 1].Place.WriteSequence == record.Place.WriteSequence)
            {
                if (!_records[--kept].IsCopyOf(record)) throw Corrupt(record, $"write sequence {record.Place.WriteSequence} is another record than in {_records[kept].Place.Segment} at offset {_records[kept].Place.Offset}");
            }

            _records[kept++] = record;
        }

        _records.RemoveRange(kept, _records.Count - kept);
    }

    /// <summary>Ascending in index and in write sequence; gathered at the end of the list, over what was looked at already.</summary>
    private ReadOnlySpan<GatheredRecord> LiveEntries()
    {
        int start = _records.Count;
        LogIndex lowest = new(ulong.MaxValue);
        for (int i = _records.Count - 1; i >= 0; i--)
        {
            GatheredRecord record = _records[i];
            if (record is { Kind: RecordKind.CommitPoint, KeepsLogBehind: false }) break;
            if (record.Kind != RecordKind.Entry || record.Index >= lowest) continue;
            lowest = record.Index;
            bool isCovered = _point is not null && record.Index <= _point.Index;
            if (isCovered && record.Place.WriteSequence > _pointSequence) throw Corrupt(record, $"entry {record.Index} was written after the commit point at {_point!.Index}");
            if (!isCovered) _records[--start] = record;
        }

        return CollectionsMarshal.AsSpan(_records)[start..];
    }

    private LogCorruptException Corrupt(in GatheredRecord record, string what) => new(record.Place.Segment.File.Name, record.Place.Offset, $"{group}: {what}");

    /// <summary>What is known of a record without its payload. In the order of write sequence, then of place.</summary>
    private readonly record struct GatheredRecord(RecordKind Kind, uint Digest, RecordPlace Place) : IComparable<GatheredRecord>
    {
        public LogIndex Index { get; init; }

        public Term Term { get; init; }

        public bool KeepsLogBehind { get; init; }

        public bool IsConfiguration { get; init; }

        public bool IsCopyOf(in GatheredRecord other) => Kind == other.Kind && Digest == other.Digest && Place.Bytes == other.Place.Bytes;

        public int CompareTo(GatheredRecord other)
        {
            int order = Place.WriteSequence.CompareTo(other.Place.WriteSequence);
            if (order == 0) order = Place.Segment.Sequence.CompareTo(other.Place.Segment.Sequence);
            return order != 0 ? order : Place.Offset.CompareTo(other.Place.Offset);
        }
    }
}
