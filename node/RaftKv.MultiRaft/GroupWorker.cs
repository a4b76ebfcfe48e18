using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// STEP: the loop that runs many groups. A turn drains the inbox, steps the groups it touches, and hands on what they want
/// done: messages that may leave now, one batch for PERSIST, entries and reads for APPLY. It never waits for either.
/// </summary>
/// <remarks>
/// Called by one thread, which owns every group. Hot path: no lock but the queues', no Information log, nothing
/// allocated per message beyond what it carries.
/// </remarks>
public sealed partial class GroupWorker : IPeerReceiver
{
    /// <summary>Entries of one message for which the buffer is kept.</summary>
    private const int MaxReceivedKept = 1024;

    private readonly HostOptions _options;
    private readonly SortedList<GroupId, HostedReplica> _replicas = [];
    private readonly WorkQueue<WorkerEvent> _inbox;
    private readonly LogWriter _logWriter;
    private readonly Applier _applier;
    private readonly SnapshotStreamer _snapshots;
    private readonly IRaftLog _log;
    private readonly IPeerLinks _links;
    private readonly PeerOutbox _outbox;
    private readonly NodeWatch _nodes;
    private readonly DiskWatch _disk;
    private readonly Transfers _transfers;
    private readonly Ready _ready = new();
    private readonly List<HostedReplica> _touched = [];
    private Entry[] _received = [];
    private readonly SortedDictionary<GroupId, ReplicaId> _tombstones = [];
    private IFront? _front;
    private HandOver? _handOver;
    private bool _isLeaving;
    private ulong _nextReadContext;
    private List<WorkerEvent>? _taken;
    private long _nextTick;
    private bool _isQuiet;
    private long _nextNodeHeartbeat;
    private long _droppedFrames;

    internal GroupWorker(HostOptions options, LogWriter logWriter, Applier applier, SnapshotStreamer snapshots, IRaftLog log, IPeerLinks links)
    {
        _snapshots = snapshots;
        _log = log;
        _options = options;
        _logWriter = logWriter;
        _applier = applier;
        _links = links;
        _outbox = new PeerOutbox(links);
        _nodes = new NodeWatch(options.ElectionTimeoutMicros, options.Seed);
        _disk = new DiskWatch(options);
        _transfers = new Transfers(2 * options.ElectionTimeoutMicros);
        _inbox = new WorkQueue<WorkerEvent>(options.MaxInboxItems, options.MaxInboxBytes);
    }

    public bool HasWork => _inbox.HasWork;

    /// <summary>What waits for this pump. Any thread may ask.</summary>
    public QueueDepth QueueDepth => _inbox.Depth;

    /// <summary>One write of the log takes so long that this node leads nothing. On the STEP thread only.</summary>
    public bool IsDiskStalled => _disk.IsStalled;

    /// <summary>When <see cref="RunOnce"/> is due even without work.</summary>
    public long NextTickAt => _nextTick;

    /// <summary>Wakes the thread that runs this pump.</summary>
    public Action OnWork { set => _inbox.OnWork = value; }

    /// <summary>Frames that were dropped because the inbox was full or they did not parse.</summary>
    public long DroppedFrames => Interlocked.Read(ref _droppedFrames);

    /// <summary>
    /// Takes what waits, for the next turn. Before the clock is read for it: a heartbeat that is handled at an earlier time than it came at would be promised too little (leases).
    /// </summary>
    public void TakeWork() => _taken ??= _inbox.TakeAll();

    /// <summary>One turn. Returns false when there was nothing to do.</summary>
    public bool RunOnce(long now)
    {
        TakeWork();
        List<WorkerEvent> events = _taken!;
        _taken = null;
        bool isTick = now >= _nextTick;
        if (events.Count == 0 && !isTick) return false;

        foreach (WorkerEvent work in events) Handle(now, work);
        if (isTick) Tick(now);
        _transfers.Advance(now);
        if (_handOver is not null && _handOver.Advance(now, _replicas.Values, _nodes, Touch)) _handOver = null;
        if (_isQuiet && (_touched.Count > 0 || _front!.HasCalls)) EndQuiet(now);

        // By index: what is handed on may touch further groups (a dropped read that the front tries again).
        for (int i = 0; i < _touched.Count; i++)
        {
            HostedReplica replica = _touched[i];
            replica.IsTouched = false;
            if (replica.IsRemoved || replica.Damage is not null) continue;
            replica.Group.TakeReady(_ready);
            if (_ready.IsRemoved)
            {
                Remove(replica);
                continue;
            }

            replica.Stages.Tell(replica.Group);
            HandOn(now, replica);
            WatchMembers(replica);
            NoteSleep(now, replica);
            NoteLeader(now, replica);
        }

        _touched.Clear();
        _outbox.Flush();
        return true;
    }

