using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>How long the batches that a leader proposed take from stage to stage, and what an observer has been told of a group. Owned by STEP.</summary>
/// <remarks>A batch is what one Ready hands to PERSIST. What is under way when leadership ends is forgotten: nobody can say when it will be committed.</remarks>
internal sealed class StageClock(IPumpObserver observer)
{
    private readonly Queue<(ulong ReadyNumber, LogIndex Last, long ProposedAt)> _persisting = new();
    private readonly Queue<(LogIndex Last, long PersistedAt)> _committing = new();
    private ulong _roleChangesTold = 1; // Of that it started, nobody needs to be told.
    private ReplicaId _leader;

    /// <summary>Entries up to <paramref name="last"/> go to PERSIST under that number.</summary>
    public void OnProposed(long now, RaftGroup group, ulong readyNumber, LogIndex last)
    {
        if (group.Role == Role.Leader) _persisting.Enqueue((readyNumber, last, now));
    }

    public void OnPersisted(long now, ulong readyNumber)
    {
        if (!_persisting.TryPeek(out var batch) || batch.ReadyNumber != readyNumber) return;
        _persisting.Dequeue();
        observer.OnPersisted(now - batch.ProposedAt);
        _committing.Enqueue((batch.Last, now));
    }

    /// <summary>Entries up to <paramref name="last"/>, durable here, go to APPLY.</summary>
    public void OnCommitted(long now, LogIndex last)
    {
        while (_committing.TryPeek(out var batch) && batch.Last <= last)
        {
            _committing.Dequeue();
            observer.OnCommitted(now - batch.PersistedAt);
        }
    }

    /// <summary>Tells the observer what has changed since it was last told; once a turn that touched the group.</summary>
    public void Tell(RaftGroup group)
    {
        if (_roleChangesTold != group.RoleChangeCount) TellRoleChanges(group);
        if (_leader == group.Leader || group.Leader.IsNone) return;
        _leader = group.Leader;
        observer.OnLeaderChanged(group);
    }

    private void TellRoleChanges(RaftGroup group)
    {
        // The ring keeps the last ones; a turn has fewer.
        int untold = (int)(group.RoleChangeCount - _roleChangesTold);
        foreach (RoleChange change in group.RoleChanges.Skip(group.RoleChanges.Count - untold)) observer.OnRoleChanged(group, change);
        _roleChangesTold = group.RoleChangeCount;
        _persisting.Clear();
        _committing.Clear();
    }
}
