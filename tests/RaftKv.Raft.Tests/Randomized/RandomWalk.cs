using System.Text;

namespace RaftKv.Raft.Tests.Randomized;

/// <summary>
/// One seeded run of a small cluster: messages are delivered in any order, twice or never, disks are slow, logs are cut and snapshots
/// travel, late, twice or never, also unasked, members come and go, replicas crash and start again with what was on disk; then everything is
/// well again, and the group must be too.
/// </summary>
internal sealed class RandomWalk
{
    /// <summary>There are always more than members.</summary>
    private const int Nodes = 7;

    private readonly SplitMix _random;
    private readonly Cluster _cluster;
    private readonly List<string>? _trace;
    private readonly int _dropMillionths;
    private readonly int _duplicateMillionths;
    private readonly int _restartMillionths;
    private readonly int _isolateMillionths;
    private readonly int _snapshotMillionths;
    private readonly int _changeMillionths;
    private readonly List<Transfer> _transfers = [];
    private readonly int _reorderWindow;
    private readonly int _maxTickMillis;
    private readonly bool _slowDisks;
    private readonly bool _slowApply;
    private ulong _context;
    private bool _isWell;

    public RandomWalk(ulong seed, List<string>? trace = null)
    {
        _random = new SplitMix(seed * 7919);
        _trace = trace;
        // Parameters differ per seed, so that every run is hard in another way (simulation.md §5.4).
        Configuration configuration = DrawConfiguration();
        _dropMillionths = (int)_random.Below(3) * 60_000;
        _duplicateMillionths = (int)_random.Below(3) * 60_000;
        _restartMillionths = (int)_random.Below(3) * 4_000;
        _isolateMillionths = (int)_random.Below(3) * 3_000;
        _snapshotMillionths = (int)_random.Below(4) * 60_000;
        _changeMillionths = (int)_random.Below(4) * 30_000;
        _reorderWindow = _random.Chance(500_000) ? 1 : 12;
        _maxTickMillis = _random.Chance(500_000) ? 50 : 120;
        _slowDisks = _random.Chance(700_000);
        _slowApply = _random.Chance(300_000);
        int maxAppendBytes = _random.Chance(500_000) ? 1 : 100_000;
        int maxCachedBytes = _random.Chance(500_000) ? 0 : 100_000;
        int maxInFlight = 1 + (int)_random.Below(8);
        int maxApplyBytes = _random.Chance(300_000) ? 1 : 100_000;
        _cluster = Cluster.Born(configuration, options => options with
        {
            MaxAppendBytes = maxAppendBytes,
            MaxCachedBytes = maxCachedBytes,
            MaxInFlightMessages = maxInFlight,
            MaxApplyBytes = maxApplyBytes,
            MaxUncommittedBytes = 4000,
            Seed = options.Seed + seed * 1_000_003,
        });
        Checker = new SafetyChecker(_cluster);
        _cluster.OnMade += Slow;
        foreach (Replica replica in _cluster.Replicas) Slow(replica);
    }

    public SafetyChecker Checker { get; }

    public int Restarts { get; private set; }

    public void Run(int events)
    {
        for (int i = 0; i < events; i++)
        {
            Act();
            Checker.Check();
            // Some die before their tombstone is durable.
            if (_cluster.Replicas.FirstOrDefault(replica => replica.IsRemoved) is { } removed && _random.Chance(300_000)) Restart(removed);
            _cluster.Collect();
        }

        Checker.CheckLogsMatch();
    }

    /// <summary>The faults end. Within 20 s of virtual time there is one leader, everything is applied everywhere, writes and reads go through, and it stays so.</summary>
    public void Settle()
    {
        Trace("settle");
        _cluster.Heal();
        _isWell = true;
        foreach (Replica replica in _cluster.Replicas)
        {
            Slow(replica);
            replica.PersistAll();
            replica.ApplyAll();
            while (replica.LogReads.Count > 0) replica.AnswerLogRead();
        }

        foreach (Transfer transfer in _transfers) _cluster.Find(transfer.From)?.EndSnapshot(transfer.To.Value, 0);
        _transfers.Clear();
        // A leader that has not heard its quorum for a while may look well and yet step down with its next tick.
        for (int i = 0; i < 12; i++) Pass();
        RunUntil(20_000, IsQuiet, "no leader with everything replicated");
        Replica leader = _cluster.Leader!;
        ulong term = leader.Term;
        Assert.Equal(ProposeStatus.Appended, leader.Propose("settled").Status);
        Read(leader);
        int grants = leader.Grants.Count;
        RunUntil(500, () => IsQuiet() && leader.Grants.Count >= grants, "a proposal or a read did not go through");
        for (int i = 0; i < 40; i++) Pass();
        Assert.True(_cluster.Leader == leader && leader.Term == term, $"{leader.Group} does not stay leader");
        Checker.CheckLogsMatch();
        Term[] state = [.. leader.StateMachine.Select(entry => entry.Term)];
        Assert.Equal((ulong)state.Length, leader.Last);
        Assert.All(_cluster.Replicas, replica => Assert.Equal(state, replica.StateMachine.Select(entry => entry.Term)));
    }