    /// <summary>Posts new work for the front from any thread; false when the inbox is full, and nothing will happen.</summary>
    public bool TryPost(object work, int bytes) => _inbox.TryAdd(new WorkerEvent(WorkKind.Front, null, 0, work), bytes);

    /// <summary>Posts what work that was admitted before led to; never refused.</summary>
    public void PostCompletion(object work) => _inbox.AddAlways(new WorkerEvent(WorkKind.Front, null, 0, work));

    /// <inheritdoc/>
    public void OnFrame(NodeId from, FrameKind kind, byte[] body)
    {
        bool isTaken = PeerFrame.ChannelOf(kind) == PeerChannel.Bulk
            ? _snapshots.TryPostFrame(from, kind, body)
            : _inbox.TryAdd(new WorkerEvent(WorkKind.PeerFrame, null, (ulong)kind, body, from), body.Length);
        if (isTaken) return;
        Interlocked.Increment(ref _droppedFrames);
        if (_front?.RefusalOf(kind, body) is { } refusal) _links.Send(from, refusal);
    }

    /// <inheritdoc/>
    public void OnConnection(NodeId peer, ulong bootId) => _inbox.AddAlways(new WorkerEvent(WorkKind.Connection, null, bootId, null, peer));

    /// <summary>Proposes a command; for the front, on the STEP thread. Unless Appended, the owner will hear nothing.</summary>
    public ProposeResult Propose(long now, GroupId group, byte featureLevel, ReadOnlyMemory<byte> payload, IProposalOwner owner)
    {
        if (!_replicas.TryGetValue(group, out HostedReplica? replica)) return new ProposeResult(ProposeStatus.NotLeader, default, default);
        if (_logWriter.IsFull || _applier.IsFull) return new ProposeResult(ProposeStatus.Busy, default, default);
        replica.UsedAtMicros = now;
        ProposeResult result = ProposeStamped(now, replica, featureLevel, payload);
        if (result.Status == ProposeStatus.Appended) replica.AddPending(new PendingProposal(result.Index, result.Term, owner));
        return result;
    }

    /// <summary>
    /// Asks for a linearizable read, which is served here whether the replica here leads or follows; for the front, on the STEP thread. False: it does neither.
    /// </summary>
    /// <param name="mayUseLease">If this node leads the group under a lease, that is proof enough.</param>
    public bool TryRead(long now, GroupId group, IReadOwner owner, bool mayUseLease = false)
    {
        if (!_replicas.TryGetValue(group, out HostedReplica? replica)) return false;
        ulong context = ++_nextReadContext;
        replica.UsedAtMicros = now;
        if (!replica.Group.TryRequestRead(now, context, mayUseLease)) return false;
        replica.Reads.Add(context, owner);
        Touch(replica);
        return true;
    }

    /// <summary>
    /// Hands the group's leadership to the voter on node <paramref name="to"/>, or (default) to the one that takes over soonest; for the front, on the
    /// STEP thread. False: this node does not lead the group, and the owner will hear nothing. Else it hears of the end once, at the latest after
    /// two election timeouts, on the STEP thread.
    /// </summary>
    public bool TryTransfer(long now, GroupId group, NodeId to, ITransferOwner owner)
    {
        if (!_replicas.TryGetValue(group, out HostedReplica? replica) || replica.Group.Role != Role.Leader) return false;
        replica.UsedAtMicros = now;
        Touch(replica);
        _transfers.Begin(now, replica, to, node => _nodes.MayLead(now, node), owner);
        return true;
    }

    /// <summary>To which node this one is just handing over the group's leadership; null when it is not.</summary>
    public NodeId? TransferTargetOf(GroupId group) =>
        _replicas.TryGetValue(group, out HostedReplica? replica) && !replica.Group.TransferTarget.IsNone ? replica.NodeOf(replica.Group.TransferTarget) : null;

