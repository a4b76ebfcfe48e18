using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>A Raft log in memory: what was added becomes readable with <see cref="Commit"/>, as on a disk. Notes every call but reads' results.</summary>
internal sealed class MemoryLog(Trace trace) : IRaftLog
{
    private readonly SortedDictionary<GroupId, List<Entry>> _durable = [];
    private readonly Dictionary<GroupId, CommitPoint> _points = [];
    private readonly List<Action> _added = [];

    public LogUsage Usage { get; set; } = new(0, 1L << 30);

    public IReadOnlyList<GroupId> PinningOldest { get; set; } = [];

    public int Commits { get; private set; }

    public HardState? DurableHardState { get; private set; }

    /// <summary>The newest commit point of a group that is durable; null when none was written.</summary>
    public CommitPoint? DurablePoint(GroupId group) => _points.GetValueOrDefault(group);

    /// <summary>Runs in <see cref="Commit"/> before anything is durable; may throw.</summary>
    public Action BeforeCommit { get; set; } = static () => { };

    public void AddHardState(GroupId group, ReplicaId replica, HardState hardState)
    {
        trace.Add($"{group}/{replica} hard state {hardState}");
        _added.Add(() => DurableHardState = hardState);
    }

    public void AddEntries(GroupId group, ReplicaId replica, ReadOnlySpan<Entry> entries)
    {
        trace.Add($"{group}/{replica} entries {entries[0].Index}..{entries[^1].Index}");
        Entry[] copy = entries.ToArray();
        _added.Add(() => Write(group, copy));
    }

    public void AddCommitPoint(GroupId group, CommitPoint point, bool keepsLogBehind)
    {
        trace.Add($"{group}/{point.Replica} commit point {point.Index}{(keepsLogBehind ? ", keeps what is behind" : "")}");
        _added.Add(() =>
        {
            _points[group] = point;
            if (!_durable.TryGetValue(group, out List<Entry>? log)) return;
            if (keepsLogBehind && !log.Exists(entry => entry.Index == point.Index && entry.Term == point.Term))
                throw new InvalidOperationException($"{group}: commit point {point.Index}/{point.Term} keeps what is behind it, but the log does not hold it");
            log.RemoveAll(entry => !keepsLogBehind || entry.Index <= point.Index);
        });
    }

    public void AddTombstone(GroupId group, ReplicaId replica) => trace.Add($"{group}/{replica} tombstone");

    public void AddInitialised(DiskIdentity identity) => trace.Add("initialised");

    public void Commit()
    {
        BeforeCommit();
        trace.Add("commit");
        foreach (Action add in _added) add();
        _added.Clear();
        Commits++;
    }

    public Entry[] Read(GroupId group, LogIndex first, LogIndex last, int maxBytes)
    {
        trace.Add($"{group} read {first}..{last}");
        if (!_durable.TryGetValue(group, out List<Entry>? log)) return [];
        List<Entry> found = [];
        long bytes = 0;
        foreach (Entry entry in log.Where(entry => entry.Index >= first && entry.Index <= last))
        {
            bytes += entry.SizeBytes;
            if (found.Count > 0 && bytes > maxBytes) break;
            found.Add(entry);
        }

        return found.Count > 0 && found[0].Index == first ? [.. found] : [];
    }

    /// <summary>What a start would find of a group that began as <paramref name="born"/> says.</summary>
    public RecoveredGroup Recover(RecoveredGroup born)
    {
        CommitPoint point = DurablePoint(born.Group) ?? born.CommitPoint;
        List<Entry> log = _durable.GetValueOrDefault(born.Group) ?? [];
        List<(LogIndex First, Term Term)> runs = [];
        foreach (Entry entry in log)
            if (runs.Count == 0 || runs[^1].Term != entry.Term) runs.Add((entry.Index, entry.Term));
        return new RecoveredGroup(born.Group, point, DurableHardState ?? born.HardState, runs, log.Count == 0 ? point.Index : log[^1].Index);
    }

    /// <summary>Puts entries there as if they had been committed long ago.</summary>
    public void Write(GroupId group, params ReadOnlySpan<Entry> entries)
    {
        if (!_durable.TryGetValue(group, out List<Entry>? log)) _durable.Add(group, log = []);
        LogIndex first = entries[0].Index;
        log.RemoveAll(entry => entry.Index >= first);
        log.AddRange(entries);
    }

    public void Dispose() { }
}
