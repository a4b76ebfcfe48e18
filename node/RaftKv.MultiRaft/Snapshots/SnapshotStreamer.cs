using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Snapshots;

/// <summary>
/// SNAPSHOT: moves whole states between nodes, beside the three stages of the write path and never in their way. It makes checkpoints for
/// followers that need them, fetches offered ones into a new generation of the store, and clears away what is replaced.
/// </summary>
/// <remarks>
/// <code>
/// leader's STEP ─ SendSnapshot ─▶ checkpoint ─▶ STEP: in which term? ─▶ offer ──▶ follower: is there room? stage a generation, fetch piece by piece, sync, verify, open
///  └▶ its STEP: TryInstall ─▶ PERSIST: commit point ─▶ APPLY: switch ─▶ here: delete the old one
/// leader's STEP ◀─ OnSnapshotEnded ◀── SnapshotEnd ◀────────────────────────────────────────────────────────────────┘
/// </code>
/// Called by one thread. A failure to make, send, fetch or write a snapshot ends that snapshot only: nothing relied on it yet. What arrived damaged may have been so before: its
/// sender verifies what it sent, and if it is not what was written, its replica stops.
/// </remarks>
public sealed class SnapshotStreamer : IDisposable
{
    private const int MaxOutgoing = 4;
    private const int MaxIncoming = 2;

    // No times of consensus, which scale: to ask once more costs little, however slow the cluster.
    private const long OfferIntervalMicros = 500_000;
    private const long FetchRetryMicros = 500_000;

    // But where a node may be slow for longer before it counts as gone, so it may here; and not for less, for files are synced in between.
    private const long MinSilenceMicros = 10_000_000;
    private const int SilentElectionTimeouts = 20;
    private const long MaxQueuedBytes = 32 * 1024 * 1024;

    private readonly HostOptions _options;
    private readonly IStateMachines _machines;
    private readonly IPeerLinks _links;
    private readonly SplitMix _numbers;
    private readonly WorkQueue<SnapshotWork> _inbox = new(4096, MaxQueuedBytes);
    private readonly SortedDictionary<GroupId, HostedReplica> _replicas = [];
    private readonly SortedDictionary<GroupId, ulong> _lastGeneration = [];
    private readonly List<OutgoingSnapshot> _outgoing = [];
    private readonly SortedDictionary<GroupId, IncomingSnapshot> _incoming = [];
    /// <summary>Groups whose snapshots wait for room, and when they were offered last.</summary>
    private readonly SortedDictionary<GroupId, long> _waiting = [];
    private readonly long _silenceMicros;
    private GroupWorker? _worker;
    private long _sent;
    private long _installed;
    private long _failed;
    private int _waitForRoom;

    internal SnapshotStreamer(HostOptions options, IStateMachines machines, IPeerLinks links)
    {
        _options = options;
        _machines = machines;
        _links = links;
        _numbers = new SplitMix(options.Seed).Fork(0x534E4150);
        _silenceMicros = Math.Max(MinSilenceMicros, SilentElectionTimeouts * options.ElectionTimeoutMicros);
    }

    public bool HasWork => _inbox.HasWork;

    /// <summary>What waits for this pump. Any thread may ask.</summary>
    public QueueDepth QueueDepth => _inbox.Depth;

    /// <summary>Wakes the thread that runs this pump.</summary>
    public Action OnWork { set => _inbox.OnWork = value; }

    /// <summary>When <see cref="RunOnce"/> is due even without work; long.MaxValue when it is not.</summary>
    public long NextDueAt { get; private set; } = long.MaxValue;

    /// <summary>Snapshots that followers have installed from here.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Snapshots installed here.</summary>
    public long Installed => Interlocked.Read(ref _installed);

    /// <summary>Snapshots that came to nothing, in or out.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Groups that are offered a snapshot here and have no room for it. Any thread may ask.</summary>
    public int WaitForRoom => Volatile.Read(ref _waitForRoom);