    /// <summary>
    /// This node is about to stop: it gives away whatever it leads, many groups at once, while everything else goes on; on the STEP thread.
    /// <paramref name="onDone"/> is called there when it leads nothing any more that another node could, at the latest after two election timeouts.
    /// </summary>
    public void BeginHandOver(long now, Action onDone)
    {
        _isLeaving = true;
        _handOver = new HandOver(now + _options.HandOverMicros, onDone);
        SendNodeHeartbeats(now);
    }

    /// <summary>Has the replica here serve a read from the state it has; for the front, on the STEP thread. The node must hold one.</summary>
    public void ReadAsIs(long now, GroupId group, IReadOwner owner)
    {
        HostedReplica replica = _replicas[group];
        if (replica.Group.IsAsleep)
        {
            // Asleep nobody hears anything, and the ages of its reads would grow for ever.
            replica.UsedAtMicros = now;
            replica.Group.WakeLeader(now);
            Touch(replica);
        }

        _applier.Add(new ServeRead(replica, new GrantedRead(LogIndex.Zero, replica.Group.Term, owner)), 0);
    }

    /// <summary>For how long the replica here may have lacked something committed, in µs; null if that is not known. See <see cref="Freshness"/>.</summary>
    public long? AgeMicros(long now, GroupId group) => _replicas.TryGetValue(group, out HostedReplica? replica) ? replica.Freshness.AgeMicros(now) : null;

    /// <summary>The consensus state of a group on this node, or null. On the STEP thread only.</summary>
    public RaftGroup? Find(GroupId group) => _replicas.TryGetValue(group, out HostedReplica? replica) ? replica.Group : null;

    /// <summary>What a group on this node has under way: proposals without an outcome, and reads whose index is not confirmed. On the STEP thread only.</summary>
    public (int Proposals, int Reads) PendingOf(GroupId group) => _replicas.TryGetValue(group, out HostedReplica? replica) ? (replica.PendingProposals, replica.Reads.Count) : default;

    /// <summary>All groups on this node, by id. On the STEP thread only.</summary>
    public IEnumerable<RaftGroup> Groups => _replicas.Values.Select(replica => replica.Group);

    /// <summary>The state machines of this node's replicas, by group; APPLY owns each. On the STEP thread only, or when the pumps have stopped.</summary>
    public IEnumerable<IStateMachine> Machines => _replicas.Values.Where(replica => !replica.IsStopped).Select(replica => replica.Machine);

    /// <summary>Sends a frame of the front's.</summary>
    public void SendToPeer(NodeId node, ReadOnlySpan<byte> frame) => _links.Send(node, frame);

    internal void Connect(IFront front) => _front = front;

    internal void PostPersisted(HostedReplica replica, ulong readyNumber) => _inbox.AddAlways(new WorkerEvent(WorkKind.Persisted, replica, readyNumber, null));

    internal void PostApplied(HostedReplica replica, LogIndex index, GroupTimes times) => _inbox.AddAlways(new WorkerEvent(WorkKind.Applied, replica, index.Value, times));

    internal void PostLogRead(HostedReplica replica, LogReadRequest request, Entry[] entries) =>
        _inbox.AddAlways(new WorkerEvent(WorkKind.LogRead, replica, 0, new LogReadAnswer(request, entries)));

    internal void PostRemoved(HostedReplica replica) => _inbox.AddAlways(new WorkerEvent(WorkKind.Removed, replica, 0, null));

    internal void PostFlushed(HostedReplica replica, LogIndex index) => _inbox.AddAlways(new WorkerEvent(WorkKind.Flushed, replica, index.Value, null));

    internal void PostStaged(StagedSnapshot snapshot) => _inbox.AddAlways(new WorkerEvent(WorkKind.SnapshotStaged, snapshot.Replica, 0, snapshot));

    internal void PostCheckpointMade(HostedReplica replica, SnapshotId id) => _inbox.AddAlways(new WorkerEvent(WorkKind.CheckpointMade, replica, 0, id));

    internal void PostSnapshotEnded(HostedReplica replica, ReplicaId target, LogIndex installed) =>
        _inbox.AddAlways(new WorkerEvent(WorkKind.SnapshotEnded, replica, target.Value, installed));

