using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// The paper's invariants over all nodes (figure 3), checked after every event on what that event may have changed: election
/// safety, leader completeness, state machine safety; that what is committed is durable on a majority; and that members are the same by log and store.
/// </summary>
internal sealed class SafetyOracle(World world)
{
    /// <summary>Per group: the term of each committed entry, and the term in which it was first seen committed.</summary>
    private readonly SortedDictionary<ulong, List<(Term Of, Term In)>> _committed = [];
    private readonly Dictionary<(ulong Group, ulong Term), ReplicaId> _leaders = [];
    private readonly Dictionary<(ulong Group, ulong Index), (ulong Hash, string Node)> _states = [];
    private readonly Dictionary<(int Node, ulong Group), LogIndex> _checkedCommit = [];
    private readonly HashSet<(int Node, ulong Group)> _asleep = [];

    public long Elections => _leaders.Count;

    /// <summary>How often a leader let its group sleep.</summary>
    public long Sleeps { get; private set; }

    /// <summary>After a STEP turn of <paramref name="node"/>.</summary>
    public void AfterStep(SimNode node)
    {
        foreach (RaftGroup group in node.Host!.Worker.Groups)
        {
            group.CheckInvariants();
            CountSleep(node, group);
            if (group.Role == Role.Leader) CheckLeader(node, group);
            CheckCommitted(node, group);
            // The commit point of a snapshot that is being installed is on its way to the disk; nothing was said of it yet.
            if (!group.IsInstalling) ExpectDurable(node, group.Group, group.DurableIndex, group.TermAt(group.DurableIndex)!.Value, "believes durable");
        }
    }

    /// <summary>After an APPLY turn: equal index, equal state.</summary>
    public void AfterApply(SimNode node)
    {
        foreach (KvStateMachine machine in node.Host!.Machines.OfType<KvStateMachine>())
        {
            ExpectDurable(node, machine.Group, machine.Applied, machine.Meta.AppliedTerm, "has applied");
            ExpectOneConfiguration(node, machine);
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

    /// <summary>applied ≤ durable here, and durable is what the disk says, not what the core remembers of an earlier log.</summary>
    private static void ExpectDurable(SimNode node, GroupId group, LogIndex index, Term term, string what)
    {
        if (index <= ShardMeta.BirthIndex) return;
        Invariant.Holds(node.Durability.Holds(group, index, term), $"{group}: {node.Name} {what} {index}/{term}, which its disk does not hold");
    }

    /// <summary>The store says of the members at its index what the log says (bugs.md M9): a snapshot takes them from the one, elections from the other.</summary>
    private static void ExpectOneConfiguration(SimNode node, KvStateMachine machine)
    {
        if (node.Group(machine.Group) is not { IsInstalling: false } group || machine.Applied < group.SnapshotIndex) return;
        Configuration inLog = group.ConfigurationAt(machine.Applied);
        Invariant.Holds(machine.Configuration == inLog, $"{machine.Group} at {machine.Applied}: the members on {node.Name} are {machine.Configuration} by its store, {inLog} by its log");
    }

    private bool IsHeldByMajority(RaftGroup group, Configuration configuration, LogIndex index, Term term) =>
        ((ConfigurationHalf[])[configuration.Incoming, configuration.Outgoing]).All(half =>
            half.IsEmpty || half.Voters.Count(voter => world.NodeOf(voter.Node).HasHeld(group.Group, index, term)) >= half.Majority);

    private void CountSleep(SimNode node, RaftGroup group)
    {
        var key = (node.Index, group.Group.Value);
        if (!group.IsAsleep || group.Role != Role.Leader) _asleep.Remove(key);
        else if (_asleep.Add(key)) Sleeps++;
    }

    private void CheckLeader(SimNode node, RaftGroup group)
    {
        var key = (group.Group.Value, group.Term.Value);
        if (!_leaders.TryAdd(key, group.Replica))
        {
            Invariant.Holds(_leaders[key] == group.Replica, $"{group.Group}: both {_leaders[key]} and {group.Replica} lead {group.Term}");
            return;
        }

        world.OnElected(node, group);
        if (!_committed.TryGetValue(group.Group.Value, out List<(Term Of, Term In)>? committed)) return;
        for (int i = 0; i < committed.Count; i++)
        {
            // Leader completeness speaks of leaders of later terms; one of an earlier term may notice late that it won.
            if (committed[i].In >= group.Term) continue;
            LogIndex index = ShardMeta.BirthIndex + (ulong)(i + 1);
            if (index < group.SnapshotIndex) continue; // What it is, is checked by equal states.
            Invariant.Holds(group.TermAt(index) == committed[i].Of, $"{group.Group}: leader {group.Replica} of {group.Term} has {group.TermAt(index)} at {index}, where {committed[i].Of} is committed");
        }
    }

    private void CheckCommitted(SimNode node, RaftGroup group)
    {
        if (!_committed.TryGetValue(group.Group.Value, out List<(Term Of, Term In)>? committed)) _committed.Add(group.Group.Value, committed = []);
        var key = (node.Index, group.Group.Value);
        if (!_checkedCommit.TryGetValue(key, out LogIndex from)) from = ShardMeta.BirthIndex;
        if (from < group.SnapshotIndex)
        {
            from = group.SnapshotIndex.Previous;
            Invariant.Holds(group.SnapshotIndex.Value - ShardMeta.BirthIndex.Value <= (ulong)committed.Count, $"{group.Group}: {node.Name} begins behind {group.SnapshotIndex}, which nobody has committed");
        }

        for (LogIndex index = from.Next; index <= group.Commit; index = index.Next)
        {
            Term term = group.TermAt(index)!.Value;
            int position = (int)(index.Value - ShardMeta.BirthIndex.Value) - 1;
            if (position < committed.Count)
            {
                Invariant.Holds(committed[position].Of == term, $"{group.Group} at {index}: {node.Name} has committed {term}, before it was {committed[position].Of}");
                continue;
            }

            // The newest configuration decides; it may have come into the log in the same turn, after the entry was committed.
            bool isHeld = IsHeldByMajority(group, group.Configuration, index, term) || IsHeldByMajority(group, group.ConfigurationAt(index), index, term);
            Invariant.Holds(isHeld, $"{group.Group} at {index}: {node.Name} has committed {term}, which no majority of disks of {group.Configuration} holds");
            committed.Add((term, group.Term));
        }

        _checkedCommit[key] = LogIndex.Max(from, group.Commit);
    }
}
