using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// PERSIST: makes what groups append durable, and is the only one that releases what must wait for it. What queued while
/// the last sync ran, of all groups, becomes one write and one sync.
/// </summary>
/// <remarks>
/// A failure of the log throws out of <see cref="RunOnce"/>: nothing of the batch is released, and the process stops
/// (design §3.5). Called by one thread. Hot path: no allocation per entry.
/// </remarks>
public sealed class LogWriter
{
    private readonly IRaftLog _log;
    private readonly PeerOutbox _outbox;
    private readonly WorkQueue<PersistWork> _queue;
    private GroupWorker? _worker;
    private long _writingSince;

    internal LogWriter(IRaftLog log, IPeerLinks links, HostOptions options)
    {
        _log = log;
        _outbox = new PeerOutbox(links);
        _queue = new WorkQueue<PersistWork>(int.MaxValue, options.MaxPersistQueueBytes);
    }

    public bool HasWork => _queue.HasWork;

    /// <summary>What waits for this pump. Any thread may ask.</summary>
    public QueueDepth QueueDepth => _queue.Depth;

    /// <summary>Wakes the thread that runs this pump.</summary>
    public Action OnWork { set => _queue.OnWork = value; }

    /// <summary>When the batch under way was begun, in µs; 0 when there is none. Waiting in the queue does not count.</summary>
    internal long WritingSince => Volatile.Read(ref _writingSince);

    internal bool IsFull => _queue.IsFull;

    internal void Connect(GroupWorker worker) => _worker = worker;

    internal void Add(PersistWork work, long bytes) => _queue.AddAlways(work, bytes);

    /// <summary>A batch is being begun at <paramref name="now"/>, if anything waits. <see cref="RunOnce"/> does this itself; the simulator does it before the disk's delay.</summary>
    public void Begin(long now)
    {
        if (WritingSince == 0 && HasWork) Volatile.Write(ref _writingSince, now);
    }

    /// <summary>Persists everything that waits. Returns false when nothing did.</summary>
    public bool RunOnce(long now)
    {
        Begin(now);
        List<PersistWork> batch = _queue.TakeAll();
        if (batch.Count == 0) return false;
        bool mustSync = false;
        foreach (PersistWork work in batch)
        {
            RaftGroup group = work.Replica.Group;
            if (work.IsRemoval) _log.AddTombstone(group.Group, group.Replica);
            if (work.Start is { } start) _log.AddCommitPoint(group.Group, start.Point, start.KeepsLogBehind);
            if (work.HardState is { } hardState) _log.AddHardState(group.Group, group.Replica, hardState);
            if (work.Entries.Length > 0) _log.AddEntries(group.Group, group.Replica, work.Entries.Span);
            mustSync |= work.IsRemoval || work.Start is not null || work.HardState is not null || work.Entries.Length > 0;
            work.Entries.Return();
        }

        if (mustSync) _log.Commit();
        Volatile.Write(ref _writingSince, 0);
        foreach (PersistWork work in batch)
            foreach (ref readonly AddressedMessage message in work.SendAfter.AsSpan()) _outbox.Add(work.Replica.Id, message.Node, message.Message);
        _outbox.Flush();
        foreach (PersistWork work in batch)
        {
            if (work.IsRemoval) _worker!.PostRemoved(work.Replica);
            else _worker!.PostPersisted(work.Replica, work.ReadyNumber);
        }

        return true;
    }
}

/// <summary>One Ready on its way to the disk, with what may leave once it is there.</summary>
internal sealed record PersistWork(HostedReplica Replica, ulong ReadyNumber, (CommitPoint Point, bool KeepsLogBehind)? Start, HardState? HardState, EntryCopies Entries, AddressedMessage[] SendAfter)
{
    /// <summary>The replica is removed: its tombstone is all there is to write.</summary>
    public bool IsRemoval { get; init; }
}

/// <summary>A message and where its addressee lives, which only STEP knows.</summary>
internal readonly record struct AddressedMessage(NodeId Node, Message Message);
