using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// APPLY: applies what is committed and locally durable, one batch per run of entries, completes requests, serves reads whose
/// index is reached, and reads old entries back from the log for followers that are far behind.
/// </summary>
/// <remarks>Called by one thread. A failure of store or log throws out of <see cref="RunOnce"/> and stops the process.</remarks>
public sealed class Applier
{
    private const int LogReadBytes = 4 * 1024 * 1024;

    private readonly IRaftLog _log;
    private readonly SnapshotStreamer _snapshots;
    private readonly IPumpObserver _observer;
    private readonly WorkQueue<ApplyWork> _queue;
    private readonly List<(PendingProposal Proposal, object? Result, bool IsApplied)> _outcomes = [];
    private GroupWorker? _worker;

    internal Applier(IRaftLog log, SnapshotStreamer snapshots, HostOptions options)
    {
        _log = log;
        _snapshots = snapshots;
        _observer = options.Observer;
        _queue = new WorkQueue<ApplyWork>(int.MaxValue, options.MaxApplyQueueBytes);
    }

    public bool HasWork => _queue.HasWork;

    /// <summary>What waits for this pump. Any thread may ask.</summary>
    public QueueDepth QueueDepth => _queue.Depth;

    /// <summary>Wakes the thread that runs this pump.</summary>
    public Action OnWork { set => _queue.OnWork = value; }

    internal bool IsFull => _queue.IsFull;

    internal void Connect(GroupWorker worker) => _worker = worker;

    internal void Add(ApplyWork work, long bytes) => _queue.AddAlways(work, bytes);

    /// <summary>Does everything that waits. Returns false when nothing did.</summary>
    public bool RunOnce()
    {
        List<ApplyWork> batch = _queue.TakeAll();
        foreach (ApplyWork work in batch)
        {
            if (work.Replica.IsStopped && !TryEndStopped(work)) continue;
            try
            {
                Do(work);
            }
            catch (StoreDamagedException damage)
            {
                Stop(work, damage);
            }
        }

        return batch.Count > 0;
    }

    private void Do(ApplyWork work)
    {
        switch (work)
        {
            case ApplyEntries entries: Apply(entries); break;
            case ServeRead read: ServeOrWait(read); break;
            case ReadLog read: Read(read); break;
            case AskFlushed ask: AnswerFlushed(ask); break;
            case SwitchStore change: Switch(change); break;
            case CloseRemoved removed: Close(removed.Replica); break;
            case DropReads: break; // TryEndStopped does.
        }
    }

    /// <summary>
    /// The replica's store is damaged: it applies and serves nothing from here on. Whoever waits for an entry learns nothing here: others apply it. Whoever waits for a
    /// read asks elsewhere.
    /// </summary>
    private void Stop(ApplyWork work, StoreDamagedException damage)
    {
        HostedReplica replica = work.Replica;
        _worker!.ReportDamage(replica, damage);
        _outcomes.Clear();
        List<IReadOwner> reads = [.. replica.WaitingReads.Select(read => read.Owner)];
        replica.WaitingReads.Clear();
        if (work is ServeRead failed) reads.Add(failed.Read.Owner);
        _worker.PostDroppedReads(reads);
    }

    /// <summary>Of what is still on its way to a stopped replica only the end of a store is done: true.</summary>
    private bool TryEndStopped(ApplyWork work)
    {
        HostedReplica replica = work.Replica;
        DropWaitingReads(replica);
        if (work is ServeRead read) _worker!.PostDroppedReads([read.Read.Owner]);
        if (work is ApplyEntries entries) entries.Entries.Return();
        return work is SwitchStore or CloseRemoved;
    }

    private void DropWaitingReads(HostedReplica replica)
    {
        if (replica.WaitingReads.Count == 0) return;
        _worker!.PostDroppedReads([.. replica.WaitingReads.Select(waiting => waiting.Owner)]);
        replica.WaitingReads.Clear();
    }

    private void Apply(ApplyEntries work)
    {
        HostedReplica replica = work.Replica;
        int waiting = 0;
        if (replica.IsRemoved && work.First > replica.Machine.Applied.Next)
        {
            work.Entries.Return(); // Its log was emptied under entries that were still to be read back: what follows them has nothing to be applied to.
            return;
        }

        if (work.Entries.Length > 0)
        {
            ApplyBatch(replica, work.Entries.Span, work.Waiting, ref waiting);
            work.Entries.Return();
        }
        else
        {
            for (LogIndex next = work.First; next <= work.Last;)
            {
                Entry[] entries = _log.Read(replica.Id, next, work.Last, LogReadBytes);
                if (entries.Length == 0 && replica.IsRemoved) return;
                Invariant.Holds(entries.Length > 0, $"{replica.Id}: the log no longer holds {next}, which is not applied yet");
                ApplyBatch(replica, entries, work.Waiting, ref waiting);
                next = entries[^1].Index.Next;
            }
        }

        if (work.TimedFrom != 0) _observer.OnApplied(work.TimedFrom);
        OnApplied(replica);
    }