    /// <summary>One turn. Returns false when there was nothing to do.</summary>
    public bool RunOnce(long now)
    {
        List<SnapshotWork> works = _inbox.TakeAll();
        bool isDue = now >= NextDueAt;
        if (works.Count == 0 && !isDue) return false;
        foreach (SnapshotWork work in works) Handle(now, work);
        PassTime(now);
        NextDueAt = _outgoing.Select(outgoing => outgoing.IsSuspect ? now : Math.Min(outgoing.OfferAtMicros, outgoing.LastHeardMicros + _silenceMicros))
            .Concat(_incoming.Values.Where(incoming => !incoming.IsStaged).Select(incoming => incoming.IsComplete ? now : Math.Min(incoming.FetchAtMicros, incoming.LastHeardMicros + _silenceMicros)))
            .Concat(_waiting.Values.Select(offeredAt => offeredAt + _silenceMicros))
            .DefaultIfEmpty(long.MaxValue).Min();
        return true;
    }

    /// <summary>Closes what is on its way, in and out. The pump must have stopped; what it leaves in the directory, the next start deletes.</summary>
    public void Dispose()
    {
        foreach (SnapshotSettled settled in _inbox.TakeAll().OfType<SnapshotSettled>())
        {
            settled.Obsolete.Dispose();
            if (_incoming.TryGetValue(settled.Staged.Replica.Id, out IncomingSnapshot? incoming)) incoming.HandOver();
        }

        foreach (OutgoingSnapshot outgoing in _outgoing) TryDispose(outgoing);
        foreach (IncomingSnapshot incoming in _incoming.Values) incoming.Dispose();
        _outgoing.Clear();
        _incoming.Clear();
    }

    public override string ToString() => $"{Sent} sent, {Installed} installed, {Failed} failed, {_outgoing.Count} going out, {_incoming.Count} coming in";

    internal void Connect(GroupWorker worker) => _worker = worker;

    /// <summary>Before the first turn; later by <see cref="ReplicaAdded"/>.</summary>
    internal void Add(HostedReplica replica)
    {
        _replicas[replica.Id] = replica;
        _lastGeneration[replica.Id] = Math.Max(replica.Point.Generation, _lastGeneration.GetValueOrDefault(replica.Id));
    }

    /// <summary>A frame from another node; false when too much waits. The other side asks again.</summary>
    internal bool TryPostFrame(NodeId from, FrameKind kind, byte[] body) => _inbox.TryAdd(new FrameArrived(from, kind, body), body.Length);

    internal void Post(SnapshotWork work) => _inbox.AddAlways(work);

    private void Handle(long now, SnapshotWork work)
    {
        switch (work)
        {
            case FrameArrived frame: HandleFrame(now, frame); break;
            case SendSnapshot send: Send(now, send); break;
            case OfferSnapshot offer:
                _outgoing.Find(outgoing => outgoing.Id == offer.Id)?.SetOffer(offer.Term, now);
                break;
            case ReplicaAdded added: Add(added.Replica); break;
            case ReplicaRemoved removed: Forget(removed.Replica); break;
            case SnapshotSettled settled: Settle(settled); break;
        }
    }

    private void HandleFrame(long now, FrameArrived frame)
    {
        try
        {
            switch (frame.Kind)
            {
                case FrameKind.SnapshotOffer: OnOffer(now, frame.From, SnapshotOffer.Read(frame.Body)); break;
                case FrameKind.SnapshotFetch: OnFetch(now, frame.From, SnapshotFetch.Read(frame.Body)); break;
                case FrameKind.SnapshotChunk: OnChunk(now, SnapshotChunk.Read(frame.Body)); break;
                case FrameKind.SnapshotEnd: OnEnd(now, SnapshotEnd.Read(frame.Body)); break;
            }
        }
        catch (MalformedException)
        {
            Interlocked.Increment(ref _failed); // A peer we cannot understand. Nothing else changes.
        }
    }

