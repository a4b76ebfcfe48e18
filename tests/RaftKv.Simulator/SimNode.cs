using System.Buffers;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;
using RaftKv.RaftLog;

namespace RaftKv.Simulator;

/// <summary>
/// One node: the production pumps, log, row layout and front, on a simulated disk, clock and network. Pumps run when the
/// scheduler says so; what a thread would do in between, other events do.
/// </summary>
internal sealed class SimNode : IPeerLinks
{
    private const ulong ClusterId = 0xC1;
    private const long FreeDiskFloorBytes = 1_000_000;
    private readonly World _world;
    private readonly SplitMix _random;
    private SimDisk _disk;
    private SimDisk _metaDisk;
    private SimShardStores _stores;
    private PeerDisks? _peerDisks;
    private ulong _diskId;
    private DurabilityOracle? _lostDurability;

    /// <summary>Where the log has rotted, until a start has shown whether that matters.</summary>
    private (string Name, long Offset)? _rot;
    private readonly bool[] _isScheduled = new bool[4];
    private readonly long _ownClockPerMille;
    private long _clockPerMille;
    private long _clockAt;
    private long _clockSince;

    /// <summary>As it was before each change of its rate, oldest first.</summary>
    private readonly List<(long Since, long At, long PerMille)> _formerClocks = [];
    private long _life;
    private bool _isDead;
    private long _pausedUntil;
    private long _slowUntil;
    private long _nextWriteHangs;
    private long _fullUntil;
    private long _tickScheduledFor;
    private long? _readClockAt;
    private long _snapshotsScheduledFor;

    public SimNode(World world, int index, SplitMix random)
    {
        _world = world;
        Index = index;
        Name = $"n{index + 1}";
        Id = new NodeId(Contracts.NodeIdentity.IdOf(Name));
        _random = random;
        (_disk, _metaDisk, _stores, _diskId) = NewDisks();
        int spread = world.Options.ClockRateSpreadPerMille;
        _clockPerMille = _ownClockPerMille = 1000 + (spread == 0 ? 0 : random.Below(2 * spread + 1) - spread);
        _clockAt = 1_000_000 + random.Below(1_000_000_000);
    }

    private enum Pump
    {
        Step,
        Persist,
        Apply,
        Snapshot,
    }

    public int Index { get; }

    public string Name { get; }

    public NodeId Id { get; }

    /// <summary>Null while the process is down.</summary>
    public MultiRaftHost? Host { get; private set; }

    public ulong BootId { get; private set; }

    public DurabilityOracle Durability { get; private set; } = new();

    /// <summary>Whether the node holds the entry durably, or did before its disk was taken away: then its acknowledgement counted.</summary>
    public bool HasHeld(GroupId group, LogIndex index, Term term) => Durability.Holds(group, index, term) || (_lostDurability?.Holds(group, index, term) ?? false);

    /// <summary>Client calls under way at this node.</summary>
    public List<SimCall> Calls { get; } = [];

    public bool IsRunning => Host is not null;

    /// <summary>Since when its disk has been below the floor, and it knew; null while there is room.</summary>
    public long? FullSince { get; private set; }

    /// <summary>This node's clock, in µs: it has an offset and a rate of its own.</summary>
    public long Now => _clockAt + (_world.Now - _clockSince) * _clockPerMille / 1000;

    /// <summary>What its clock showed at a time that is not in the future.</summary>
    public long ClockAt(long time)
    {
        (long since, long at, long perMille) = time >= _clockSince ? (_clockSince, _clockAt, _clockPerMille) : _formerClocks.FindLast(clock => clock.Since <= time);
        return at + (time - since) * perMille / 1000;
    }

    /// <summary>The latest time, to within a turn of its clock, at which its clock can have shown so little; 0 for what it never did.</summary>
    public long TimeWhenItsClockRead(long clock)
    {
        (long since, long at, long perMille) = clock >= _clockAt ? (_clockSince, _clockAt, _clockPerMille) : _formerClocks.FindLast(former => former.At <= clock);
        return perMille == 0 ? 0 : since + (clock - at) * 1000 / perMille;
    }

