using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// A replica's replicated state over its ordered store. Applying is deterministic: equal entries leave equal rows on every
/// replica. Owned by the APPLY thread.
/// </summary>
public interface IStateMachine : IDisposable
{
    /// <summary>The last entry applied, as the store says.</summary>
    LogIndex Applied { get; }

    /// <summary>The term of that entry.</summary>
    Term AppliedTerm { get; }

    /// <summary>The group's members as of <see cref="Applied"/>.</summary>
    Configuration Configuration { get; }

    /// <summary>The shard's epoch as of <see cref="Applied"/>.</summary>
    (ulong Version, ulong ConfVersion) EpochNumbers { get; }

    /// <summary>The last entry whose effects a crash right now would leave: what the log must keep begins behind it.</summary>
    LogIndex FlushedApplied { get; }

    /// <summary>The largest stamp applied, in ms: what the group's own time stands at (design §9).</summary>
    ulong TimeMillis { get; }

    /// <summary>The earliest deadline the state holds, in the group's time; null when it holds none. May be too early, never too late.</summary>
    ulong? NextDeadlineMillis { get; }

    /// <summary>When, in the group's time, <see cref="DeadlineCommand"/> would give up history that need not be kept any longer; null: not unless more is written. Nothing depends on it but space.</summary>
    ulong? NextCompactionMillis { get; }

    /// <summary>The command that a leader proposes so that deadlines up to its stamp pass.</summary>
    ReadOnlyMemory<byte> DeadlineCommand { get; }

    /// <summary>Starts a batch of consecutive entries.</summary>
    void Begin();

    /// <summary>Applies one entry to the batch; returns its result, or null if it has none or <paramref name="wantsResult"/> is false.</summary>
    object? Apply(in Entry entry, bool wantsResult);

    /// <summary>Writes the batch atomically, rows and applied index together. Only now may results leave.</summary>
    void Commit();

    /// <summary>Begins to make what is applied durable, and does not wait for it.</summary>
    void BeginFlush();

    /// <summary>The state after <see cref="FlushedApplied"/> as files, for another replica. May be called from any thread.</summary>
    ICheckpoint CreateCheckpoint();
}

/// <summary>Opens the state machines of a node; the host decides when.</summary>
public interface IStateMachines
{
    /// <summary>Opens the live generation of a replica's store.</summary>
    IStateMachine Open(GroupId group, ulong generation);

    /// <summary>
    /// Deletes every store directory that is not (group, generation) of <paramref name="live"/>. A directory of a group that is neither live nor
    /// <paramref name="removed"/> means that synced log was lost: InvariantViolatedException.
    /// </summary>
    void DeleteAllBut(IReadOnlyCollection<(GroupId Group, ulong Generation)> live, IReadOnlyCollection<GroupId> removed);

    /// <inheritdoc cref="IShardStores.RoomBytes"/>
    long RoomBytes { get; }

    /// <summary>Begins a new generation that is filled with another replica's checkpoint; what an earlier attempt left there is deleted.</summary>
    IStagedStore Stage(GroupId group, ulong generation);

    /// <summary>Deletes a generation that is closed; nothing happens when there is none.</summary>
    void Delete(GroupId group, ulong generation);
}

/// <summary>A proposal that waits for its outcome. Called from the APPLY thread, once.</summary>
public interface IProposalOwner
{
    /// <summary>The entry was applied at (index, term); <paramref name="result"/> is the state machine's.</summary>
    void OnApplied(GroupId group, LogIndex index, Term term, object? result);

    /// <summary>Another term's entry was committed at this proposal's index: it was not and never will be applied.</summary>
    void OnSuperseded();
}

/// <summary>A linearizable read that waits for its index to be applied.</summary>
public interface IReadOwner
{
    /// <summary>Whether anybody still waits for it. From any thread.</summary>
    bool IsWanted { get; }

    /// <summary>Serves the read from state that has applied at least the granted index. Called from the APPLY thread.</summary>
    /// <param name="isByLease">The leader relied on its lease, and did not ask a majority.</param>
    void Serve(IStateMachine machine, GroupId group, Term term, bool isByLease);

    /// <summary>The read could not be confirmed: leadership was lost, or the replica was stopped or removed. Called from the STEP thread.</summary>
    void OnDropped();
}
