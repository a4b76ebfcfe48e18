using System.Diagnostics.CodeAnalysis;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Snapshots;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <content>Replicas come and go, and take a snapshot in the place of their store.</content>
public sealed partial class GroupWorker
{
    internal void Add(HostedReplica replica)
    {
        _replicas.Add(replica.Id, replica);
        WatchMembers(replica);
        Touch(replica);
    }

    /// <summary>The group's replica with this id and all below were removed from this node, and are not made again.</summary>
    internal void AddTombstone(GroupId group, ReplicaId replica)
    {
        if (!_tombstones.TryGetValue(group, out ReplicaId known) || known.CompareTo(replica) < 0) _tombstones[group] = replica;
    }

    /// <summary>
    /// A leader speaks to a replica that is not here: it was added to the group, and begins empty, unless it was removed before. Whoever else speaks
    /// to it is no reason to make it.
    /// </summary>
    private bool TryCreate(long now, GroupId group, NodeId from, in Message message, [NotNullWhen(true)] out HostedReplica? replica)
    {
        replica = null;
        if (_stopped.TryGetValue(group, out HostedReplica? stopped))
        {
            OnMessageForStopped(stopped, from, message);
            return false;
        }

        if (message.Kind is not (MessageKind.Append or MessageKind.Heartbeat) || message.To.IsNone) return false;
        if (_tombstones.TryGetValue(group, out ReplicaId removed) && message.To.CompareTo(removed) <= 0) return false;
        replica = MultiRaftHost.CreateEmpty(_options, group, message.To, now);
        replica.IsNew = true;
        Add(replica);
        return true;
    }

    /// <summary>
    /// A new replica's existence is durable: only now may SNAPSHOT make a directory for it, or a crash would leave a store of which the log knows nothing.
    /// </summary>
    private void Introduce(HostedReplica replica)
    {
        if (!replica.IsNew) return;
        replica.IsNew = false;
        _snapshots.Post(new ReplicaAdded(replica));
    }

    private void WatchMembers(HostedReplica replica)
    {
        if (ReferenceEquals(replica.WatchedConfiguration, replica.Group.Configuration)) return;
        replica.WatchedConfiguration = replica.Group.Configuration;
        foreach (Member member in replica.Group.Configuration.Members)
            if (member.Node != _options.Node) _nodes.Add(member.Node);
    }

    /// <summary>
    /// The replica is no member any more, by an applied configuration. Its tombstone is made durable, then its store is closed and deleted. What it
    /// was asked and has not answered stays unanswered: nobody can say here what became of it.
    /// </summary>
    private void Remove(HostedReplica replica)
    {
        if (replica.Damage is null) SendNow(replica);
        replica.IsRemoved = true;
        _replicas.Remove(replica.Id);
        _stopped.Remove(replica.Id);
        AddTombstone(replica.Id, replica.Group.Replica);
        foreach (IReadOwner read in replica.Reads.Values) read.OnDropped();
        replica.Reads.Clear();
        if (replica.Staged is { } staged) Refuse(staged);
        replica.Staged = null;
        _logWriter.Add(new PersistWork(replica, 0, null, null, default, []) { IsRemoval = true }, 0);
    }

    /// <summary>Offers a whole snapshot to its group. Busy: again when what is being applied is.</summary>
    private void Install(long now, StagedSnapshot snapshot)
    {
        HostedReplica replica = snapshot.Replica;
        if (replica.IsRemoved || replica.IsStopped)
        {
            replica.Staged = null;
            Refuse(snapshot);
            return;
        }

        InstallStatus status = replica.Group.TryInstall(now, snapshot.Head);
        replica.Staged = status == InstallStatus.Busy ? snapshot : null;
        if (status == InstallStatus.Stale) Refuse(snapshot);
        if (status == InstallStatus.Accepted)
        {
            replica.Installing = (snapshot, 0, replica.Point.Generation);
            // Whether what they wait for is in the snapshot, nobody can say any more: their outcome is unknown.
            List<PendingProposal>? forgotten = replica.TakePendingUpTo(snapshot.Head.Index);
#if MUTANTS
            if (Mutants.On(Mutant.SnapshotRefusesProposals)) forgotten?.ForEach(proposal => proposal.Owner.OnSuperseded());
            if (Mutants.On(Mutant.SnapshotSwitchedBeforePersist)) _applier.Add(new SwitchStore(replica, snapshot, replica.Point.Generation), 0);
#endif
        }

        Touch(replica);
    }

    /// <summary>The snapshot is not installed: its own store is closed and deleted.</summary>
    private void Refuse(StagedSnapshot snapshot) => _snapshots.Post(new SnapshotSettled(snapshot, IsInstalled: false, snapshot.Machine, snapshot.Point.Generation));

    /// <summary>When the commit point of an accepted snapshot is durable, APPLY goes over to its store.</summary>
    private void SwitchStore(HostedReplica replica, ulong persisted)
    {
        if (replica.Installing is not { } installing || installing.ReadyNumber != persisted) return;
        replica.Installing = null;
#if MUTANTS
        if (Mutants.On(Mutant.SnapshotSwitchedBeforePersist)) return;
#endif
        _applier.Add(new SwitchStore(replica, installing.Snapshot, installing.OldGeneration), 0);
    }

    /// <summary>The one record that says which store is live and where the log begins (design §7).</summary>
    private CommitPoint MoveCommitPoint(HostedReplica replica, in LogStart start)
    {
        if (replica.Installing is { ReadyNumber: 0 } accepted)
        {
            replica.Point = accepted.Snapshot.Point;
            replica.Installing = accepted with { ReadyNumber = _ready.Number };
            replica.Compaction.OnInstalled();
        }
        else
        {
            replica.Point = replica.Point with { Index = start.Index, Term = start.Term, Configuration = start.Configuration };
        }

        Invariant.Holds(replica.Point.Index == start.Index && replica.Point.Term == start.Term, $"{replica.Id}: {replica.Point} for a log that begins after {start}");
        return replica.Point;
    }

    /// <summary>Whoever holds a newer replica of the group knows whether this one was removed, though neither is a member to the other.</summary>
    private void AskEverybody(HostedReplica replica)
    {
#if MUTANTS
        if (Mutants.On(Mutant.OrphanAsksNobodyElse)) return;
#endif
        ReplicaId own = replica.Group.Replica;
        foreach (NodeId node in _links.Nodes) _outbox.Add(replica.Id, node, new Message { Kind = MessageKind.AmIMember, From = own, To = own, Term = replica.Group.Term });
    }
}