    private void OnApplied(HostedReplica replica)
    {
        _worker!.PostApplied(replica, replica.Machine.Applied, new GroupTimes(replica.Machine.TimeMillis, replica.Machine.NextDeadlineMillis, replica.Machine.NextCompactionMillis));
        replica.WaitingReads.RemoveAll(read =>
        {
            if (read.Index > replica.Machine.Applied) return !read.Owner.IsWanted;
            Serve(replica, read);
            return true;
        });
    }

    /// <summary>Applies consecutive entries as one atomic batch; whoever waits for one of them hears of it only after that.</summary>
    private void ApplyBatch(HostedReplica replica, ReadOnlySpan<Entry> entries, List<PendingProposal>? waiting, ref int position)
    {
        Invariant.Holds(entries[0].Index == replica.Machine.Applied.Next, $"{replica.Id}: applying {entries[0].Index} after {replica.Machine.Applied}");
        replica.Machine.Begin();
        foreach (ref readonly Entry entry in entries)
        {
            PendingProposal? owner = null;
            while (waiting is not null && position < waiting.Count && waiting[position].Index <= entry.Index)
            {
                PendingProposal proposal = waiting[position++];
                if (proposal.Index == entry.Index && proposal.Term == entry.Term) owner = proposal;
                else _outcomes.Add((proposal, null, false));
            }

            object? result = replica.Machine.Apply(entry, owner is not null);
            if (owner is { } applied) _outcomes.Add((applied, result, true));
        }

        replica.Machine.Commit();
        foreach (var (proposal, result, isApplied) in _outcomes)
        {
            if (isApplied) proposal.Owner.OnApplied(replica.Id, proposal.Index, proposal.Term, result);
            else proposal.Owner.OnSuperseded();
        }

        _outcomes.Clear();
    }

    private static void ServeOrWait(ServeRead read)
    {
        bool isReached = read.Read.Index <= read.Replica.Machine.Applied;
#if MUTANTS
        if (Mutants.On(Mutant.ReadDoesNotWaitForItsIndex)) isReached = true;
#endif
        if (isReached) Serve(read.Replica, read.Read);
        else read.Replica.WaitingReads.Add(read.Read);
    }

    /// <summary>Unless nobody waits for it any more: a replica that is far behind may hold many whose clients were served elsewhere.</summary>
    private static void Serve(HostedReplica replica, in GrantedRead read)
    {
        if (read.Owner.IsWanted) read.Owner.Serve(replica.Machine, replica.Id, read.Term, read.IsByLease);
    }

    private void AnswerFlushed(AskFlushed ask)
    {
        IStateMachine machine = ask.Replica.Machine;
        if (ask.BeginFlush) machine.BeginFlush();
        _worker!.PostFlushed(ask.Replica, machine.FlushedApplied);
    }

    /// <summary>The commit point that names the snapshot's generation is durable: from here on, that is the replica's state.</summary>
    private void Switch(SwitchStore change)
    {
        HostedReplica replica = change.Replica;
        IStateMachine old = replica.Machine;
        Invariant.Holds(change.Snapshot.Machine.Applied > old.Applied, $"{replica.Id}: a snapshot of {change.Snapshot.Machine.Applied} in place of {old.Applied}");
        replica.Machine = change.Snapshot.Machine;
        _snapshots.Post(new SnapshotSettled(change.Snapshot, IsInstalled: true, old, change.OldGeneration));
        OnApplied(replica);
    }

    /// <summary>The tombstone is durable, and nothing for the replica comes behind this.</summary>
    private void Close(HostedReplica replica)
    {
        DropWaitingReads(replica);
        replica.Machine.Dispose();
        _snapshots.Post(new ReplicaRemoved(replica));
    }

    private void Read(ReadLog work)
    {
        LogReadRequest request = work.Request;
        _worker!.PostLogRead(work.Replica, request, _log.Read(work.Replica.Id, request.First, request.Last, request.MaxBytes));
    }
}

internal abstract record ApplyWork(HostedReplica Replica);

/// <summary>Entries [First, Last] to apply; read from the log when <see cref="Entries"/> is empty.</summary>
internal sealed record ApplyEntries(HostedReplica Replica, LogIndex First, LogIndex Last, EntryCopies Entries, List<PendingProposal>? Waiting) : ApplyWork(Replica)
{
    /// <summary>When it was handed on, if the observer is to hear how long it took: a leader's entries. Else 0.</summary>
    public long TimedFrom { get; init; }
}

internal sealed record ServeRead(HostedReplica Replica, GrantedRead Read) : ApplyWork(Replica);

/// <summary>How far is the store flushed? And begin to flush it, if so asked.</summary>
internal sealed record AskFlushed(HostedReplica Replica, bool BeginFlush) : ApplyWork(Replica);

/// <summary>The replica was stopped by another pump: nobody need wait for it.</summary>
internal sealed record DropReads(HostedReplica Replica) : ApplyWork(Replica);

internal sealed record CloseRemoved(HostedReplica Replica) : ApplyWork(Replica);

internal sealed record SwitchStore(HostedReplica Replica, StagedSnapshot Snapshot, ulong OldGeneration) : ApplyWork(Replica);

internal sealed record ReadLog(HostedReplica Replica, LogReadRequest Request) : ApplyWork(Replica);
