using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>A replica whose store is damaged: to its group it is as good as dead, and only its removal ends that.</summary>
/// <param name="Reason">Names the store, and the file if RocksDB does.</param>
public readonly record struct StoppedReplica(GroupId Group, ReplicaId Replica, string Reason);

/// <content>
/// A damaged store stops its replica, and no other (design §3.5): it steps, votes, applies and serves nothing any more. Its part of the raft log stays, so that it breaks no promise
/// it has made. The node's heartbeat announces it, so that groups asleep under it wake. Nobody is made in its place here before it was removed from the group, and has heard of that.
/// </content>
public sealed partial class GroupWorker
{
    private const long AskAfterStopMicros = 10_000_000;

    private readonly SortedDictionary<GroupId, HostedReplica> _stopped = [];
    private ulong _stoppedVersion;
    private long _askedForStoppedAt;

    /// <summary>Replicas that do nothing any more since their stores are damaged. On the STEP thread only.</summary>
    public IEnumerable<StoppedReplica> Stopped => _stopped.Values.Select(replica => new StoppedReplica(replica.Id, replica.Group.Replica, replica.Damage!));

    /// <summary>All state machines that the host has opened, those of stopped replicas included. When the pumps have stopped.</summary>
    internal IEnumerable<IStateMachine> MachinesToClose => _replicas.Values.Concat(_stopped.Values).Select(replica => replica.Machine);

    /// <summary>From any thread: the replica's store turned out to be damaged; nothing more is applied to it or read from it.</summary>
    internal void ReportDamage(HostedReplica replica, StoreDamagedException damage)
    {
        replica.IsStopped = true;
        _inbox.AddAlways(new WorkerEvent(WorkKind.Damaged, replica, 0, damage.Message));
    }

    /// <summary>Reads that a stopped replica will not serve.</summary>
    internal void PostDroppedReads(IReadOnlyList<IReadOwner> reads) => _inbox.AddAlways(new WorkerEvent(WorkKind.ReadsDropped, null, 0, reads));

    /// <summary>Its store could not be opened.</summary>
    internal void AddStopped(HostedReplica replica, string reason)
    {
        replica.IsStopped = true;
        replica.Damage = reason;
        _stopped.Add(replica.Id, replica);
        _stoppedVersion++;
        WatchMembers(replica);
        _options.Observer.OnReplicaStopped(replica.Group, reason);
    }

    private void OnDamaged(long now, HostedReplica replica, string reason)
    {
        if (!_replicas.TryGetValue(replica.Id, out HostedReplica? current) || current != replica) return; // It was removed, or has stopped before.
        _replicas.Remove(replica.Id);
        foreach (IReadOwner read in replica.Reads.Values) read.OnDropped();
        replica.Reads.Clear();
        if (replica.Staged is { } staged) Refuse(staged);
        replica.Staged = null;
        if (replica.Installing is { ReadyNumber: 0 } unasked)
        {
            Refuse(unasked.Snapshot);
            replica.Installing = null;
        }

        _applier.Add(new DropReads(replica), 0);
        AddStopped(replica, reason);
        SendNodeHeartbeats(now);
    }

    /// <summary>
    /// What comes back for a stopped replica from the other pumps is of no use to anybody. But a snapshot whose commit point was on its way is its store from now on: the next
    /// start finds a good one.
    /// </summary>
    private bool IsInVain(in WorkerEvent work)
    {
        if (work.Replica is not { Damage: not null } || work.Kind == WorkKind.Removed) return false;
        if (work.Payload is StagedSnapshot staged) Refuse(staged);
        if (work.Kind == WorkKind.Persisted) SwitchStore(work.Replica, work.Number);
        return true;
    }

    /// <summary>It may have been removed: then it is told so, or hears of a newer replica that is meant to live here.</summary>
    private void OnMessageForStopped(HostedReplica stopped, NodeId from, in Message message)
    {
        ReplicaId own = stopped.Group.Replica;
        if (message.Kind == MessageKind.Removed && message.To == own) Remove(stopped);
        else if (message.Kind is MessageKind.Append or MessageKind.Heartbeat && own.CompareTo(message.To) < 0)
            _outbox.Add(stopped.Id, from, new Message { Kind = MessageKind.AmIMember, From = own, To = message.From, Term = stopped.Group.Term });
    }

    private void AskForStopped(long now)
    {
        if (_stopped.Count == 0 || now - _askedForStoppedAt < AskAfterStopMicros) return;
        _askedForStoppedAt = now;
        foreach (HostedReplica stopped in _stopped.Values) AskEverybody(stopped);
    }

    /// <summary>One of the node's replicas has stopped. Which one it does not say: whoever sleeps under a leader there wakes it, and those that hear nothing replace it.</summary>
    private void OnNodeStoppedReplica(long now, NodeId node)
    {
        foreach (HostedReplica replica in _replicas.Values)
        {
            if (!replica.Group.IsAsleep || LeaderNodeOf(replica) != node) continue;
            replica.UsedAtMicros = now;
            replica.Group.WakeLeader(now);
            Touch(replica);
        }
    }
}
