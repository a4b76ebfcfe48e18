using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// A node that is about to stop gives away every leadership, all at once, each to the voter that takes over soonest; whoever does not is not asked
/// again, and the next one is. It is done when it leads nothing that another node could lead, and knows who leads what it gave away: what
/// still comes in for these can then be forwarded. Pure; owned by STEP.
/// </summary>
/// <param name="deadline">Then it is done in any case, in µs.</param>
internal sealed class HandOver(long deadline, Action onDone)
{
    private readonly SortedSet<(GroupId Group, ReplicaId Target)> _tried = [];
    private readonly SortedSet<GroupId> _given = [];

    /// <summary>Takes the next steps, in every turn of STEP. True when it is done; nothing more is to be asked of it then.</summary>
    /// <param name="touch">Told of each group that has something to do now.</param>
    public bool Advance(long now, IEnumerable<HostedReplica> replicas, NodeWatch nodes, Action<HostedReplica> touch)
    {
        bool isDone = true;
        foreach (HostedReplica replica in replicas) isDone &= IsGiven(now, replica, nodes, touch);
        if (!isDone && now < deadline) return false;
        onDone();
        return true;
    }

    private bool IsGiven(long now, HostedReplica replica, NodeWatch nodes, Action<HostedReplica> touch)
    {
        RaftGroup group = replica.Group;
        if (group.Role != Role.Leader) return !_given.Contains(group.Group) || !group.Leader.IsNone;
        if (group.TransferTarget.IsNone)
        {
            ReplicaId target = group.BestTransferTarget(IsOpen);
            // Whoever has not answered a new leader yet is none, but may be soon.
            if (target.IsNone) return !group.Configuration.Members.Any(member => member.Replica != group.Replica && group.Configuration.IsVoter(member.Replica) && IsOpen(member.Replica));
            if (!group.TryTransfer(now, target)) return true;
            _tried.Add((group.Group, target));
            _given.Add(group.Group);
            touch(replica);
        }

        // It may be about to stop as well, and have said so meanwhile.
        return !MayTake(group.TransferTarget);

        bool IsOpen(ReplicaId candidate) => !_tried.Contains((group.Group, candidate)) && MayTake(candidate);

        bool MayTake(ReplicaId candidate) => replica.NodeOf(candidate) is { } node && nodes.MayLead(now, node);
    }
}
