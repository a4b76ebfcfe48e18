using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// The paper's invariants over all nodes (figure 3), checked after every event on what that event may have changed: election
/// safety, leader completeness, state machine safety; and that what is committed is durable on a majority.
/// </summary>
internal sealed class SafetyOracle(World world)
{
    private readonly SortedDictionary<ulong, List<Term>> _committed = [];
    private readonly Dictionary<(ulong Group, ulong Term), ReplicaId> _leaders = [];
    private readonly Dictionary<(ulong Group, ulong Index), (ulong Hash, string Node)> _states = [];
    private readonly Dictionary<(int Node, ulong Group), LogIndex> _checkedCommit = [];

    public long Elections => _leaders.Count;

    /// <summary>After a STEP turn of <paramref name="node"/>.</summary>
    public void AfterStep(SimNode node)
    {
        foreach (RaftGroup group in node.Host!.Worker.Groups)
        {
            group.CheckInvariants();
            if (group.Role == Role.Leader) CheckLeader(node, group);
            CheckCommitted(node, group);
        }
    }

    /// <summary>After an APPLY turn: equal index, equal state.</summary>
    public void AfterApply(SimNode node)
    {
        foreach (KvStateMachine machine in node.Host!.Machines.Cast<KvStateMachine>())
        {
            var key = (machine.Group.Value, machine.Applied.Value);
            ulong hash = machine.Meta.ChainHash;
            if (!_states.TryAdd(key, (hash, node.Name)))
            {
                var (known, by) = _states[key];
                Invariant.Holds(known == hash, $"{machine.Group} at {machine.Applied}: {node.Name} has state {hash:x16}, {by} has {known:x16}");
            }
        }
    }

    /// <summary>The node lost its memory: what it has committed is to be checked again as it learns it again.</summary>
    public void OnRestart(SimNode node)
    {
        foreach (RaftGroup group in node.Host!.Worker.Groups) _checkedCommit.Remove((node.Index, group.Group.Value));
    }

    private void CheckLeader(SimNode node, RaftGroup group)
    {
        var key = (group.Group.Value, group.Term.Value);
        if (!_leaders.TryAdd(key, group.Replica))
        {
            Invariant.Holds(_leaders[key] == group.Replica, $"{group.Group}: both {_leaders[key]} and {group.Replica} lead {group.Term}");
            return;
        }

        world.Trace(() => $"{node.Name} leads {group.Group} in {group.Term}");
        if (!_committed.TryGetValue(group.Group.Value, out List<Term>? committed)) return;
        for (int i = 0; i < committed.Count; i++)
        {
            LogIndex index = ShardMeta.BirthIndex + (ulong)(i + 1);
            Invariant.Holds(group.TermAt(index) == committed[i], $"{group.Group}: leader {group.Replica} of {group.Term} has {group.TermAt(index)} at {index}, where {committed[i]} is committed");
        }
    }

    private void CheckCommitted(SimNode node, RaftGroup group)
    {
        if (!_committed.TryGetValue(group.Group.Value, out List<Term>? committed)) _committed.Add(group.Group.Value, committed = []);
        var key = (node.Index, group.Group.Value);
        if (!_checkedCommit.TryGetValue(key, out LogIndex from)) from = ShardMeta.BirthIndex;
        for (LogIndex index = from.Next; index <= group.Commit; index = index.Next)
        {
            Term term = group.TermAt(index)!.Value;
            int position = (int)(index.Value - ShardMeta.BirthIndex.Value) - 1;
            if (position < committed.Count)
            {
                Invariant.Holds(committed[position] == term, $"{group.Group} at {index}: {node.Name} has committed {term}, before it was {committed[position]}");
                continue;
            }

            int holders = world.Nodes.Count(other => other.Durability.Holds(group.Group, index, term));
            Invariant.Holds(holders >= group.Configuration.Incoming.Majority, $"{group.Group} at {index}: {node.Name} has committed {term}, which only {holders} disks hold");
            committed.Add(term);
        }

        _checkedCommit[key] = LogIndex.Max(from, group.Commit);
    }
}