    public void Start()
    {
        if (_isDead) return;
        Invariant.Holds(!IsRunning);
        _life++;
        BootId = _random.Next() | 1;
        Array.Clear(_isScheduled);
        // Now and then a node dies while it is being born.
        if (_life == 1 && _random.Chance(100_000)) _disk.CrashAfterOperations = (int)_random.Below(12);
        _tickScheduledFor = _snapshotsScheduledFor = 0;
        try
        {
            SegmentedRaftLog log = SegmentedRaftLog.Open(_disk, new RaftLogOptions { SegmentBytes = _world.Options.SegmentBytes, ZeroAheadBytes = 16 * 1024, BudgetBytes = 8 * _world.Options.SegmentBytes }, _random.Next(), out RecoveredLog recovered);
            ObservedLog observed = new(log, Durability);
            Durability.CheckRecovered(Name, recovered);
            if (recovered.Identity is null)
                recovered = NodeBirth.Run(new DiskIdentity(ClusterId, Id, _diskId, Name, _world.Map.ToFile()), _world.Map, observed, _stores);
            if (_rot is not null) Settle(isRefused: false);
            _peerDisks = PeerDisks.Open(_metaDisk);
            StartHost(observed, recovered);
        }
        catch (LogCorruptException corrupt) when (_rot is { } rot)
        {
            _world.Trace(() => $"{Name} refuses to start: {corrupt.Message}");
            Invariant.Holds(corrupt.File == rot.Name && corrupt.Offset <= rot.Offset, $"{Name}: what has rotted is {rot.Name} at offset {rot.Offset}, what is told of is {corrupt.File} at {corrupt.Offset}");
            Settle(isRefused: true);
        }
        catch (Exception crash) when (crash is SimulatedCrashException or DiskFailedException)
        {
            _world.Trace(() => $"{Name} crashes at start: {crash.Message}");
            Host = null;
            Down(cutPower: _random.Chance(500_000));
            _world.After(1_000 + _random.Below(500_000), () => { if (!IsRunning) Start(); });
        }
    }

    /// <summary>The process dies. With the power cut, the disk forgets what was not synced.</summary>
    public void Crash(bool cutPower)
    {
        if (!IsRunning) return;
        _world.Trace(() => $"{Name} {(cutPower ? "loses power" : "is killed")}");
        if (cutPower && Host!.LogWriter.HasWork) TearTheBatchBeingWritten();
        _world.CountSnapshots(Host!.Snapshots.Installed);
        Host = null;
        _readClockAt = null;
        Down(cutPower);
        if (!cutPower) _world.Network.TellConnections(this, isUp: false);
        foreach (SimCall call in Calls) call.OnConnectionLost();
        Calls.Clear();
    }

    /// <summary>SIGTERM: the node gives away what it leads, and then ends; it comes back after a while.</summary>
    public void Stop(long restartAfter)
    {
        if (!IsRunning) return;
        _world.Trace(() => $"{Name} is asked to stop");
        long life = _life;
        Host!.Worker.PostCompletion((Action<long>)(now => Host.Worker.BeginHandOver(now, () => _world.After(1, () =>
        {
            if (life != _life) return;
            Crash(cutPower: false);
            _world.After(restartAfter, () => { if (!IsRunning) Start(); });
        }))));
    }

    /// <summary>An operator asks for every leadership of this node to be handed to whoever takes over soonest.</summary>
    public void TransferLeaderships()
    {
        if (!IsRunning) return;
        _world.Trace(() => $"{Name} is asked to hand over");
        Host!.Worker.PostCompletion((Action<long>)(now =>
        {
            foreach (RaftGroup group in Host.Worker.Groups) Host.Worker.TryTransfer(now, group.Group, default, new Nobody());
        }));
    }

    /// <summary>Every peer has met this node, and would know another disk of its.</summary>
    public bool IsKnownToAll => _world.Nodes.All(peer => peer == this || (peer._peerDisks?.Knows(Id) ?? false));

    /// <summary>The disk is replaced by an empty one, and the node starts as if for the first time.</summary>
    public void Wipe()
    {
        Crash(cutPower: true);
        _world.Trace(() => $"{Name} loses its disk");
        (_disk, _metaDisk, _stores, _diskId) = NewDisks();
        FullSince = null;
        _lostDurability = Durability;
        Durability = new DurabilityOracle();
        Start();
    }

    /// <summary>Dead for good: nothing starts it again.</summary>
    public void Die()
    {
        Crash(cutPower: true);
        _isDead = true;
    }