    private void Send(long now, SendSnapshot send)
    {
        HostedReplica replica = send.Replica;
        EndOutgoing(_outgoing.Find(outgoing => outgoing.Replica == replica && outgoing.Id.To == send.To.Replica), LogIndex.Zero, isNews: false);
        if (_outgoing.Count >= MaxOutgoing)
        {
            _worker!.PostSnapshotEnded(replica, send.To.Replica, LogIndex.Zero);
            return;
        }

        try
        {
            ICheckpoint checkpoint = replica.Machine.CreateCheckpoint();
            OutgoingSnapshot outgoing = new(replica, send.To, _numbers.Next(), checkpoint, now);
            _outgoing.Add(outgoing);
            // Only now: the term must be at or above the one in which the checkpoint's last entry was committed.
            _worker!.PostCheckpointMade(replica, outgoing.Id);
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            Interlocked.Increment(ref _failed);
            _worker!.PostSnapshotEnded(replica, send.To.Replica, LogIndex.Zero);
            if (failure is StoreDamagedException damage) _worker.ReportDamage(replica, damage);
        }
    }

    private void OnFetch(long now, NodeId from, in SnapshotFetch fetch)
    {
        SnapshotId id = fetch.Id;
        OutgoingSnapshot? outgoing = _outgoing.Find(candidate => candidate.Id == id);
        try
        {
            if (outgoing?.Read(fetch, _options.SnapshotChunkBytes, now) is { } chunk) _links.SendBulk(from, chunk.ToFrame());
            else _links.SendBulk(from, new SnapshotEnd(id, LogIndex.Zero).ToFrame());
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            EndOutgoing(outgoing, LogIndex.Zero, isNews: true);
        }
    }

    private void OnOffer(long now, NodeId from, SnapshotOffer offer)
    {
        if (!_replicas.TryGetValue(offer.Id.Group, out HostedReplica? replica) || replica.Group.Replica != offer.Id.To || replica.IsStopped) return;
        if (_incoming.TryGetValue(replica.Id, out IncomingSnapshot? current))
        {
            // One at a time; another one takes over only from one that no longer moves.
            if (current.IsStaged || current.Offer.Id == offer.Id || now - current.LastHeardMicros < 2 * FetchRetryMicros) return;
            Abandon(current);
        }

        if (_incoming.Count >= MaxIncoming) return; // It will be offered again.
        Stage(now, from, offer, replica);
    }

    private void Stage(long now, NodeId from, SnapshotOffer offer, HostedReplica replica)
    {
        ulong generation = _lastGeneration[replica.Id] + 1;
        IStagedStore? store = null;
        try
        {
            if (!HasRoom(now, offer))
            {
                _links.SendBulk(from, new SnapshotEnd(offer.Id, LogIndex.Zero).ToFrame()); // Others may have the sender's slot; it will be offered again.
                return;
            }

            _lastGeneration[replica.Id] = generation;
            store = _machines.Stage(replica.Id, generation);
            _incoming.Add(replica.Id, new IncomingSnapshot(replica, from, offer, generation, store, now));
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            Interlocked.Increment(ref _failed);
            store?.Dispose();
            TryDelete(replica.Id, generation);
        }
    }

    /// <summary>Whether the whole of it, and what is still to come of others, leaves the disk its floor: the log, which stops the process when it finds no room, needs that.</summary>
    private bool HasRoom(long now, SnapshotOffer offer)
    {
        GroupId group = offer.Id.Group;
        long room = _machines.RoomBytes - _incoming.Values.Sum(other => other.MissingBytes);
        bool hasRoom = offer.Bytes <= room;
        if (hasRoom)
        {
            _waiting.Remove(group);
        }
        else
        {
            if (!_waiting.ContainsKey(group)) _options.Observer.OnSnapshotWaits(group, offer.Bytes, room);
            _waiting[group] = now;
        }

        Volatile.Write(ref _waitForRoom, _waiting.Count);
        return hasRoom;
    }

    private void OnChunk(long now, in SnapshotChunk chunk)
    {
        if (!_incoming.TryGetValue(chunk.Id.Group, out IncomingSnapshot? incoming) || incoming.Offer.Id != chunk.Id || incoming.IsStaged) return;
        try
        {
            long pause = chunk.Bytes.Length * 1_000_000L / _options.SnapshotBytesPerSecond;
            if (incoming.TryTake(chunk, now, now + pause) && incoming.IsComplete) Complete(now, incoming);
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            Abandon(incoming);
        }
    }

