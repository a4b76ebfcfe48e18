using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>One replica on this node: its consensus state, its state machine, and who waits for what.</summary>
/// <remarks>The first block belongs to STEP, the second to APPLY; nothing is shared but through the queues.</remarks>
internal sealed class HostedReplica(RaftGroup group, IStateMachine machine)
{
    private readonly List<PendingProposal> _older = [];
    private Queue<PendingProposal> _pending = new();

    public GroupId Id => Group.Group;

    public RaftGroup Group { get; } = group;

    /// <summary>Already in the list of groups this turn touched.</summary>
    public bool IsTouched { get; set; }

    /// <summary>Reads whose index is not confirmed yet, by the context that the group knows them by.</summary>
    public Dictionary<ulong, IReadOwner> Reads { get; } = [];

    /// <summary>The group's time as this replica knows it, and whether a deadline is due.</summary>
    public GroupClock Clock { get; } = new(machine.TimeMillis, machine.NextDeadlineMillis);

    /// <summary>How far behind this replica may be.</summary>
    public Freshness Freshness { get; } = new();

    public ReadOnlyMemory<byte> DeadlineCommand { get; } = machine.DeadlineCommand;

    public IStateMachine Machine { get; } = machine;

    /// <summary>APPLY's: reads that are confirmed but whose index is not applied yet.</summary>
    public List<GrantedRead> WaitingReads { get; } = [];

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

        while (_pending.TryPeek(out PendingProposal proposal) && proposal.Index <= last) (taken ??= []).Add(_pending.Dequeue());
        if (taken is not null && taken.Count > 1) taken.Sort(static (left, right) => left.Index.CompareTo(right.Index));
        return taken is { Count: 0 } ? null : taken;
    }
}

/// <summary>Somebody waits to hear what became of the entry that was appended at (Index, Term).</summary>
internal readonly record struct PendingProposal(LogIndex Index, Term Term, IProposalOwner Owner);

/// <summary>A confirmed read: to be served once Index is applied.</summary>
internal readonly record struct GrantedRead(LogIndex Index, Term Term, IReadOwner Owner);