    /// <summary>The process stops running for a while; its clock and the world go on.</summary>
    public void PauseFor(long micros)
    {
        _world.Trace(() => $"{Name} is paused for {micros} µs");
        _pausedUntil = Math.Max(_pausedUntil, _world.Now + micros);
    }

    /// <summary>The clock goes on from where it is at another rate, for a while. Nothing may depend on it but liveness.</summary>
    public void RunClockAt(long perMille, long forMicros)
    {
        SetClockRate(perMille);
        _world.After(forMicros, () => SetClockRate(_ownClockPerMille));
    }

    public void SlowDiskFor(long micros) => _slowUntil = Math.Max(_slowUntil, _world.Now + micros);

    /// <summary>The next write of the log takes that long.</summary>
    public void HangDiskFor(long micros) => _nextWriteHangs = micros;

    public bool TryRot(SplitMix chance) => _stores.TryRot(chance);

    /// <summary>A bit of its log flips: under the running process, or while it is down.</summary>
    public bool TryRotLog(SplitMix chance)
    {
        if (_disk.TryRot(chance) is not { } rot) return false;
        _world.Trace(() => $"{Name}: {rot.Name} rots at offset {rot.Offset}");
        _rot = rot;
        return true;
    }

    public bool HasRottenLog => _rot is not null;

    public bool IsStopped(GroupId group) => Host is { } host && host.Worker.Stopped.Any(stopped => stopped.Group == group);

    /// <summary>Others fill its disk, for a while or until it is emptied.</summary>
    public void FillDiskFor(long micros)
    {
        _fullUntil = Math.Max(_fullUntil, _world.Now + micros);
        if (FullSince is null) SetFree(_random.Below(FreeDiskFloorBytes));
        _world.After(micros, () => { if (_world.Now >= _fullUntil) EmptyDisk(); });
    }

    public void EmptyDisk()
    {
        _fullUntil = 0;
        if (FullSince is not null) SetFree(long.MaxValue);
    }

    public void FailNextSync() => _disk.FailNextSync = true;

    public void CrashInNextDiskOperations(int operations) => _disk.CrashAfterOperations = operations;

    public RaftGroup? Group(GroupId group) => Host?.Worker.Find(group);

    /// <inheritdoc/>
    public SendStatus Send(NodeId to, ReadOnlySpan<byte> frame) => _world.Network.Send(this, to, frame.ToArray());

    /// <inheritdoc/>
    public void SendBulk(NodeId to, ReadOnlySpan<byte> frame) => Send(to, frame);

    /// <inheritdoc/>
    public IReadOnlyCollection<NodeId> Nodes => [.. _world.Nodes.Where(node => node != this).Select(node => node.Id)];

    /// <inheritdoc/>
    public ulong BootIdOf(NodeId node) => _world.NodeOf(node).BootId;

    /// <summary>A frame arrives, perhaps damaged: the production codec decides.</summary>
    public void Deliver(SimNode from, byte[] frame)
    {
        // Both ends of a connection must have accepted each other.
        if (!IsRunning || _peerDisks!.Refusal(from.Hello) is not null || from.Refuses(this)) return;
        ReadOnlySequence<byte> bytes = new(frame);
        try
        {
            while (PeerFrame.TryRead(ref bytes, out FrameKind kind, out byte[] body)) Host!.Worker.OnFrame(from.Id, kind, body);
        }
        catch (MalformedException)
        {
            _world.Network.Refused++; // A real link closes the connection; the next one is open at once.
        }
    }

    public void OnConnection(SimNode from, bool isUp)
    {
        if (!IsRunning || _peerDisks!.Refusal(from.Hello) is not null || from.Refuses(this)) return;
        _world.Trace(() => $"{Name} has {(isUp ? "a" : "lost its")} connection from {from.Name}");
        Host!.Worker.OnConnection(from.Id, isUp ? from.BootId : 0);
    }

    /// <summary>A client's call arrives. False: connection refused.</summary>
    public bool TryCall(SimCall call)
    {
        if (!IsRunning) return false;
        Calls.Add(call);
        if (!Host!.Worker.TryPost(call, call.Request.Length)) call.Refuse();
        return true;
    }

    private void SetFree(long bytes)
    {
        _disk.FreeBytes = bytes;
        _stores.RoomBytes = bytes - FreeDiskFloorBytes;
        FullSince = bytes < FreeDiskFloorBytes ? _world.Now : null;
        TellSpace();
    }

