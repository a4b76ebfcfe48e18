using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// A random life of a log and of its model: groups that are born, busy or asleep, append, overwrite, truncate, take snapshots in place of
/// their log, are removed and come back. Says what the log must hold now.
/// </summary>
internal sealed class LogLife(ulong seed, long segmentBytes)
{
    private const int MaxGroups = 7;
    private const long BudgetSegments = 8;

    private readonly SplitMix _random = new(seed);
    private LogModel _promised = new();
    private LogModel _inFlight = new();
    private ulong _generation;

    public RaftLogOptions Options { get; } = new() { SegmentBytes = segmentBytes, ZeroAheadBytes = 8 * 1024, BudgetBytes = BudgetSegments * segmentBytes };

    public SegmentedRaftLog Open(IDisk disk, out RecoveredLog recovered) => SegmentedRaftLog.Open(disk, Options, _random.Next(), out recovered);

    /// <summary>What was promised is there, or that and all of the batch that was being written; it is the promise from now on.</summary>
    public void CheckRecovered(RecoveredLog recovered, SegmentedRaftLog log)
    {
        string text = LogText.Render(recovered, log);
        if (text == _inFlight.Text()) _promised = _inFlight;
        else Assert.Equal(_promised.Text(), text);
    }

    /// <summary>The running log reads as it would after a restart.</summary>
    public void CheckRunning(SegmentedRaftLog log)
    {
        foreach (var (id, group) in _promised.Groups)
        {
            Entry[] entries = log.Read(id, group.Point.Index.Next, new LogIndex(ulong.MaxValue - 1), int.MaxValue);
            Assert.Equal(group.Entries.Select(entry => LogText.Describe(entry)), entries.Select(entry => LogText.Describe(entry)));
            Assert.Empty(log.Read(id, group.Point.Index, new LogIndex(ulong.MaxValue - 1), int.MaxValue));
        }
    }

    /// <summary>A life that goes on from here in its own way.</summary>
    public LogLife Fork(ulong seed) => new(seed, segmentBytes) { _promised = _promised, _inFlight = _inFlight, _generation = _generation };

    public void RunBatch(SegmentedRaftLog log)
    {
        _inFlight = _promised.Copy();
        if (_inFlight.Groups.Count == 0)
        {
            AddBirth(log, new GroupId(0));
            AddBirth(log, new GroupId(1));
            _inFlight.SetIdentity(LogScript.Identity);
            log.AddInitialised(LogScript.Identity);
        }
        else
        {
            int steps = 1 + (int)_random.Below(3);
            for (int i = 0; i < steps; i++) AddStep(log);
            if (log.Usage.Bytes > log.Usage.BudgetBytes / 2) TruncateWhoPins(log);
        }

        log.Commit();
        _promised = _inFlight;
    }

    private void AddStep(SegmentedRaftLog log)
    {
        // The higher its id, the more a group sleeps: what counts of it is carried forward again and again.
        int count = _inFlight.Groups.Count;
        GroupId id = _inFlight.Groups.Keys.ElementAt((int)Math.Min(_random.Below(count), _random.Below(count)));
        ModelGroup group = _inFlight.Groups[id];
        switch (_random.Below(group.Entries.Count > 16 ? 21 : 17))
        {
            case < 8:
                AddEntries(log, id, group.LastIndex + 1, group.HardState.Term);
                break;
            case < 10:
                // A new leader's entries replace a tail that was never committed.
                AddHardState(log, id, group.HardState.Term.Value + 1, group.Point.Index);
                if (group.Entries.Count > 0) AddEntries(log, id, group.LastIndex - (ulong)_random.Below(Math.Min(group.Entries.Count, 8)), group.HardState.Term);
                break;
            case < 12:
                AddHardState(log, id, group.HardState.Term.Value, new LogIndex(group.LastIndex));
                break;
            case 12:
                // Only the epoch moves.
                AddPoint(log, id, group.Point with { EpochVersion = group.Point.EpochVersion + 1 }, keepsLogBehind: true);
                break;
            case 13:
                AddSnapshot(log, id, group);
                break;
            case 14:
                GroupId born = new((ulong)_random.Below(MaxGroups));
                if (!_inFlight.Groups.ContainsKey(born)) AddBirth(log, born);
                break;
            case 15:
                if (count > 2 && _random.Below(3) == 0) AddTombstone(log, id);
                break;
            default:
                TruncateTo(log, id, group.Point.Index.Value + (ulong)_random.Below(group.Entries.Count + 1));
                break;
        }
    }