    private void Handle(long now, in WorkerEvent work)
    {
        if (IsInVain(work)) return;
        switch (work.Kind)
        {
            case WorkKind.PeerFrame:
                HandleFrame(now, work.From, (FrameKind)work.Number, (byte[])work.Payload!);
                break;
            case WorkKind.Persisted:
                work.Replica!.Group.OnPersisted(now, work.Number);
                work.Replica.Stages.OnPersisted(now, work.Number);
                Introduce(work.Replica);
                SwitchStore(work.Replica, work.Number);
                Touch(work.Replica);
                break;
            case WorkKind.Applied:
                work.Replica!.Group.OnApplied(new LogIndex(work.Number));
                work.Replica.Freshness.OnApplied(work.Replica.Group.Applied);
                work.Replica.Clock.OnApplied((GroupTimes)work.Payload!);
                ProposeDeadlines(now, work.Replica); // What one command could not do, the next one does at once.
                if (work.Replica.Staged is { } waiting) Install(now, waiting);
                Touch(work.Replica);
                break;
            case WorkKind.LogRead:
                LogReadAnswer answer = (LogReadAnswer)work.Payload!;
                work.Replica!.Group.OnLogRead(now, answer.Request, answer.Entries);
                Touch(work.Replica);
                break;
            case WorkKind.Flushed:
                work.Replica!.Compaction.OnFlushed(work.Replica.Group, new LogIndex(work.Number));
                Touch(work.Replica);
                break;
            case WorkKind.SnapshotStaged:
                Install(now, (StagedSnapshot)work.Payload!);
                break;
            case WorkKind.CheckpointMade:
                _snapshots.Post(new OfferSnapshot((SnapshotId)work.Payload!, work.Replica!.Group.Term));
                break;
            case WorkKind.SnapshotEnded:
                work.Replica!.Group.OnSnapshotEnded(now, new ReplicaId(work.Number), (LogIndex)work.Payload!);
                _options.Observer.OnSnapshotSent(work.Replica.Group, new ReplicaId(work.Number), (LogIndex)work.Payload!);
                Touch(work.Replica);
                break;
            case WorkKind.Removed:
                _applier.Add(new CloseRemoved(work.Replica!), 0);
                break;
            case WorkKind.Damaged:
                OnDamaged(now, work.Replica!, (string)work.Payload!);
                break;
            case WorkKind.ReadsDropped:
                foreach (IReadOwner read in (IReadOnlyList<IReadOwner>)work.Payload!) read.OnDropped();
                break;
            case WorkKind.Connection:
                OnConnection(now, work.From, bootId: work.Number);
                break;
            case WorkKind.Front:
                _front!.OnPosted(now, work.Payload!);
                break;
        }
    }

    private void HandleFrame(long now, NodeId from, FrameKind kind, byte[] body)
    {
        try
        {
            if (kind == FrameKind.RaftMessages) StepAll(now, from, body);
            else if (kind == FrameKind.NodeHeartbeat) OnNodeHeartbeat(now, from, body);
            else _front!.OnPeerFrame(now, from, kind, body);
        }
        catch (MalformedException)
        {
            Interlocked.Increment(ref _droppedFrames); // Its checksum was right, so it was sent so: a peer we cannot understand. Nothing else changes.
        }
    }

    private void StepAll(long now, NodeId from, byte[] body)
    {
        ByteReader reader = new(body);
        bool isFull = _logWriter.IsFull || _applier.IsFull;
        while (reader.Remaining > 0)
        {
            if (RaftMessageCodec.Read(ref reader, out GroupId group, ref _received) is not { } message) continue;
            if (!_replicas.TryGetValue(group, out HostedReplica? replica) && !TryCreate(now, group, from, message, out replica)) continue;
            replica.NoteAddress(message.From, from);
            if (replica.Group.Replica != message.To)
            {
                // A newer replica is meant to live here: then the one that does was removed, and has not heard of it.
                if (replica.Group.Replica.CompareTo(message.To) < 0 && message.Kind != MessageKind.AmIMember) replica.Group.AskWhetherMember(now, message.From);
                else replica.Group.TellIfRemoved(now, message);
                Touch(replica);
                continue;
            }

            // Raft sends it again. One without entries is let through: it may be what tells the leader where we stand.
            if (message.Kind == MessageKind.Append && !message.Entries.IsEmpty && (isFull || replica.Group.HasTooMuchUnapplied)) continue;
            if (message.Kind == MessageKind.ReadIndex) replica.UsedAtMicros = now; // By another node's clients.
            replica.Group.Step(now, message);
            replica.Freshness.OnMessage(message, replica.Group);
            _received.AsSpan(0, message.Entries.Length).Clear(); // The group has its copies; a slot would keep the whole frame in memory.
            Touch(replica);
        }

        if (_received.Length > MaxReceivedKept) _received = []; // It was for a follower far behind.
    }

