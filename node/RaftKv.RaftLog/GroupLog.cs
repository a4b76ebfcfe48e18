using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// One group's part of the log: its live records, that is its latest hard state, its latest commit point and the entries behind it,
/// and where each lies. Keeps the segments' live bytes right.
/// </summary>
/// <remarks>
/// Owned by <see cref="LiveRecords"/>, which locks it: the writer changes, the applier looks up. Live entries grow in index and in write
/// sequence together, but not in place: what was carried forward lies behind younger ones. Hot path: no allocation per entry.
/// </remarks>
/// <param name="writeSequence">The last write sequence used.</param>
internal sealed class GroupLog(GroupId group, ulong writeSequence = 0)
{
    private readonly List<EntryPlace> _entries = [];

    /// <summary>How many of the entries lie in which segment; none with 0.</summary>
    private readonly List<(Segment Segment, int Entries)> _shares = [];

    public GroupId Group { get; } = group;

    /// <summary>The last write sequence used; the next record takes one more.</summary>
    public ulong WriteSequence { get; private set; } = writeSequence;

    public HardState HardState { get; private set; }

    public CommitPoint? CommitPoint { get; private set; }

    public RecordPlace? HardStatePlace { get; private set; }

    public RecordPlace? CommitPointPlace { get; private set; }

    /// <summary>The highest replica that was removed here; none if there was none.</summary>
    public ReplicaId Tombstone { get; private set; }

    public RecordPlace? TombstonePlace { get; private set; }

    public LogIndex First => CommitPoint is null ? LogIndex.Zero : CommitPoint.Index.Next;

    public LogIndex Last => new(First.Value + (ulong)_entries.Count - 1);

    public ulong TakeWriteSequence() => ++WriteSequence;

    /// <summary>Before that many entries are added one by one.</summary>
    public void EnsureRoomFor(int entries) => _entries.EnsureCapacity(entries);

    public void SetHardState(HardState hardState, in RecordPlace place)
    {
        HardState = hardState;
        HardStatePlace = Replaced(HardStatePlace, place);
    }

    /// <summary>
    /// Moves the commit point. The group's entries up to its index are dropped, and those behind it too unless
    /// <paramref name="keepsLogBehind"/>; then <see cref="LeadsTo"/> it.
    /// </summary>
    public void SetCommitPoint(CommitPoint point, bool keepsLogBehind, in RecordPlace place)
    {
        Invariant.Holds(!keepsLogBehind || LeadsTo(point.Index, point.Term), $"{Group}: commit point {point.Index}/{point.Term} keeps what is behind it, but the log from {First} to {Last} does not hold it");
        Drop(0, keepsLogBehind ? (int)(point.Index.Value + 1 - First.Value) : _entries.Count);
        CommitPoint = point;
        CommitPointPlace = Replaced(CommitPointPlace, place);
    }

    /// <summary>Everything of the group is dropped: the replica was removed.</summary>
    public void SetTombstone(ReplicaId replica, in RecordPlace place)
    {
        Drop(0, _entries.Count);
        if (HardStatePlace is { } hardState) hardState.Segment.LiveBytes -= hardState.Bytes;
        if (CommitPointPlace is { } point) point.Segment.LiveBytes -= point.Bytes;
        (HardState, HardStatePlace, CommitPoint, CommitPointPlace) = (default, null, null, null);
        Tombstone = replica;
        TombstonePlace = Replaced(TombstonePlace, place);
    }

    /// <summary>Whether the log holds an entry of this index and term, or its commit point is there (only epoch or configuration move then).</summary>
    public bool LeadsTo(LogIndex index, Term term) =>
        Holds(index) ? PlaceOf(index).Term == term : CommitPoint is not null && (CommitPoint.Index, CommitPoint.Term) == (index, term);

