using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>What one node's log has promised to keep: every record whose Commit returned. Survives the node's crashes.</summary>
internal sealed class DurabilityOracle
{
    private readonly SortedDictionary<ulong, GroupPromise> _groups = [];
    private readonly SortedDictionary<ulong, ReplicaId> _tombstones = [];
    private bool _isInitialised;

    /// <summary>Whether the node holds the entry durably: in its log, or in the flushed store that its log begins behind.</summary>
    public bool Holds(GroupId group, LogIndex index, Term term) => _groups.TryGetValue(group.Value, out GroupPromise? promise) && (index <= promise.Snapshot || promise.TermAt(index) == term);

    public GroupPromise Of(GroupId group)
    {
        if (!_groups.TryGetValue(group.Value, out GroupPromise? promise)) _groups.Add(group.Value, promise = new GroupPromise());
        return promise;
    }

    public void PromiseTombstone(GroupId group, ReplicaId replica) => _tombstones[group.Value] = replica;

    public void PromiseIdentity() => _isInitialised = true;

    /// <summary>
    /// After a crash: what recovery found must be what was promised, or that plus (part of) the one batch that was being
    /// written. The recovered state becomes the promise.
    /// </summary>
    public void CheckRecovered(string node, RecoveredLog recovered)
    {
        Invariant.Holds(!_isInitialised || recovered.Identity is not null, $"{node}: recovery found nothing of a node that had begun");
        foreach (var (id, removed) in _tombstones)
            Invariant.Holds(recovered.Tombstones.Any(tombstone => tombstone.Group.Value == id && tombstone.Replica.Value >= removed.Value), $"{node} s{id}: recovery lost the tombstone of {removed}");
        foreach (var (group, removed) in recovered.Tombstones) PromiseTombstone(group, removed);
        _isInitialised = recovered.Identity is not null;
        foreach (RecoveredGroup group in recovered.Groups)
        {
            GroupPromise promise = Of(group.Group);
            GroupPromise actual = GroupPromise.From(group);
            bool isExact = actual.Equals(promise);
            bool isWithPending = promise.Pending is not null && actual.Equals(promise.Pending);
            Invariant.Holds(isExact || isWithPending, $"{node} {group.Group}: recovered {actual}, promised {promise}, in flight {promise.Pending}");
            _groups[group.Group.Value] = actual;
        }

        // A birth that did not become durable promised nothing.
        foreach (ulong unborn in _groups.Where(group => group.Value.IsEmpty && recovered.Groups.All(other => other.Group.Value != group.Key)).Select(group => group.Key).ToList()) _groups.Remove(unborn);
        foreach (ulong removed in _groups.Where(group => group.Value.Pending is { IsEmpty: true } && recovered.Groups.All(other => other.Group.Value != group.Key)).Select(group => group.Key).ToList()) _groups.Remove(removed);
        foreach (var (id, promise) in _groups)
            Invariant.Holds(promise.IsEmpty || recovered.Groups.Any(group => group.Group.Value == id), $"{node} s{id}: recovery lost the group; promised {promise}");
    }
}

/// <summary>One group's durable log on one node: hard state, commit point and the term of every entry.</summary>
internal sealed class GroupPromise
{
    private readonly List<Term> _terms = [];
    private LogIndex _snapshot;
    private Term _snapshotTerm;
    private HardState _hardState;

    /// <summary>What it becomes if the batch now being written turns out durable.</summary>
    public GroupPromise? Pending { get; private set; }

    /// <summary>There is no commit point: nothing is promised.</summary>
    public bool IsEmpty { get; private set; } = true;

    public LogIndex Snapshot => _snapshot;

    public static GroupPromise From(RecoveredGroup group)
    {
        GroupPromise promise = new() { IsEmpty = false, _snapshot = group.CommitPoint.Index, _snapshotTerm = group.CommitPoint.Term, _hardState = group.HardState };
        LogIndex index = group.CommitPoint.Index.Next;
        for (int run = 0; run < group.TermRuns.Count; run++)
        {
            LogIndex end = run + 1 < group.TermRuns.Count ? group.TermRuns[run + 1].First : group.LastIndex.Next;
            for (; index < end; index = index.Next) promise._terms.Add(group.TermRuns[run].Term);
        }

        return promise;
    }

    public Term? TermAt(LogIndex index)
    {
        if (index <= _snapshot || index.Value > _snapshot.Value + (ulong)_terms.Count) return null;
        return _terms[(int)(index.Value - _snapshot.Value) - 1];
    }

