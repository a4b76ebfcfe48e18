using RaftKv.Checking;
using RaftKv.Checking.Replay;
using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// Whole nodes, their disks, the network between them, clients and faults, in one thread under one seed. Equal seeds give equal
/// runs, on any machine: nothing here asks for time, randomness or the order of a hash table.
/// </summary>
/// <remarks>
/// A run: faults and load for the drawn duration; then everything heals and is restarted, and within 60 virtual seconds every
/// key must be readable and writable, and all replicas must reach equal states; then each key's history must be linearizable.
/// </remarks>
internal sealed class World
{
    private const long QuietMicros = 60_000_000;

    /// <summary>A change of leader may hold up deadlines by as much (design §9).</summary>
    private const long TtlSlackMicros = 80_000_000;
    private readonly EventQueue _events;
    private readonly List<Operation> _history = [];
    private readonly List<Operation> _open = [];
    private readonly long[] _faults = new long[Enum.GetValues<Fault>().Length];
    private PlannedOutcomes _planned;

    /// <summary>Values of puts that were said not to be applied, and values that were found.</summary>
    private readonly HashSet<long> _rejected = [];
    private readonly HashSet<long> _found = [];
    private readonly TextWriter? _trace;
    private readonly Nemesis _nemesis;
    private readonly Operator _operator;
    /// <summary>By group: when an answer showed a higher index than any before, oldest first.</summary>
    private readonly SortedDictionary<ulong, List<(long At, LogIndex Index)>> _floors = [];
    private int _nextProcess;
    private long _replays;
    private long _snapshots;
    private bool _hasRot;
    private (long Refused, long Harmless) _rot;
    private (long Read, long Compacted) _past;
    private long _staleReads;
    private long _nextValue;
    private ulong _traceHash;

    public World(SimOptions options, TextWriter? trace)
    {
        Options = options;
        _trace = trace;
        SplitMix root = new(options.Seed);
        _events = new EventQueue(root.Fork(3));
        Map = ShardMap.Initial([.. Enumerable.Range(1, options.Nodes).Select(i => $"n{i}")], options.Shards, options.Replicas, options.HasLeases);
        Network = new SimNetwork(this, root.Fork(4));
        Safety = new SafetyOracle(this);
        for (int i = 0; i < options.Nodes; i++) Nodes.Add(new SimNode(this, i, root.Fork(100 + (ulong)i)));
        Network.Heal();
        _nemesis = new Nemesis(this, root.Fork(5));
        foreach (SimNode node in Nodes) node.Start();
        for (int i = 0; i < options.Clients; i++) NewClient(i, root).Start();
        for (int i = 0; i < options.ManyKeysClients; i++) new ManyKeysClient(this, root.Fork(500 + (ulong)i)).Start();
        for (int i = 0; i < options.TtlClients; i++) new TtlClient(this, root.Fork(400 + (ulong)i), i).Start();
        _nemesis.Start();
        _operator = new Operator(this, root.Fork(6));
        _operator.Start();
    }

    /// <summary>The product's limits, with an idempotency window short enough to pass within a run.</summary>
    public static Limits Limits { get; } = Limits.Default with { IdempotencyWindowMillis = 20_000, HistoryMillis = 5_000, HistoryRevisions = 20, MaxHistoryBytes = 1_000_000 };

    public SimOptions Options { get; }

    public ShardMap Map { get; }

    public List<SimNode> Nodes { get; } = [];

    public SimNetwork Network { get; }

    /// <summary>The node that is down for good, or has lost its disk; at most one.</summary>
    public SimNode? Dead { get; private set; }

    public SafetyOracle Safety { get; }

    public long Now => _events.Now;

    /// <summary>Keys that were put with a ttl and not yet seen to be gone.</summary>
    public int TtlKeysAlive { get; set; }

    /// <summary>The fastest any node's clock may run in this world, in thousandths of true time.</summary>
    public long FastestClockPerMille => Math.Max(1000 + Options.ClockRateSpreadPerMille, Options.FaultWeights[(int)Fault.ChangeClockRate] > 0 ? Nemesis.FastestClockPerMille : 0);

