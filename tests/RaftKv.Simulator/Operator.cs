using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// Changes members all the time, one step at a time, through whoever leads: a learner on a node without a replica; then it votes, perhaps in the
/// place of another; or it goes again. Never fewer voters than the world began with, so that one dead node is always survived.
/// </summary>
internal sealed class Operator(World world, SplitMix random)
{
    /// <summary>Changes that a leader has taken into its log.</summary>
    public long Changes { get; private set; }

    public void Start() => Later();

    /// <summary>Somebody has just begun to lead.</summary>
    public void OnElected(GroupId group)
    {
        if (world.Options.ChangesHastily && !world.IsQuiet) Change(group, DrawHasty);
    }

    private void Later() => world.After(1 + random.Below(2 * world.Options.MemberChangeMicros), () =>
    {
        if (world.IsQuiet) return;
        Change(new GroupId(1 + (ulong)random.Below(world.Options.Shards)), Draw);
        Later();
    });

    private void Change(GroupId id, Func<RaftGroup, MemberChange[]> draw)
    {
        SimNode? leader = world.Nodes.Where(node => node.Group(id) is { Role: Role.Leader }).MaxBy(node => node.Group(id)!.Term.Value);
        if (leader?.Group(id) is not { } group || group.IsChangingMembers) return;
        if (draw(group) is not { Length: > 0 } changes) return;
        leader.Host!.Worker.TryPost((Action<long>)(now =>
        {
            try
            {
                ProposeResult result = leader.Host!.Worker.ProposeMembers(now, id, changes);
                if (result.Status != ProposeStatus.Appended) return;
                Changes++;
                foreach (MemberChange change in changes)
                    if (change.Kind == MemberChangeKind.Promote) ExpectCaughtUp(group, change.Replica);
                world.Trace(() => $"operator: {id} at {result.Index}: {string.Join(", ", changes)}");
            }
            catch (ArgumentException)
            {
                // Between asking and doing the members have changed.
            }
        }), 0);
    }

    /// <summary>A new voter's disk holds what the leader's log begins with, or a later entry.</summary>
    private void ExpectCaughtUp(RaftGroup leader, ReplicaId learner)
    {
        // What followers of a leader that has been replaced held then, its successor may have replaced on their disks since.
        if (leader.SnapshotIndex <= ShardMeta.BirthIndex || world.Nodes.Any(node => node.Group(leader.Group)?.Term > leader.Term)) return;
        SimNode node = world.NodeOf(leader.Configuration.Members.First(member => member.Replica == learner).Node);
        for (LogIndex index = leader.LastIndex; index >= leader.SnapshotIndex; index = index.Previous)
            if (node.HasHeld(leader.Group, index, leader.TermAt(index)!.Value)) return;
        Invariant.Holds(false, $"{leader.Group}: {learner} may vote, and {node.Name} holds nothing from {leader.SnapshotIndex} on");
    }

    private MemberChange[] Draw(RaftGroup group)
    {
        ConfigurationHalf members = group.Configuration.Incoming;
        if (world.Options.ChangesHastily) return DrawTowardsEven(group);
        if (members.Learners.Length > 0)
        {
            Member learner = members.Learners[(int)random.Below(members.Learners.Length)];
            Member voter = members.Voters[(int)random.Below(members.Voters.Length)];
            return random.Below(10) switch
            {
                0 => [MemberChange.Remove(learner.Replica)],
                1 => [MemberChange.Promote(learner.Replica)],
                2 => [MemberChange.Promote(learner.Replica), MemberChange.Demote(voter.Replica)],
                _ => [MemberChange.Promote(learner.Replica), MemberChange.Remove(voter.Replica)],
            };
        }

        if (members.Voters.Length > world.Options.Replicas && random.Chance(500_000)) return [MemberChange.Remove(members.Voters[(int)random.Below(members.Voters.Length)].Replica)];
        return AddLearner(group);
    }

    private MemberChange[] DrawHasty(RaftGroup group)
    {
        ConfigurationHalf members = group.Configuration.Incoming;
        if (members.Voters.Length % 2 == 0) return [MemberChange.Remove(members.Voters[(int)random.Below(members.Voters.Length)].Replica)];
        return members.Learners.Length > 0 ? [] : AddLearner(group);
    }

    private MemberChange[] DrawTowardsEven(RaftGroup group)
    {
        ConfigurationHalf members = group.Configuration.Incoming;
        if (members.Voters.Length % 2 == 0) return [];
        return members.Learners.Length > 0 ? [MemberChange.Promote(members.Learners[0].Replica)] : AddLearner(group);
    }

    private MemberChange[] AddLearner(RaftGroup group)
    {
        SimNode[] free = [.. world.Nodes.Where(node => group.Configuration.Members.All(member => member.Node != node.Id) && node != world.Dead)];
        return free.Length == 0 ? [] : [MemberChange.AddLearner(free[(int)random.Below(free.Length)].Id)];
    }
}