    /// <summary>All bytes are there: durable first, then verified in as many turns as that takes, then opened, then STEP is asked.</summary>
    private void Complete(long now, IncomingSnapshot incoming)
    {
        try
        {
            if (!incoming.VerifyNext(now)) Open(incoming);
            else if (now >= incoming.FetchAtMicros) incoming.Fetch(_links, now, FetchRetryMicros);
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            Abandon(incoming);
            if (failure is StoreDamagedException) _links.SendBulk(incoming.Source, new SnapshotEnd(incoming.Offer.Id, LogIndex.Zero).ToFrame());
        }
    }

    private void Open(IncomingSnapshot incoming)
    {
        SnapshotOffer offer = incoming.Offer;
        IStateMachine machine = incoming.Open(_machines);
        if (offer.Term < machine.AppliedTerm) throw new StoreFailedException($"{offer.Id}: offered in {offer.Term}, but its last entry is of {machine.AppliedTerm}");
        SnapshotHead head = new(offer.Term, machine.Applied, machine.AppliedTerm, machine.Configuration);
        var (version, confVersion) = machine.EpochNumbers;
        CommitPoint point = new(offer.Id.To, incoming.Generation, head.Index, head.LogTerm, head.Configuration, version, confVersion);
        _worker!.PostStaged(new StagedSnapshot(incoming.Replica, offer.Id, head, machine, point));
    }

    /// <summary>What became of a staged snapshot: the generation that is not needed any more goes, and the sender is told.</summary>
    private void Settle(SnapshotSettled settled)
    {
        StagedSnapshot staged = settled.Staged;
        if (settled.IsInstalled)
        {
            Interlocked.Increment(ref _installed);
            _options.Observer.OnSnapshotInstalled(staged.Replica.Id, staged.Head.Index, staged.Head.LogTerm);
        }

        settled.Obsolete.Dispose();
        TryDelete(staged.Replica.Id, settled.ObsoleteGeneration);
        // It may be another transfer by now, to a newer replica of the group.
        if (!_incoming.TryGetValue(staged.Replica.Id, out IncomingSnapshot? incoming) || incoming.Offer.Id != staged.Id) return;
        _incoming.Remove(staged.Replica.Id);
        incoming.HandOver();
        incoming.Dispose();
        // Also when it came too late: the replica has at least as much.
        _links.SendBulk(incoming.Source, new SnapshotEnd(staged.Id, staged.Head.Index).ToFrame());
    }

    private void OnEnd(long now, SnapshotEnd end)
    {
        if (_outgoing.Find(outgoing => outgoing.Id == end.Id) is { } sent)
        {
            // Of what the follower never asked for, for it has no room, nothing can have arrived damaged.
            if (end.Installed > LogIndex.Zero || !sent.IsFetched) EndOutgoing(sent, end.Installed, isNews: true);
            else if (!sent.IsSuspect) sent.Suspect();
        }
        else if (_incoming.TryGetValue(end.Id.Group, out IncomingSnapshot? incoming) && incoming.Offer.Id == end.Id && !incoming.IsComplete)
        {
            Abandon(incoming);
        }
    }

    /// <summary>The next step of verifying what was sent. At its end the transfer is over, and if it was bad the replica here is, too.</summary>
    private void VerifySent(OutgoingSnapshot outgoing)
    {
        try
        {
            if (outgoing.VerifyNext()) return;
            EndOutgoing(outgoing, LogIndex.Zero, isNews: true);
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            EndOutgoing(outgoing, LogIndex.Zero, isNews: true);
            if (failure is StoreDamagedException damage) _worker!.ReportDamage(outgoing.Replica, damage);
        }
    }

