using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>What a log must hold, by the words of the port alone: no segments, no write sequences.</summary>
internal sealed class LogModel
{
    private readonly SortedDictionary<GroupId, ModelGroup> _groups = [];
    private readonly SortedDictionary<GroupId, ReplicaId> _tombstones = [];
    private DiskIdentity? _identity;

    public IReadOnlyDictionary<GroupId, ModelGroup> Groups => _groups;

    public LogModel Copy()
    {
        LogModel copy = new() { _identity = _identity };
        foreach (var (id, group) in _groups) copy._groups.Add(id, group.Copy());
        foreach (var (id, replica) in _tombstones) copy._tombstones.Add(id, replica);
        return copy;
    }

    public void SetIdentity(DiskIdentity identity) => _identity = identity;

    public void SetHardState(GroupId group, HardState hardState) => _groups[group].HardState = hardState;

    public void SetCommitPoint(GroupId id, CommitPoint point, bool keepsLogBehind)
    {
        if (!_groups.TryGetValue(id, out ModelGroup? group)) _groups.Add(id, group = new ModelGroup(id, point));
        if (keepsLogBehind) group.Entries.RemoveAll(entry => entry.Index <= point.Index);
        else group.Entries.Clear();
        group.Point = point;
    }

    public void SetTombstone(GroupId group, ReplicaId replica)
    {
        _groups.Remove(group);
        _tombstones[group] = replica;
    }

    public void SetEntries(GroupId group, ReadOnlySpan<Entry> entries)
    {
        LogIndex first = entries[0].Index;
        _groups[group].Entries.RemoveAll(entry => entry.Index >= first);
        _groups[group].Entries.AddRange(entries);
    }

    /// <summary>As <see cref="LogText.Recover"/> renders a log that holds this.</summary>
    public string Text() => LogText.Render(
        new RecoveredLog(_identity, [.. _groups.Values.Select(group => group.ToRecovered())]) { Tombstones = [.. _tombstones.Select(tombstone => (tombstone.Key, tombstone.Value))] },
        group => [.. _groups[group.Group].Entries]);
}

internal sealed class ModelGroup(GroupId group, CommitPoint point)
{
    public CommitPoint Point { get; set; } = point;

    public HardState HardState { get; set; }

    /// <summary>Consecutive, from the one after the point on.</summary>
    public List<Entry> Entries { get; } = [];

    public ulong LastIndex => Point.Index.Value + (ulong)Entries.Count;

    public Term TermAt(ulong index) => index == Point.Index.Value ? Point.Term : Entries[(int)(index - Point.Index.Value) - 1].Term;

    public ModelGroup Copy()
    {
        ModelGroup copy = new(group, Point) { HardState = HardState };
        copy.Entries.AddRange(Entries);
        return copy;
    }

    public RecoveredGroup ToRecovered()
    {
        List<(LogIndex First, Term Term)> runs = [];
        foreach (Entry entry in Entries)
            if (runs.Count == 0 || runs[^1].Term != entry.Term) runs.Add((entry.Index, entry.Term));
        return new RecoveredGroup(group, Point, HardState, runs, new LogIndex(LastIndex))
        {
            ConfigurationIndexes = [.. Entries.Where(entry => entry.Kind == EntryKind.Configuration).Select(entry => entry.Index)],
        };
    }
}