    /// <summary>
    /// A start has met the rot: it was refused, and the node stays down; or what had been promised was found, and so the rot lies where nothing counts.
    /// </summary>
    private void Settle(bool isRefused)
    {
        _rot = null;
        if (isRefused) _isDead = true;
        _world.OnRotSettled(this, isRefused);
    }

    /// <summary>What the shell does once a second.</summary>
    private void TellSpace() => Host?.Worker.PostCompletion(new DiskSpace(_disk.FreeBytes, FreeDiskFloorBytes));

    private void SetClockRate(long perMille)
    {
        _formerClocks.Add((_clockSince, _clockAt, _clockPerMille));
        _clockAt = Now;
        _clockSince = _world.Now;
        _clockPerMille = perMille;
    }

    private bool Refuses(SimNode peer) => _peerDisks is { } disks && disks.Knows(peer.Id) && disks.Refusal(peer.Hello) is not null;

    private Hello Hello => new(Hello.CurrentProtocol, Hello.CurrentProtocol, ClusterId, 0, Id, _diskId, BootId, default, Name);

    private (SimDisk Log, SimDisk Meta, SimShardStores Stores, ulong Id) NewDisks() =>
        (new SimDisk(_random.Fork(2)), new SimDisk(_random.Fork(8)), new SimShardStores(_random.Fork(7), _world.Options.FlushChance), _random.Next() | 1);

    private void StartHost(IRaftLog log, RecoveredLog recovered)
    {
        SimOptions world = _world.Options;
        HostOptions options = new()
        {
            Node = Id,
            BootId = BootId,
            Seed = _random.Next(),
            HibernateAfterMicros = world.HibernateAfterMicros,
            MaxAppendBytes = world.MaxAppendBytes,
            MaxCachedBytes = world.MaxCachedBytes,
            MaxUncommittedBytes = world.MaxUncommittedBytes,
            SnapshotEntries = (ulong)world.SnapshotEntries,
            CatchUpEntries = (ulong)world.CatchUpEntries,
            SnapshotChunkBytes = world.SnapshotChunkBytes,
            HasLeases = world.HasLeases,
            Clock = () => Now,
        };
        Host = MultiRaftHost.Start(options, recovered, log, new KvStateMachines(_stores, World.Limits, _world.Options.VersionCacheBytes, _world.Options.HeldRowBytes), this, Now);
        Host.Connect(new Front(new FrontOptions(Name, BootId), _world.Map, Host.Worker, this));
        Host.Worker.OnWork = () => Schedule(Pump.Step);
        Host.LogWriter.OnWork = () => Schedule(Pump.Persist);
        Host.Applier.OnWork = () => Schedule(Pump.Apply);
        Host.Snapshots.OnWork = () => Schedule(Pump.Snapshot);
        if (FullSince is not null) TellSpace();
        _world.Safety.OnRestart(this);
        _world.Trace(() => $"{Name} starts");
        _world.Network.TellConnections(this, isUp: true);
        Schedule(Pump.Step);
    }

    /// <summary>The power fails in the middle of a write: the batch that waits gets as far into it as chance has it.</summary>
    private void TearTheBatchBeingWritten()
    {
        _disk.CrashAfterOperations = (int)_random.Below(4);
        try
        {
            Host!.LogWriter.RunOnce(Now);
        }
        catch (Exception crash) when (crash is SimulatedCrashException or DiskFailedException)
        {
            _world.Trace(() => $"{Name}: {crash.Message}");
        }
    }

    private void Down(bool cutPower)
    {
        _life++;
        _disk.CrashAfterOperations = -1;
        _disk.FailNextSync = false;
        _stores.Crash();
        if (!cutPower) return;
        _disk.CutPower();
        _metaDisk.CutPower();
    }

    private void Schedule(Pump pump)
    {
        if (_isScheduled[(int)pump]) return;
        _isScheduled[(int)pump] = true;
        if (pump == Pump.Persist) Host!.LogWriter.Begin(Now);
        At(Delay(pump), pump);
    }

    private void At(long delay, Pump pump)
    {
        long life = _life;
        _world.After(delay, () =>
        {
            if (life == _life) Run(pump);
        });
    }