    public GroupPromise BeginPending()
    {
        if (Pending is not null) return Pending;
        Pending = new GroupPromise { IsEmpty = IsEmpty, _snapshot = _snapshot, _snapshotTerm = _snapshotTerm, _hardState = _hardState };
        Pending._terms.AddRange(_terms);
        return Pending;
    }

    public void SetHardState(HardState hardState) => _hardState = hardState;

    /// <summary>Entries up to the point are no longer promised; nor are those behind it, unless it keeps them.</summary>
    public void SetCommitPoint(CommitPoint point, bool keepsLogBehind)
    {
        bool isSame = (point.Index, point.Term) == (_snapshot, _snapshotTerm);
        Invariant.Holds(!keepsLogBehind || isSame || TermAt(point.Index) == point.Term, $"commit point {point.Index}/{point.Term} keeps what is behind it in {this}, which does not hold it");
        IsEmpty = false;
        _terms.RemoveRange(0, keepsLogBehind ? (int)(point.Index.Value - _snapshot.Value) : _terms.Count);
        _snapshot = point.Index;
        _snapshotTerm = point.Term;
    }

    /// <summary>The replica is removed: nothing is promised any more.</summary>
    public void SetTombstone()
    {
        IsEmpty = true;
        _terms.Clear();
        (_snapshot, _snapshotTerm, _hardState) = (default, default, default);
    }

    public void SetEntry(LogIndex index, Term term)
    {
        int position = (int)(index.Value - _snapshot.Value) - 1;
        _terms.RemoveRange(position, _terms.Count - position);
        _terms.Add(term);
    }

    public void CommitPending()
    {
        if (Pending is null) return;
        IsEmpty = Pending.IsEmpty;
        _snapshot = Pending._snapshot;
        _snapshotTerm = Pending._snapshotTerm;
        _hardState = Pending._hardState;
        _terms.Clear();
        _terms.AddRange(Pending._terms);
        Pending = null;
    }

    public bool Equals(GroupPromise other) => IsEmpty == other.IsEmpty && _snapshot == other._snapshot && _snapshotTerm == other._snapshotTerm && _hardState == other._hardState && _terms.SequenceEqual(other._terms);

    public override string ToString() => $"[{_hardState}, {_terms.Count} entries after {_snapshot}, last of {(_terms.Count == 0 ? default : _terms[^1])}]";
}

/// <summary>The production log, with its promises noted.</summary>
internal sealed class ObservedLog(IRaftLog inner, DurabilityOracle oracle) : IRaftLog
{
    private readonly List<GroupPromise> _touched = [];
    private readonly List<(GroupId Group, ReplicaId Replica)> _removed = [];
    private bool _initialises;

    public void AddHardState(GroupId group, ReplicaId replica, HardState hardState)
    {
        inner.AddHardState(group, replica, hardState);
        Pending(group).SetHardState(hardState);
    }

    public void AddEntries(GroupId group, ReplicaId replica, ReadOnlySpan<Entry> entries)
    {
        inner.AddEntries(group, replica, entries);
        foreach (ref readonly Entry entry in entries) Pending(group).SetEntry(entry.Index, entry.Term);
    }

    public void AddCommitPoint(GroupId group, CommitPoint point, bool keepsLogBehind)
    {
        inner.AddCommitPoint(group, point, keepsLogBehind);
        Pending(group).SetCommitPoint(point, keepsLogBehind);
    }

    public void AddTombstone(GroupId group, ReplicaId replica)
    {
        inner.AddTombstone(group, replica);
        _removed.Add((group, replica));
        Pending(group).SetTombstone();
    }

    public void AddInitialised(DiskIdentity identity)
    {
        inner.AddInitialised(identity);
        _initialises = true;
    }

    public void Commit()
    {
        inner.Commit();
        foreach (GroupPromise promise in _touched) promise.CommitPending();
        foreach (var (group, replica) in _removed) oracle.PromiseTombstone(group, replica);
        if (_initialises) oracle.PromiseIdentity();
        _touched.Clear();
        _removed.Clear();
    }

    public Entry[] Read(GroupId group, LogIndex first, LogIndex last, int maxBytes) => inner.Read(group, first, last, maxBytes);

    public LogUsage Usage => inner.Usage;

    public IReadOnlyList<GroupId> PinningOldest => inner.PinningOldest;

    public void Dispose() => inner.Dispose();

    private GroupPromise Pending(GroupId group)
    {
        GroupPromise promise = oracle.Of(group);
        if (promise.Pending is null) _touched.Add(promise);
        return promise.BeginPending();
    }
}