    /// <summary>No more faults, no more load: now everything must get well.</summary>
    public bool IsQuiet { get; private set; }

    /// <summary>Runs to the end. Throws <see cref="InvariantViolatedException"/> when anything the product promises is broken.</summary>
    public SimResult Run()
    {
        Trace(() => Options.Describe());
        RunUntil(() => Now >= Options.DurationMicros, long.MaxValue);
        BecomeQuiet();
        // Every node that lives must serve every key.
        int remaining = 0;
        foreach (SimNode node in Nodes.Where(node => node != Dead))
        {
            for (int key = 0; key < Options.Keys; key++)
            {
                int chosen = key;
                SimClient client = new(this, new SplitMix(Options.Seed).Fork(300 + (ulong)remaining));
                long until = Now + QuietMicros;
                remaining++;
                client.Insist(node, key, RegisterRequest.Put(TakeValue()), until, () => client.Insist(node, chosen, RegisterRequest.Get, until, () => remaining--));
            }
        }

        RunUntil(() => remaining == 0 && TtlKeysAlive == 0 && ReplicasAreEqual(), Now + QuietMicros + TtlSlackMicros);
        Invariant.Holds(remaining == 0, $"no progress: {remaining} keys are not readable {QuietMicros / 1_000_000} s after everything healed");
        Invariant.Holds(TtlKeysAlive == 0, $"no progress: {TtlKeysAlive} keys have outlived their ttl by far");
        Invariant.Holds(ReplicasAreEqual(), $"no progress: replicas have not reached the same index after everything healed: {DescribeGroups()}");
        CheckHistory();
        foreach (SimNode node in Nodes.Where(node => node.IsRunning)) CountSnapshots(node.Host!.Snapshots.Installed);
        return new SimResult(_history.Count, _history.Count(operation => operation.Outcome.Kind == OutcomeKind.Ok), Network.Delivered, Safety.Elections, _faults.Sum(), _replays, _snapshots, Safety.Sleeps, _operator.Changes, _past, _staleReads, _planned, _rot, _traceHash);
    }

    public void After(long micros, Action action) => _events.After(micros, action);

    public SimNode NodeOf(NodeId id)
    {
        foreach (SimNode node in Nodes)
            if (node.Id == id) return node;
        throw new InvariantViolatedException($"no node {id}");
    }

    public static string KeyName(int key) => $"k{key}";

    public int TakeProcessId() => _nextProcess++;

    /// <summary>Every write attempt writes a value of its own.</summary>
    public long TakeValue() => ++_nextValue;

    /// <summary>A call begins.</summary>
    public void Open(Operation operation) => _open.Add(operation);

    /// <summary>The call that was <paramref name="open"/> has its answer.</summary>
    public void Record(Operation open, Operation operation)
    {
        _open.Remove(open);
        _history.Add(operation);
        ExpectHonest(operation);
        Note(0x200, (ulong)operation.Outcome.Kind << 32 | (uint)_history.Count);
    }

    /// <summary>A leader of a new term showed up.</summary>
    public void OnElected(SimNode node, RaftGroup group)
    {
        Trace(() => $"{node.Name} leads {group.Group} in {group.Term}");
        _nemesis.OnElected(node);
        _operator.OnElected(group.Group);
    }

    /// <summary>
    /// Takes a node's disk away, once a run, if the others can do without: a majority must keep theirs (design §3.2). From then on it must be
    /// refused, and counts as the one that is dead.
    /// </summary>
    public void TryWipe(SimNode node)
    {
        if (Dead is not null || _hasRot || Options.Replicas < 3 || !node.IsKnownToAll) return;
        Dead = node;
        node.Wipe();
    }

    /// <summary>A store rots on one node, if the shard can spare its replica there: nothing else may be lost for good.</summary>
    public void TryRot(SimNode node, SplitMix chance)
    {
        if (Dead is not null || _hasRot || Options.LeavesOneDead || Options.Replicas < 3) return;
        _hasRot = node.TryRot(chance);
    }