    private void Tick(long now)
    {
        LogUsage usage = _log.Usage;
        IReadOnlyList<GroupId> pinning = usage.Bytes > usage.BudgetBytes / 2 ? _log.PinningOldest : [];
        WatchNodes(now);
        AskForStopped(now);
        GroupCounts counts = default;
        foreach (HostedReplica replica in _replicas.Values)
        {
            counts.Count(replica.Group);
            // Also of a group that sleeps: its old entries may keep the node's log from being freed.
            bool isPinning = pinning.Contains(replica.Id);
            if (replica.Compaction.TryAsk(now, replica.Group, _options, isPinning, out bool beginFlush)) _applier.Add(new AskFlushed(replica, beginFlush), 0);
            if (replica.Group.IsAsleep)
            {
                if (now < replica.WakeAtMicros) continue;
                replica.Group.Wake(now);
            }

            replica.Group.Tick(now);
            replica.Freshness.OnTick(replica.Group);
            ProposeDeadlines(now, replica);
            TryHibernate(now, replica);
            Touch(replica);
        }

        _options.Observer.OnTick(counts);
        _front!.OnTick(now);
        _isQuiet = counts.AreAsleep && !_front.HasCalls;
        // In quiet times a tick comes when a heartbeat is due, or it would be late by a tick.
        _nextTick = now + (_isQuiet ? Math.Min(_options.QuietTickMicros, Math.Max(_options.TickMicros, _nextNodeHeartbeat - now)) : _options.TickMicros);
    }

    private void EndQuiet(long now)
    {
        _isQuiet = false;
        _nextTick = Math.Min(_nextTick, now + _options.TickMicros);
        _nextNodeHeartbeat = Math.Min(_nextNodeHeartbeat, now + _options.HeartbeatIntervalMicros);
    }

    private void NoteLeader(long now, HostedReplica replica)
    {
        (Term Term, ReplicaId Leader) leader = (replica.Group.Term, replica.Group.Leader);
        if (leader == replica.ToldLeader) return;
        replica.ToldLeader = leader;
        if (!leader.Leader.IsNone) _front!.OnLeaderKnown(now, replica.Id);
    }

    /// <summary>The node of the leader that the group's replica here knows; null when it knows none, or there is no replica here.</summary>
    public NodeId? LeaderNodeOf(GroupId group) => _replicas.TryGetValue(group, out HostedReplica? replica) ? LeaderNodeOf(replica) : null;

    /// <summary>Proposes a membership change; on the STEP thread. Throws <see cref="ArgumentException"/> when it makes no sense.</summary>
    public ProposeResult ProposeMembers(long now, GroupId group, params ReadOnlySpan<MemberChange> changes)
    {
        if (!_replicas.TryGetValue(group, out HostedReplica? replica)) return new ProposeResult(ProposeStatus.NotLeader, default, default);
        replica.UsedAtMicros = now;
        Touch(replica);
        return replica.Group.ProposeMembers(now, changes);
    }

    private static NodeId? LeaderNodeOf(HostedReplica replica) => replica.Group.Leader.IsNone ? null : replica.NodeOf(replica.Group.Leader);

    /// <summary>Lets the deadlines that have passed in the group's time pass in its state too, on every replica at one index.</summary>
    private void ProposeDeadlines(long now, HostedReplica replica)
    {
        if (!replica.Clock.IsCommandDue(now, replica.Group) || _logWriter.IsFull || _applier.IsFull) return;
        ProposeResult result = ProposeStamped(now, replica, featureLevel: 0, replica.DeadlineCommand);
        if (result.Status == ProposeStatus.Appended) replica.Clock.OnCommandProposed(result.Index, result.Term);
    }

    private ProposeResult ProposeStamped(long now, HostedReplica replica, byte featureLevel, ReadOnlyMemory<byte> payload)
    {
        ulong stamp = replica.Clock.Stamp(now, replica.Group);
        ProposeResult result = replica.Group.Propose(now, featureLevel, stamp, revisionFloor: 0, payload);
        if (result.Status != ProposeStatus.Appended) return result;
        if (stamp > 0) replica.Clock.OnStamped(now);
        Touch(replica);
        return result;
    }