    /// <summary>All members have everything, and whoever is none any more has heard of it.</summary>
    private bool IsQuiet() =>
        _cluster.Leader is { } leader && !leader.Group.IsChangingMembers
        && _cluster.Replicas.Select(replica => replica.Id).Order().SequenceEqual(leader.Group.Configuration.Members.Select(member => member.Replica))
        && _cluster.Replicas.All(replica => replica.Group.Leader == leader.Id && replica.Group.Applied == leader.Group.LastIndex && replica.Group.LastIndex == leader.Group.LastIndex);

    private void RunUntil(long maxMillis, Func<bool> condition, string otherwise)
    {
        for (long passed = 0; !condition(); passed += 50)
        {
            Invariant.Holds(passed < maxMillis, $"{otherwise}:\n{string.Join('\n', _cluster.Replicas.Select(replica => replica.Group))}");
            Pass();
        }
    }

    private void Pass()
    {
        _cluster.Run(50);
        foreach (var (snapshot, to, status) in _cluster.GiveSnapshots())
            if (_trace is not null) Trace($"{snapshot} for {to}: {status}");
        Checker.Check();
    }

    private void Slow(Replica replica)
    {
        replica.HoldsWrites = _slowDisks && !_isWell;
        replica.HoldsApply = _slowApply && !_isWell;
        replica.HoldsLogReads = !_isWell;
    }

    private static ReplicaId TakeAsked(Replica sender)
    {
        ReplicaId target = sender.SnapshotsAsked[0];
        sender.SnapshotsAsked.RemoveAt(0);
        return target;
    }

    private void Act()
    {
        Replica replica = _cluster.Replicas[(int)_random.Below(_cluster.Replicas.Count)];
        long dice = _random.Below(100);
        if (_random.Chance(_restartMillionths)) Restart(replica);
        else if (_random.Chance(_isolateMillionths)) IsolateOrHeal(replica);
        else if (_random.Chance(_snapshotMillionths)) Snapshots(replica);
        else if (replica.Group.Role == Role.Leader && _random.Chance(_changeMillionths)) ChangeMembers(replica);
        else if (dice < 55) DeliverOne();
        else if (dice < 70) Tick(replica);
        else if (dice < 80 && replica.PendingWrites > 0) PersistOne(replica);
        else if (dice < 83 && replica.LogReads.Count > 0) replica.AnswerLogRead();
        else if (dice < 86) replica.ApplyAll();
        else if (dice < 94 && replica.Group.Role == Role.Leader) Propose(replica);
        else if (replica.Group.Role == Role.Leader) Read(replica);
    }

    private void Snapshots(Replica replica)
    {
        switch (_random.Below(8))
        {
            case 0:
                replica.Flush();
                break;
            case 1:
                replica.CompactTo((ulong)_random.Below((long)LogIndex.Min(replica.Disk.Flushed, replica.Applied).Value + 1));
                break;
            case 2:
                replica.Compact();
                break;
            case 3 or 4 when replica.SnapshotsAsked.Count > 0:
                Begin(replica, TakeAsked(replica));
                break;
            case 5 when _random.Chance(500_000): // Unasked, of anybody to anybody: it is true all the same.
                Begin(replica, _cluster.Replicas[(int)_random.Below(_cluster.Replicas.Count)].Id);
                break;
            default:
                if (_transfers.Count > 0) GoOn((int)_random.Below(_transfers.Count));
                break;
        }
    }

    private void Begin(Replica sender, ReplicaId target)
    {
        if (sender.Disk.Flushed == LogIndex.Zero) return;
        Transfer transfer = new(sender.Id, target, sender.TakeSnapshot(), null);
        _transfers.Add(transfer);
        if (_trace is not null) Trace($"{transfer.Snapshot} for {target}");
    }

    /// <summary>The snapshot arrives, or the news of it, or neither; it may come once more.</summary>
    private void GoOn(int at)
    {
        Transfer transfer = _transfers[at];
        if (!_random.Chance(_duplicateMillionths)) _transfers.RemoveAt(at);
        if (transfer.Installed is { } installed)
        {
            _cluster.Find(transfer.From)?.EndSnapshot(transfer.To.Value, installed.Value);
            return;
        }

        Replica? target = _cluster.Find(transfer.To);
        bool isLost = target is null || _random.Chance(_dropMillionths);
        // In the turn of an append, now and then.
        int together = _cluster.InFlight.FindIndex(message => message.To == transfer.To);
        if (!isLost && together >= 0 && _random.Chance(300_000))
        {
            if (_trace is not null) Trace($"{_cluster.InFlight[together]} together with");
            target!.ReceiveSilently(_cluster.InFlight[together]);
        }

        InstallStatus status = isLost ? InstallStatus.Stale : target!.Install(transfer.Snapshot);
        if (_trace is not null) Trace($"{transfer.Snapshot} at {transfer.To}: {(isLost ? "lost" : status)} {target?.Group}");
        if (status == InstallStatus.Busy) _transfers.Add(transfer);
        else _transfers.Add(transfer with { Installed = isLost ? LogIndex.Zero : transfer.Snapshot.Index });
    }