    /// <summary>A node's log rots, if the others can do without that node; one at a time.</summary>
    public void TryRotLog(SimNode node, SplitMix chance)
    {
        if (Dead is not null || _hasRot || Options.LeavesOneDead || Options.Replicas < 3) return;
        _hasRot = node.TryRotLog(chance);
    }

    /// <summary>A node whose log had rotted has started; or it has refused to, and is the one that is dead.</summary>
    public void OnRotSettled(SimNode node, bool isRefused)
    {
        _rot = isRefused ? _rot with { Refused = _rot.Refused + 1 } : _rot with { Harmless = _rot.Harmless + 1 };
        if (isRefused) Dead = node;
        else _hasRot = false;
    }

    /// <summary>The highest index that an answer of the group has shown.</summary>
    public LogIndex FloorOf(GroupId group) => _floors.TryGetValue(group.Value, out var shown) ? shown[^1].Index : LogIndex.Zero;

    /// <summary>The same, before <paramref name="time"/>.</summary>
    public LogIndex FloorOf(GroupId group, long time) => _floors.TryGetValue(group.Value, out var shown) ? shown.FindLast(floor => floor.At < time).Index : LogIndex.Zero;

    public void RaiseFloor(GroupId group, LogIndex index)
    {
        if (index <= FloorOf(group)) return;
        if (!_floors.TryGetValue(group.Value, out var shown)) _floors.Add(group.Value, shown = []);
        shown.Add((Now, index));
    }

    /// <summary>A stale read was answered and said how old it was at most; or nobody could tell.</summary>
    public void CountStale(bool hasAge)
    {
        if (hasAge) _staleReads++;
    }

    public void CountReplay() => _replays++;

    /// <summary>A read of the past was answered with what was there, or refused.</summary>
    public void CountPast(ErrorCode? error)
    {
        if (error is null) _past.Read++;
        else if (error == ErrorCode.RevisionCompacted) _past.Compacted++;
    }

    /// <summary>Snapshots that a node installed in the life that ends.</summary>
    public void CountSnapshots(long installed) => _snapshots += installed;

    public void CountFault(Fault fault) => _faults[(int)fault]++;

    /// <summary>A request that was issued by the client's plan is over.</summary>
    public void CountPlanned(Client.RequestOutcome outcome) => _planned = _planned.With(outcome);

    /// <summary>Adds an event to the run's fingerprint, by which two runs are compared.</summary>
    public void Note(ulong kind, ulong detail) => _traceHash = new SplitMix(_traceHash ^ (ulong)Now * 31 ^ kind << 48 ^ detail).Next();

    public void Trace(Func<string> line) => _trace?.WriteLine($"{Now / 1_000_000.0,12:F6} {line()}");

    /// <summary>By the seed some clients issue their requests by the client library's plan.</summary>
    private SimClient NewClient(int index, SplitMix root)
    {
        SplitMix plan = root.Fork(600 + (ulong)index);
        return new SimClient(this, root.Fork(200 + (ulong)index), plan.Below(100) < Options.PlannedClientPercent ? new PlannedRequests(this, plan) : null);
    }

    /// <summary>What was said not to be applied nobody ever finds, before or after.</summary>
    private void ExpectHonest(Operation operation)
    {
        switch (operation)
        {
            case { Request.Kind: RequestKind.Put, Outcome.Kind: OutcomeKind.Failed or OutcomeKind.Refused }: Note(_rejected, _found, operation.Request.Value); break;
            case { Request.Kind: RequestKind.Get, Outcome: { Kind: OutcomeKind.Ok, Existed: true } }: Note(_found, _rejected, operation.Outcome.Value); break;
        }

        void Note(HashSet<long> said, HashSet<long> contrary, long value)
        {
            said.Add(value);
            Invariant.Holds(!contrary.Contains(value), $"{operation.Key}: v{value} was said not to be applied, and is found");
        }
    }

    private void RunUntil(Func<bool> isDone, long deadline)
    {
        while (!isDone() && !_events.IsEmpty && Now <= deadline) _events.RunNext();
    }