    private void PassTime(long now)
    {
        foreach (OutgoingSnapshot outgoing in _outgoing.ToArray())
        {
            if (outgoing.IsSuspect) VerifySent(outgoing);
            else if (now - outgoing.LastHeardMicros >= _silenceMicros) EndOutgoing(outgoing, LogIndex.Zero, isNews: true);
            else if (now >= outgoing.OfferAtMicros) outgoing.Offer(_links, now, OfferIntervalMicros);
        }

        foreach (IncomingSnapshot incoming in _incoming.Values.ToArray())
        {
            if (incoming.IsStaged) continue;
            if (incoming.IsComplete) Complete(now, incoming);
            else if (now - incoming.LastHeardMicros >= _silenceMicros) Abandon(incoming);
            else if (now >= incoming.FetchAtMicros) incoming.Fetch(_links, now, FetchRetryMicros);
        }

        foreach (GroupId group in _waiting.Where(offered => now - offered.Value >= _silenceMicros).Select(offered => offered.Key).ToArray()) ForgetWaiting(group);
    }

    /// <summary>Nobody offers it a snapshot any more.</summary>
    private void ForgetWaiting(GroupId group)
    {
        _waiting.Remove(group);
        Volatile.Write(ref _waitForRoom, _waiting.Count);
    }

    private void EndOutgoing(OutgoingSnapshot? outgoing, LogIndex installed, bool isNews)
    {
        if (outgoing is null) return;
        _outgoing.Remove(outgoing);
        TryDispose(outgoing);
        Interlocked.Increment(ref installed > LogIndex.Zero ? ref _sent : ref _failed);
        if (isNews) _worker!.PostSnapshotEnded(outgoing.Replica, outgoing.Id.To, installed);
    }

    /// <summary>A removed replica's store is closed: its directory goes, and whatever was on its way from or to it.</summary>
    private void Forget(HostedReplica replica)
    {
        foreach (OutgoingSnapshot outgoing in _outgoing.FindAll(outgoing => outgoing.Replica == replica)) EndOutgoing(outgoing, LogIndex.Zero, isNews: false);
        if (_incoming.TryGetValue(replica.Id, out IncomingSnapshot? incoming) && incoming.Replica == replica) Abandon(incoming);
        TryDelete(replica.Id, replica.Point.Generation);
        ForgetWaiting(replica.Id);
        if (_replicas.GetValueOrDefault(replica.Id) == replica) _replicas.Remove(replica.Id);
    }

    private void Abandon(IncomingSnapshot incoming)
    {
        _incoming.Remove(incoming.Replica.Id);
        incoming.Dispose();
        Interlocked.Increment(ref _failed);
        TryDelete(incoming.Replica.Id, incoming.Generation);
    }

    private static void TryDispose(OutgoingSnapshot outgoing)
    {
        try
        {
            outgoing.Dispose();
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            // Its files stay until the next start, which deletes them.
        }
    }

    private void TryDelete(GroupId group, ulong generation)
    {
        try
        {
            _machines.Delete(group, generation);
        }
        catch (Exception failure) when (IsFailureOfFiles(failure))
        {
            // The next start deletes it: no commit point names it.
        }
    }

    private static bool IsFailureOfFiles(Exception failure) =>
        failure is StoreFailedException or DiskFailedException or IOException or UnauthorizedAccessException or ObjectDisposedException;
}

/// <summary>What other stages want of SNAPSHOT.</summary>
internal abstract record SnapshotWork;

internal sealed record FrameArrived(NodeId From, FrameKind Kind, byte[] Body) : SnapshotWork;

/// <summary>A follower needs a snapshot of the replica.</summary>
internal sealed record SendSnapshot(HostedReplica Replica, Member To) : SnapshotWork;

/// <summary>The checkpoint of that transfer was made at or before this term.</summary>
internal sealed record OfferSnapshot(SnapshotId Id, Term Term) : SnapshotWork;

internal sealed record ReplicaAdded(HostedReplica Replica) : SnapshotWork;

/// <summary>The replica was removed from its group, durably, and its store is closed.</summary>
internal sealed record ReplicaRemoved(HostedReplica Replica) : SnapshotWork;

/// <summary>A staged snapshot was installed, and the store before it is obsolete; or it came too late, and is itself.</summary>
internal sealed record SnapshotSettled(StagedSnapshot Staged, bool IsInstalled, IStateMachine Obsolete, ulong ObsoleteGeneration) : SnapshotWork;
