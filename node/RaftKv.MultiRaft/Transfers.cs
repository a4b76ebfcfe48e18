using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>Leaderships that somebody asked to have handed over, until it is known how that ended. Pure; owned by STEP.</summary>
/// <param name="patienceMicros">After so long one ends, whatever is known; above the time after which the group itself gives up.</param>
internal sealed class Transfers(long patienceMicros)
{
    private readonly List<Transfer> _running = [];

    /// <summary>Begins one; the replica leads. What can be said at once is said at once.</summary>
    /// <param name="to">Default: whoever takes over soonest.</param>
    /// <param name="mayLead">Whether a node is fit to lead: to ask one that is down would hold up the group's writes for nothing.</param>
    public void Begin(long now, HostedReplica replica, NodeId to, Predicate<NodeId> mayLead, ITransferOwner owner)
    {
        RaftGroup group = replica.Group;
        ReplicaId target = to == default ? group.BestTransferTarget(candidate => replica.NodeOf(candidate) is { } node && mayLead(node)) : VoterOn(group, to);
        Transfer transfer = new(replica, target, group.Term, now + patienceMicros, owner);
        if (target.IsNone) End(transfer, TransferOutcome.NoTarget);
        else if (target == group.Replica) End(transfer, TransferOutcome.Done);
        else if (to != default && !mayLead(to)) End(transfer, TransferOutcome.TargetDown);
        else if (!group.TransferTarget.IsNone && group.TransferTarget != target) End(transfer, TransferOutcome.Stayed);
        else if (group.TransferTarget == target || group.TryTransfer(now, target)) _running.Add(transfer);
        else End(transfer, TransferOutcome.NoTarget);
    }

    /// <summary>Ends those of which the end can be seen.</summary>
    public void Advance(long now)
    {
        for (int i = 0; i < _running.Count; i++)
        {
            if (OutcomeOf(now, _running[i]) is not { } outcome) continue;
            End(_running[i], outcome);
            _running.RemoveAt(i--);
        }
    }

    private static TransferOutcome? OutcomeOf(long now, Transfer transfer)
    {
        RaftGroup group = transfer.Replica.Group;
        if (transfer.Replica.IsRemoved || now >= transfer.Deadline) return TransferOutcome.Lost;
        if (group.Role == Role.Leader && group.Term == transfer.Term)
        {
            if (group.TransferTarget == transfer.Target) return null;
            return group.ToldToTakeOver == transfer.Target ? TransferOutcome.NotTaken : TransferOutcome.Stayed;
        }

        if (group.Term > transfer.Term && !group.Leader.IsNone) return group.Leader == transfer.Target ? TransferOutcome.Done : TransferOutcome.Lost;
        return null;
    }

    private static void End(Transfer transfer, TransferOutcome outcome)
    {
        HostedReplica replica = transfer.Replica;
        NodeId target = replica.NodeOf(transfer.Target) ?? default;
        NodeId leader = replica.Group.Leader.IsNone ? default : replica.NodeOf(replica.Group.Leader) ?? default;
        transfer.Owner.OnEnded(replica.Id, new TransferResult(outcome, target, leader, replica.Group.Term));
    }

    private static ReplicaId VoterOn(RaftGroup group, NodeId node)
    {
        foreach (Member member in group.Configuration.Members)
            if (member.Node == node && group.Configuration.IsVoter(member.Replica)) return member.Replica;
        return ReplicaId.None;
    }

    /// <param name="Term">In which the replica led when it began.</param>
    private sealed record Transfer(HostedReplica Replica, ReplicaId Target, Term Term, long Deadline, ITransferOwner Owner);
}