    private void DeliverOne()
    {
        if (_cluster.InFlight.Count == 0) return;
        int at = (int)_random.Below(Math.Min(_reorderWindow, _cluster.InFlight.Count));
        Message message = _cluster.InFlight[at];
        if (!_random.Chance(_duplicateMillionths)) _cluster.InFlight.RemoveAt(at);
        if (_random.Chance(_dropMillionths)) return;
        if (_trace is not null) Trace(message);
        _cluster.Hand(message);
    }

    private void Tick(Replica replica)
    {
        _cluster.Clock.AdvanceMicros(_random.Below(_maxTickMillis * 1000));
        replica.Tick();
        if (_trace is not null) Trace(replica.Group);
    }

    private void PersistOne(Replica replica)
    {
        if (_trace is not null) Trace($"{replica.Id} persists");
        replica.PersistOne();
    }

    private void Propose(Replica replica)
    {
        for (long i = _random.Below(3); i >= 0; i--) replica.ProposeSilently(new string('x', (int)_random.Below(200)) + _context++);
        if (_trace is not null) Trace($"{replica.Id} proposes");
        replica.Pump();
    }

    private void Read(Replica replica)
    {
        Checker.OnReadAsked(++_context);
        if (_trace is not null) Trace($"{replica.Id} reads {_context}");
        replica.Read(_context);
    }

    private void Restart(Replica replica)
    {
        LogIndex applied = replica.Disk.Applied;
        LogIndex flushed = replica.Disk.Flushed;
        // The store may have lost what it had not flushed.
        if (_random.Chance(500_000)) replica.Disk.Applied = flushed + (ulong)_random.Below((long)(applied.Value - flushed.Value) + 1);
        replica.Restart((int)_random.Below(replica.PendingWrites + 1));
        if (_trace is not null) Trace($"restarted {replica.Group}");
        Restarts++;
        _cluster.TryForget(replica);
    }

    /// <summary>Now and then something that makes no sense, which must change nothing.</summary>
    private void ChangeMembers(Replica leader)
    {
        Member[] members = [.. leader.Group.Configuration.Members];
        MemberChange remove = MemberChange.Remove(members[(int)_random.Below(members.Length)].Replica);
        MemberChange promote = MemberChange.Promote(members[(int)_random.Below(members.Length)].Replica);
        MemberChange[] changes = _random.Below(8) switch
        {
            0 => [remove],
            1 => [MemberChange.Demote(remove.Replica)],
            2 => [promote, MemberChange.Demote(remove.Replica)],
            3 => [promote, remove],
            4 => [promote],
            _ => [MemberChange.AddLearner(new NodeId(1 + (ulong)_random.Below(Nodes)))],
        };
        LogIndex last = leader.Group.LastIndex;
        try
        {
            ProposeResult result = leader.Change(changes);
            if (_trace is not null) Trace($"{leader.Id} is to {string.Join(", ", changes)}: {result}");
        }
        catch (ArgumentException)
        {
            Invariant.Holds(leader.Group.LastIndex == last);
        }
    }

    private void IsolateOrHeal(Replica replica)
    {
        if (_random.Chance(500_000)) _cluster.Heal();
        else if (_random.Chance(700_000)) _cluster.Isolate((int)_cluster.NodeOf(replica.Id).Value);
        else _cluster.Cut((int)_cluster.NodeOf(replica.Id).Value, 1 + (int)_random.Below(Nodes));
    }

    private Configuration DrawConfiguration()
    {
        int members = 1 + (int)_random.Below(5);
        if (members < 3 || _random.Chance(700_000)) return Some.Voters(members);
        // A joint configuration or one with a learner, for the quorums' sake.
        Member[] all = [.. Enumerable.Range(1, members).Select(id => Some.Member((ulong)id))];
        return _random.Chance(500_000)
            ? new Configuration(new ConfigurationHalf([.. all[..^1]], [all[^1]]), ConfigurationHalf.Empty)
            : new Configuration(new ConfigurationHalf([.. all[..^1]], []), new ConfigurationHalf([.. all[1..]], []));
    }

    /// <summary>A snapshot on its way, and then the news of how it went (0: it did not).</summary>
    private sealed record Transfer(ReplicaId From, ReplicaId To, Snapshot Snapshot, LogIndex? Installed);

    private void Trace<T>(T what) => _trace?.Add(new StringBuilder().Append(_cluster.Clock.Micros).Append(' ').Append(what).ToString());
}