    private void SendNow(HostedReplica replica)
    {
        foreach (Message message in _ready.SendNow)
            if (replica.NodeOf(message.To) is { } node) _outbox.Add(replica.Id, node, message);
    }

    private void HandOn(long now, HostedReplica replica)
    {
        SendNow(replica);
        if (_ready.MustPersist) Persist(now, replica);
        if (_ready.ApplyLast > LogIndex.Zero) Apply(now, replica);
        foreach (ReadGrant grant in _ready.ReadGrants)
        {
            replica.Reads.Remove(grant.Context, out IReadOwner? owner);
            bool isByLease = grant.LeaseUntilMicros != 0;
            // That it held when the read was granted, only a look at the clock after that can say: this turn's time may be an old one.
            if (isByLease && _options.Clock() >= grant.LeaseUntilMicros) TryRead(now, replica.Id, owner!);
            else _applier.Add(new ServeRead(replica, new GrantedRead(grant.Index, grant.Term, owner!, isByLease)), 0);
        }

        foreach (ulong context in _ready.ReadsDropped)
        {
            replica.Reads.Remove(context, out IReadOwner? owner);
            owner!.OnDropped();
        }

        if (_ready.AsksEverybody) AskEverybody(replica);
        foreach (LogReadRequest request in _ready.LogReads) _applier.Add(new ReadLog(replica, request), 0);
        foreach (ReplicaId target in _ready.SnapshotsToSend) _snapshots.Post(new SendSnapshot(replica, new Member(target, replica.NodeOf(target)!.Value)));
    }

    /// <summary>Copies the Ready for PERSIST: the group may truncate or grow its log while the disk works.</summary>
    private void Persist(long now, HostedReplica replica)
    {
        ReadOnlySpan<Entry> entries = _ready.Entries.Span;
        if (entries.Length > 0) replica.Stages.OnProposed(now, replica.Group, _ready.Number, entries[^1].Index);
        long bytes = SizeOf(entries);
        replica.Compaction.OnAppended(bytes);
        (CommitPoint Point, bool KeepsLogBehind)? start = null;
        if (_ready.LogStart is { } logStart) start = (MoveCommitPoint(replica, logStart), logStart.KeepsLogBehind);
        _logWriter.Add(new PersistWork(replica, _ready.Number, start, _ready.HardState, EntryCopies.Of(entries), Addressed(replica, _ready.SendAfterPersist)), bytes);
    }

    private static AddressedMessage[] Addressed(HostedReplica replica, List<Message> messages)
    {
        if (messages.Count == 0) return [];
        List<AddressedMessage> addressed = new(messages.Count);
        foreach (Message message in messages)
            if (replica.NodeOf(message.To) is { } node) addressed.Add(new AddressedMessage(node, message));
        return [.. addressed];
    }

    private void Apply(long now, HostedReplica replica)
    {
        replica.Stages.OnCommitted(now, _ready.ApplyLast);
        List<PendingProposal>? waiting = replica.TakePendingUpTo(_ready.ApplyLast);
        ReadOnlySpan<Entry> entries = _ready.ApplyEntries.Span;
        _applier.Add(new ApplyEntries(replica, _ready.ApplyFirst, _ready.ApplyLast, EntryCopies.Of(entries), waiting) { TimedFrom = replica.Group.Role == Role.Leader ? now : 0 }, SizeOf(entries));
    }

    private static long SizeOf(ReadOnlySpan<Entry> entries)
    {
        long bytes = 0;
        foreach (ref readonly Entry entry in entries) bytes += entry.SizeBytes;
        return bytes;
    }

    private void Touch(HostedReplica replica)
    {
        if (replica.IsTouched || replica.IsRemoved || replica.Damage is not null) return;
        replica.IsTouched = true;
        _touched.Add(replica);
    }

    private enum WorkKind : byte
    {
        Front,
        PeerFrame,
        Connection,
        Damaged,
        ReadsDropped,
        Persisted,
        Applied,
        LogRead,
        Flushed,
        SnapshotStaged,
        CheckpointMade,
        SnapshotEnded,
        Removed,
    }

    private readonly record struct WorkerEvent(WorkKind Kind, HostedReplica? Replica, ulong Number, object? Payload, NodeId From = default);

    private sealed record LogReadAnswer(LogReadRequest Request, Entry[] Entries);
}