    private void AddBirth(SegmentedRaftLog log, GroupId id)
    {
        AddPoint(log, id, LogScript.PointAt(10, 5) with { Generation = ++_generation }, keepsLogBehind: false);
        AddHardState(log, id, 5, new LogIndex(10));
    }

    private void AddTombstone(SegmentedRaftLog log, GroupId id)
    {
        ReplicaId replica = new(++_generation);
        _inFlight.SetTombstone(id, replica);
        log.AddTombstone(id, replica);
    }

    /// <summary>A snapshot in place of the log: ahead of it, of another term, or, for a replica made anew, behind it.</summary>
    private void AddSnapshot(SegmentedRaftLog log, GroupId id, ModelGroup group)
    {
        ulong index = Math.Max(1, group.LastIndex + 4 - (ulong)_random.Below((long)Math.Min(group.LastIndex, 9)));
        AddPoint(log, id, LogScript.PointAt(index, group.HardState.Term.Value + 1) with { Generation = ++_generation }, keepsLogBehind: false);
        AddHardState(log, id, group.HardState.Term.Value + 1, new LogIndex(index));
    }

    /// <summary>As a host does when the log passes half of its budget.</summary>
    private void TruncateWhoPins(SegmentedRaftLog log)
    {
        foreach (GroupId id in log.PinningOldest)
            if (_inFlight.Groups.TryGetValue(id, out ModelGroup? group)) TruncateTo(log, id, group.LastIndex); // Else the batch removes it.
    }

    private void TruncateTo(SegmentedRaftLog log, GroupId id, ulong index)
    {
        ModelGroup group = _inFlight.Groups[id];
        AddPoint(log, id, group.Point with { Index = new LogIndex(index), Term = group.TermAt(index) }, keepsLogBehind: true);
    }

    private void AddPoint(SegmentedRaftLog log, GroupId id, CommitPoint point, bool keepsLogBehind)
    {
        _inFlight.SetCommitPoint(id, point, keepsLogBehind);
        log.AddCommitPoint(id, point, keepsLogBehind);
    }

    private void AddHardState(SegmentedRaftLog log, GroupId id, ulong term, LogIndex commit)
    {
        HardState hardState = new(new Term(term), new ReplicaId((ulong)_random.Below(3)), commit);
        _inFlight.SetHardState(id, hardState);
        log.AddHardState(id, new ReplicaId(1), hardState);
    }

    private void AddEntries(SegmentedRaftLog log, GroupId id, ulong first, Term term)
    {
        Entry[] entries = new Entry[1 + _random.Below(4)];
        for (int i = 0; i < entries.Length; i++)
            entries[i] = new Entry(new LogIndex(first + (ulong)i), term, _random.Below(8) == 0 ? EntryKind.Configuration : EntryKind.Command, 0, (ulong)_random.Below(99), (ulong)_random.Below(99), Payload());
        _inFlight.SetEntries(id, entries);
        log.AddEntries(id, new ReplicaId(1), entries);
    }

    private byte[] Payload()
    {
        long size = _random.Below(300) == 0 ? segmentBytes + _random.Below(5_000) : _random.Below(10) == 0 ? 1_000 + _random.Below(5_000) : _random.Below(60);
        byte[] bytes = new byte[size];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)_random.Next();
        return bytes;
    }
}
