using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>One replica on this node: its consensus state, its state machine, and who waits for what.</summary>
/// <remarks>The first block belongs to STEP, the second to APPLY; nothing is shared but through the queues, and the machine, see there.</remarks>
internal sealed class HostedReplica(RaftGroup group, IStateMachine machine, CommitPoint point, IPumpObserver? observer = null)
{
    private readonly List<PendingProposal> _older = [];
    private Queue<PendingProposal> _pending = new();
    private IStateMachine _machine = machine;
    private bool _isRemoved;
    private bool _isStopped;
    private readonly Dictionary<ReplicaId, NodeId> _heardFrom = [];

    public GroupId Id => Group.Group;

    public RaftGroup Group { get; } = group;

    /// <summary>What the observer hears of this group.</summary>
    public StageClock Stages { get; } = new(observer ?? NoObserver.Instance);

    /// <summary>Proposals that wait for their outcome.</summary>
    public int PendingProposals => _older.Count + _pending.Count;

    /// <summary>Already in the list of groups this turn touched.</summary>
    public bool IsTouched { get; set; }

    /// <summary>When a request last gave the group something to do.</summary>
    public long UsedAtMicros { get; set; }

    /// <summary>When the leader last asked the members to sleep.</summary>
    public long HibernateAskedAtMicros { get; set; }

    /// <summary>The leader that the front was last told of.</summary>
    public (Term Term, ReplicaId Leader) ToldLeader { get; set; }

    /// <summary>The group's sleep was noticed.</summary>
    public bool WasAsleep { get; set; }

    /// <summary>While it sleeps: when it must wake for a deadline.</summary>
    public long WakeAtMicros { get; set; }

    /// <summary>Reads whose index is not confirmed yet, by the context that the group knows them by.</summary>
    public Dictionary<ulong, IReadOwner> Reads { get; } = [];

    /// <summary>The group's time as this replica knows it, and whether a deadline is due.</summary>
    public GroupClock Clock { get; } = new(new GroupTimes(machine.TimeMillis, machine.NextDeadlineMillis, machine.NextCompactionMillis));

    /// <summary>How far behind this replica may be.</summary>
    public Freshness Freshness { get; } = new();

    /// <summary>A constant of the machine; a new replica gets its machine with its first snapshot.</summary>
    public ReadOnlyMemory<byte> DeadlineCommand => Machine.DeadlineCommand;

    /// <summary>The newest commit point handed to PERSIST: the generation, and where the log begins.</summary>
    public CommitPoint Point { get; set; } = point;

    /// <summary>A snapshot that arrived and is not accepted by the group yet.</summary>
    public StagedSnapshot? Staged { get; set; }

    /// <summary>A snapshot that was accepted: APPLY switches to it when the Ready of that number is persisted.</summary>
    public (StagedSnapshot Snapshot, ulong ReadyNumber, ulong OldGeneration)? Installing { get; set; }

    public LogCompaction Compaction { get; } = new();

    /// <summary>Changed by APPLY when a snapshot is installed. SNAPSHOT reads it to make checkpoints; a store that is just closed refuses.</summary>
    public IStateMachine Machine
    {
        get => Volatile.Read(ref _machine);
        set => Volatile.Write(ref _machine, value);
    }

    /// <summary>APPLY's: reads that are confirmed but whose index is not applied yet.</summary>
    public List<GrantedRead> WaitingReads { get; } = [];

    /// <summary>It was made by a message, and the disk does not know of it yet.</summary>
    public bool IsNew { get; set; }

    /// <summary>
    /// STEP has given it up: nothing more is handed on for it, and what APPLY still has of it is in vain, for its tombstone empties its log. Set
    /// before the tombstone is handed to PERSIST.
    /// </summary>
    public bool IsRemoved
    {
        get => Volatile.Read(ref _isRemoved);
        set => Volatile.Write(ref _isRemoved, value);
    }

    /// <summary>Its store is damaged: APPLY and SNAPSHOT leave it alone from here on. Set by whoever finds out.</summary>
    public bool IsStopped
    {
        get => Volatile.Read(ref _isStopped);
        set => Volatile.Write(ref _isStopped, value);
    }

    /// <summary>Why it is stopped; null until STEP knows that it is.</summary>
    public string? Damage { get; set; }

    /// <summary>The configuration whose nodes are being watched.</summary>
    public Configuration? WatchedConfiguration { get; set; }

    /// <summary>A message of that replica came from there.</summary>
    public void NoteAddress(ReplicaId replica, NodeId node) => _heardFrom[replica] = node;

    /// <summary>Where a replica lives: as the configuration says, or from where it was last heard, which is all that a new replica and a removed one have.</summary>
    public NodeId? NodeOf(ReplicaId replica) =>
        Group.Configuration.NodeOf(replica) ?? Group.AppliedConfiguration.NodeOf(replica) ?? (_heardFrom.TryGetValue(replica, out NodeId node) ? node : null);

    /// <summary>Remembers who waits for the entry at (index, term), just appended by this leader.</summary>
    public void AddPending(PendingProposal proposal)
    {
        if (_pending.Count > 0 && _pending.Peek().Term != proposal.Term)
        {
            // An earlier leadership's proposals: they may still be committed, until their index is.
            _older.AddRange(_pending);
            _pending = new Queue<PendingProposal>();
        }

        _pending.Enqueue(proposal);
    }

    /// <summary>Takes out everybody who waits for an index up to <paramref name="last"/>, in ascending order of index.</summary>
    public List<PendingProposal>? TakePendingUpTo(LogIndex last)
    {
        List<PendingProposal>? taken = null;
        if (_older.Count > 0)
        {
            taken = [.. _older.Where(proposal => proposal.Index <= last)];
            _older.RemoveAll(proposal => proposal.Index <= last);
        }

        while (_pending.TryPeek(out PendingProposal proposal) && proposal.Index <= last) (taken ??= new List<PendingProposal>(Math.Min(_pending.Count, 256))).Add(_pending.Dequeue());
        if (taken is not null && taken.Count > 1) taken.Sort(static (left, right) => left.Index.CompareTo(right.Index));
        return taken is { Count: 0 } ? null : taken;
    }
}

/// <summary>Somebody waits to hear what became of the entry that was appended at (Index, Term).</summary>
internal readonly record struct PendingProposal(LogIndex Index, Term Term, IProposalOwner Owner);

/// <summary>A confirmed read: to be served once Index is applied.</summary>
internal readonly record struct GrantedRead(LogIndex Index, Term Term, IReadOwner Owner, bool IsByLease = false);
