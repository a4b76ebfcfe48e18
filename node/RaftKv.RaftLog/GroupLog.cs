using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>Where an entry lies on disk.</summary>
internal readonly record struct EntryPlace(ulong Segment, long Offset, int Bytes, Term Term);

/// <summary>
/// One group's part of the log: where its entries lie and its latest hard state and commit point. Fed by recovery and by
/// the writer in the same way, record by record in write sequence.
/// </summary>
/// <remarks>Owned by SegmentedRaftLog, which locks it: the writer adds, the applier looks up.</remarks>
internal sealed class GroupLog(GroupId group)
{
    private readonly List<EntryPlace> _places = [];

    public GroupId Group { get; } = group;

    /// <summary>The last write sequence used; the next record takes one more.</summary>
    public ulong WriteSequence { get; private set; }

    public HardState HardState { get; private set; }

    public CommitPoint? CommitPoint { get; private set; }

    public LogIndex First => CommitPoint is null ? LogIndex.Zero : CommitPoint.Index.Next;

    public LogIndex Last => new(First.Value + (ulong)_places.Count - 1);

    public ulong TakeWriteSequence() => ++WriteSequence;

    /// <summary>Recovery: a record with this write sequence comes next. False when it is not newer than all before.</summary>
    public bool TryNoteWriteSequence(ulong sequence)
    {
        if (sequence <= WriteSequence) return false;
        WriteSequence = sequence;
        return true;
    }

    public void SetHardState(HardState hardState) => HardState = hardState;

    /// <summary>
    /// Moves the commit point. The group's entries up to its index are dropped, and those behind it too unless
    /// <paramref name="keepsLogBehind"/>; then the log holds (index, term), or has its point there already (design §7).
    /// </summary>
    public void SetCommitPoint(CommitPoint point, bool keepsLogBehind)
    {
        // The same point drops nothing: only the epoch or the configuration moves.
        bool isSame = CommitPoint is not null && point.Index == CommitPoint.Index && point.Term == CommitPoint.Term;
        bool holds = isSame || (Holds(point.Index) && PlaceOf(point.Index).Term == point.Term);
        Invariant.Holds(holds || !keepsLogBehind, $"{Group}: commit point {point.Index}/{point.Term} keeps what is behind it, but the log from {First} to {Last} does not hold it");
        _places.RemoveRange(0, keepsLogBehind ? (int)(point.Index.Value + 1 - First.Value) : _places.Count);
        CommitPoint = point;
    }

    /// <summary>Adds the entry at <paramref name="index"/>, replacing what stood there and after it. False when it leaves a gap.</summary>
    public bool TrySetEntry(LogIndex index, EntryPlace place)
    {
        if (CommitPoint is null || index < First || index > Last.Next) return false;
        int position = (int)(index.Value - First.Value);
        _places.RemoveRange(position, _places.Count - position);
        _places.Add(place);
        return true;
    }

    public EntryPlace PlaceOf(LogIndex index) => _places[(int)(index.Value - First.Value)];

    public bool Holds(LogIndex index) => CommitPoint is not null && index >= First && index <= Last;

    /// <summary>Whether a live entry lies in the segment; never in an older one than that of the first.</summary>
    public bool HasEntriesIn(ulong segment) => _places.Count > 0 && _places[0].Segment == segment;

    public RecoveredGroup ToRecovered()
    {
        List<(LogIndex First, Term Term)> runs = [];
        for (int i = 0; i < _places.Count; i++)
            if (runs.Count == 0 || runs[^1].Term != _places[i].Term) runs.Add((First + (ulong)i, _places[i].Term));
        return new RecoveredGroup(Group, CommitPoint!, HardState, runs, Last);
    }
}