    private void BecomeQuiet()
    {
        Trace(() => "quiet: everything heals");
        IsQuiet = true;
        Network.Heal();
        if (Dead is null && Options.LeavesOneDead && Options.Replicas >= 3)
        {
            Dead = Nodes[(int)(Options.Seed % (ulong)Nodes.Count)];
            Dead.Die();
        }

        foreach (SimNode node in Nodes.Where(node => node != Dead))
        {
            node.CrashInNextDiskOperations(-1);
            node.EmptyDisk();
            if (node.HasRottenLog) node.Crash(cutPower: false); // It may die of that at any time: better before it is counted on.
            if (!node.IsRunning) node.Start();
            node.CrashInNextDiskOperations(-1);
        }
    }

    private bool ReplicasAreEqual()
    {
        foreach (ShardDescription shard in Map.Shards)
        {
            LogIndex? applied = null;
            GroupId id = new(shard.Id);
            if (Nodes.Where(node => node != Dead).Select(node => node.Group(id)).FirstOrDefault(group => group?.Role == Role.Leader) is not { } leader || leader.IsChangingMembers) return false;
            foreach (Member member in leader.Configuration.Members)
            {
                SimNode node = NodeOf(member.Node);
                if (node == Dead || node.IsStopped(id)) continue;
                if (node.Group(id) is not { } group || group.Replica != member.Replica) return false;
                if (applied is not null && applied != group.Applied) return false;
                applied = group.Applied;
            }

            // Who was removed has heard of it, even if all that it knew of have gone too.
            if (Nodes.Any(node => node != Dead && node.Group(id) is { } group && !leader.Configuration.Contains(group.Replica))) return false;
        }

        return true; // Equal index; that equal index means equal state is checked at every apply.
    }

    public string DescribeGroups() => string.Join("; ", Nodes.Where(node => node.IsRunning).SelectMany(node => node.Host!.Worker.Groups.Select(group =>
        $"{node.Name} {group} applied {group.Applied} log from {group.SnapshotIndex} {group.Configuration} [{string.Join(", ", group.Followers)}] {(group.IsInstalling ? "installing" : "")} {node.Host.Snapshots}")));

    private void CheckHistory()
    {
        CheckResult result = LinearizabilityChecker.Check([.. _history, .. _open]);
        Invariant.Holds(result.Verdict == Verdict.Linearizable, $"{result.Verdict}: {result}");

        // The second opinion trusts the positions that the answers carry, and so proves these; only lists have none.
        ReplayViolation? violation = ReplayChecker.Check([.. _history.Where(operation => operation.Position is not null || operation.Request.Kind != RequestKind.Get), .. _open]);
        Invariant.Holds(violation is null, $"by the order that the answers claim: {violation}");
    }
}

/// <summary>What a clean run did.</summary>
/// <param name="Fingerprint">Over every event of the run, in order.</param>
internal sealed record SimResult(int Operations, int Succeeded, long Messages, long Elections, long Faults, long Replays, long Snapshots, long Sleeps, long MemberChanges, (long Read, long Compacted) Past, long StaleReads, PlannedOutcomes Planned, (long Refused, long Harmless) Rot, ulong Fingerprint);

/// <summary>How the requests ended that clients issued by the client library's plan.</summary>
internal readonly record struct PlannedOutcomes(long Applied, long Rejected, long Unknown)
{
    public PlannedOutcomes With(Client.RequestOutcome outcome) => outcome switch
    {
        Client.RequestOutcome.Applied => this with { Applied = Applied + 1 },
        Client.RequestOutcome.Rejected => this with { Rejected = Rejected + 1 },
        _ => this with { Unknown = Unknown + 1 },
    };

    public static PlannedOutcomes operator +(PlannedOutcomes left, PlannedOutcomes right) => new(left.Applied + right.Applied, left.Rejected + right.Rejected, left.Unknown + right.Unknown);

    public override string ToString() => $"{Applied + Rejected + Unknown} planned requests ({Applied} applied, {Rejected} rejected, {Unknown} unknown)";
}