    /// <summary>Adds the entry at <paramref name="index"/>, replacing what stood there and after it. False when it leaves a gap.</summary>
    public bool TrySetEntry(LogIndex index, Term term, bool isConfiguration, in RecordPlace place)
    {
        if (CommitPoint is null || index < First || index > Last.Next) return false;
        int position = (int)(index.Value - First.Value);
        Drop(position, _entries.Count - position);
        _entries.Add(new EntryPlace(place, term, isConfiguration));
        AddShare(place.Segment, 1);
        place.Segment.LiveBytes += place.Bytes;
        return true;
    }

    public EntryPlace PlaceOf(LogIndex index) => _entries[(int)(index.Value - First.Value)];

    public bool Holds(LogIndex index) => CommitPoint is not null && index >= First && index <= Last;

    public int EntriesIn(Segment segment)
    {
        foreach (var share in _shares)
            if (share.Segment == segment) return share.Entries;
        return 0;
    }

    /// <summary>The copy of a live record, written to <paramref name="to"/>, takes its place; nothing else changes.</summary>
    public void Move(RecordKind kind, LogIndex index, in RecordPlace from, in RecordPlace to)
    {
        switch (kind)
        {
            case RecordKind.HardState:
                Invariant.Holds(HardStatePlace == from, $"{Group}: the hard state was carried from {from}, but lies at {HardStatePlace}");
                HardStatePlace = Replaced(from, to);
                break;
            case RecordKind.CommitPoint:
                Invariant.Holds(CommitPointPlace == from, $"{Group}: the commit point was carried from {from}, but lies at {CommitPointPlace}");
                CommitPointPlace = Replaced(from, to);
                break;
            case RecordKind.Tombstone:
                Invariant.Holds(TombstonePlace == from, $"{Group}: the tombstone was carried from {from}, but lies at {TombstonePlace}");
                TombstonePlace = Replaced(from, to);
                break;
            default:
                EntryPlace entry = PlaceOf(index);
                Invariant.Holds(entry.Record == from, $"{Group}: entry {index} was carried from {from}, but lies at {entry.Record}");
                _entries[(int)(index.Value - First.Value)] = entry with { Record = Replaced(from, to) };
                AddShare(from.Segment, -1);
                AddShare(to.Segment, 1);
                break;
        }
    }

    public RecoveredGroup ToRecovered()
    {
        List<(LogIndex First, Term Term)> runs = [];
        List<LogIndex> configurations = [];
        for (int i = 0; i < _entries.Count; i++)
        {
            if (runs.Count == 0 || runs[^1].Term != _entries[i].Term) runs.Add((First + (ulong)i, _entries[i].Term));
            if (_entries[i].IsConfiguration) configurations.Add(First + (ulong)i);
        }

        return new RecoveredGroup(Group, CommitPoint!, HardState, runs, Last) { ConfigurationIndexes = configurations };
    }

    private static RecordPlace Replaced(in RecordPlace? old, in RecordPlace place)
    {
        if (old is { } dead) dead.Segment.LiveBytes -= dead.Bytes;
        place.Segment.LiveBytes += place.Bytes;
        return place;
    }

    private void Drop(int position, int count)
    {
        // Segment by segment, for neighbours mostly share theirs.
        for (int i = position; i < position + count;)
        {
            Segment segment = _entries[i].Record.Segment;
            int start = i;
            for (; i < position + count && _entries[i].Record.Segment == segment; i++) segment.LiveBytes -= _entries[i].Record.Bytes;
            AddShare(segment, start - i);
        }

        _entries.RemoveRange(position, count);
    }

    private void AddShare(Segment segment, int entries)
    {
        int at = _shares.Count - 1; // Mostly the current segment, which was added last.
        while (at >= 0 && _shares[at].Segment != segment) at--;
        int sum = entries + (at < 0 ? 0 : _shares[at].Entries);
        Invariant.Holds(sum >= 0, $"{Group}: {sum} entries in {segment}");
        if (at < 0) _shares.Add((segment, sum));
        else if (sum == 0) _shares.RemoveAt(at);
        else _shares[at] = (segment, sum);
    }
}
