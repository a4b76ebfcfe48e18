using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// What the pumps tell of their work, for metrics and logs. Nothing that they decide depends on it: the simulator passes none.
/// </summary>
/// <remarks>
/// Each call names the thread it comes from. It must neither block nor throw, and those that come once a batch must not allocate: they are on the hot path.
/// The stages are a leader's, of its own entries, and the unit is a batch of one group: what was proposed in one turn of STEP and stays together. Stamps
/// are the times at which the turns began, so an interval is exact to the length of a turn.
/// </remarks>
public interface IPumpObserver
{
    /// <summary>STEP: it heard that a batch is durable here, so long after the turn that proposed it.</summary>
    void OnPersisted(long micros);

    /// <summary>STEP: a batch was handed on to be applied, so long after it was durable here; about 0 when a majority of others was faster.</summary>
    void OnCommitted(long micros);

    /// <summary>APPLY: a run of entries is in the store; STEP handed it on at <paramref name="handedOnAt"/>, by the clock that gives STEP its <c>now</c>.</summary>
    void OnApplied(long handedOnAt);

    /// <summary>STEP: a replica's role has changed, already.</summary>
    void OnRoleChanged(RaftGroup group, in RoleChange change);

    /// <summary>STEP: a replica has learned of another leader than it knew last.</summary>
    void OnLeaderChanged(RaftGroup group);

    /// <summary>STEP: a follower has installed a snapshot from here that ends at <paramref name="index"/>, or the attempt came to nothing: 0.</summary>
    void OnSnapshotSent(RaftGroup group, ReplicaId follower, LogIndex index);

    /// <summary>SNAPSHOT: the state here is now that of a snapshot, which ends at (index, term).</summary>
    void OnSnapshotInstalled(GroupId group, LogIndex index, Term term);

    /// <summary>SNAPSHOT: a snapshot of so many bytes is offered, and it would leave the disk with less than its floor: it waits until there is room.</summary>
    void OnSnapshotWaits(GroupId group, long bytes, long roomBytes);

    /// <summary>STEP: the own disk stands still, or no longer does.</summary>
    void OnDiskStalled(bool isStalled);

    /// <summary>STEP, or while the host starts: the replica's store is damaged, and it does nothing any more.</summary>
    void OnReplicaStopped(RaftGroup group, string reason);

    /// <summary>STEP, once a tick.</summary>
    void OnTick(in GroupCounts groups);
}

/// <summary>How many groups of a node have which role, asleep or awake. Candidates include pre-candidates, and are awake.</summary>
public record struct GroupCounts(int AwakeLeaders, int AsleepLeaders, int AwakeFollowers, int AsleepFollowers, int Candidates)
{
    internal readonly bool AreAsleep => AwakeLeaders + AwakeFollowers + Candidates == 0;

    internal void Count(RaftGroup group)
    {
        switch (group.Role, group.IsAsleep)
        {
            case (Role.Leader, false): AwakeLeaders++; break;
            case (Role.Leader, true): AsleepLeaders++; break;
            case (Role.Follower, false): AwakeFollowers++; break;
            case (Role.Follower, true): AsleepFollowers++; break;
            default: Candidates++; break;
        }
    }
}

/// <summary>What waits for a pump.</summary>
/// <param name="Bytes">Of those items that carry any.</param>
public readonly record struct QueueDepth(int Items, long Bytes);

/// <summary>Nobody listens.</summary>
internal sealed class NoObserver : IPumpObserver
{
    public static readonly NoObserver Instance = new();

    public void OnPersisted(long micros)
    {
    }

    public void OnCommitted(long micros)
    {
    }

    public void OnApplied(long handedOnAt)
    {
    }

    public void OnRoleChanged(RaftGroup group, in RoleChange change)
    {
    }

    public void OnLeaderChanged(RaftGroup group)
    {
    }

    public void OnSnapshotSent(RaftGroup group, ReplicaId follower, LogIndex index)
    {
    }

    public void OnSnapshotInstalled(GroupId group, LogIndex index, Term term)
    {
    }

    public void OnSnapshotWaits(GroupId group, long bytes, long roomBytes)
    {
    }

    public void OnDiskStalled(bool isStalled)
    {
    }

    public void OnReplicaStopped(RaftGroup group, string reason)
    {
    }

    public void OnTick(in GroupCounts groups)
    {
    }
}