    private void Run(Pump pump)
    {
        if (_world.Now < _pausedUntil)
        {
            At(_pausedUntil - _world.Now, pump);
            return;
        }

        _isScheduled[(int)pump] = false;
        try
        {
            RunOnce(pump);
        }
        catch (Exception crash) when (crash is SimulatedCrashException or DiskFailedException)
        {
            _world.Trace(() => $"{Name}: {crash.Message}");
            Crash(cutPower: _random.Chance(500_000));
            _world.After(1_000 + _random.Below(2_000_000), () => { if (!IsRunning) Start(); });
        }
        catch (LogCorruptException corrupt) when (_rot is not null)
        {
            _world.Trace(() => $"{Name} stops: {corrupt.Message}");
            Crash(cutPower: false);
            Start();
        }
    }

    private void RunOnce(Pump pump)
    {
        switch (pump)
        {
            case Pump.Step:
                if (_world.Options.HasLeases && TryFallBehindTheClock()) break;
                Host!.Worker.RunOnce(_readClockAt ?? Now);
                _readClockAt = null;
                _world.Safety.AfterStep(this);
                ScheduleTick();
                if (Host.Worker.HasWork) Schedule(Pump.Step);
                break;
            case Pump.Persist:
                Host!.LogWriter.RunOnce(Now);
                if (Host.LogWriter.HasWork) Schedule(Pump.Persist);
                break;
            case Pump.Apply:
                Host!.Applier.RunOnce();
                _world.Safety.AfterApply(this);
                if (Host.Applier.HasWork) Schedule(Pump.Apply);
                break;
            case Pump.Snapshot:
                Host!.Snapshots.RunOnce(Now);
                ScheduleSnapshotsDue();
                if (Host.Snapshots.HasWork) Schedule(Pump.Snapshot);
                break;
        }

        _world.Note((ulong)pump + 1, (ulong)Index);
    }

    /// <summary>STEP has taken its work and read the clock, and then its thread is not run for a while, nor is any other of the process: so it is with a machine that is suspended.</summary>
    private bool TryFallBehindTheClock()
    {
        if (_readClockAt is not null || _world.IsQuiet || !_random.Chance(_world.Options.StaleClockChance)) return false;
        Host!.Worker.TakeWork();
        _readClockAt = Now;
        PauseFor(_random.Below(1_500_000));
        Schedule(Pump.Step);
        return true;
    }

    /// <summary>Wakes STEP for its next tick, by this node's clock; work that comes before does not wait for it.</summary>
    private void ScheduleTick()
    {
        long due = Host!.Worker.NextTickAt;
        if (due == _tickScheduledFor) return;
        _tickScheduledFor = due;
        long life = _life;
        _world.After(Math.Max(1, (due - Now) * 1000 / _clockPerMille + 1), () =>
        {
            if (life != _life) return;
            _tickScheduledFor = 0; // The clock may have slowed meanwhile: then this comes too early, and another must follow.
            Run(Pump.Step);
        });
    }

    private void ScheduleSnapshotsDue()
    {
        long due = Host!.Snapshots.NextDueAt;
        if (due == long.MaxValue || due == _snapshotsScheduledFor) return;
        _snapshotsScheduledFor = due;
        long life = _life;
        _world.After(Math.Max(1, (due - Now) * 1000 / _clockPerMille + 1), () =>
        {
            if (life != _life) return;
            _snapshotsScheduledFor = 0; // As with ticks: a clock that has slowed makes this come too early.
            Run(Pump.Snapshot);
        });
    }

    /// <summary>Whoever asked has gone.</summary>
    private sealed class Nobody : ITransferOwner
    {
        public void OnEnded(GroupId group, TransferResult result)
        {
        }
    }

    private long TakeHang()
    {
        long hang = _nextWriteHangs;
        _nextWriteHangs = 0;
        return hang;
    }

    private long Delay(Pump pump)
    {
        SimOptions options = _world.Options;
        return pump switch
        {
            Pump.Step => 1 + _random.Below(100),
            Pump.Persist => 1 + TakeHang() + _random.Below(2 * options.SyncMicros) + (_world.Now < _slowUntil || _random.Chance(options.SlowDiskChance) ? _random.Below(400_000) : 0),
            _ => 1 + _random.Below(2 * options.ApplyMicros),
        };
    }
}
