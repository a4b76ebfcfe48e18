using RaftKv.Client;

namespace RaftKv.Shardctl.Playground;

/// <summary>How a node looks from outside.</summary>
internal enum NodeState
{
    Up,

    /// <summary>Takes connections, but does not answer: paused, or overloaded.</summary>
    Silent,

    Down,
}

/// <summary>One look at one node; <c>Status</c> is what it said if it is up.</summary>
internal readonly record struct NodeSight(string Name, NodeState State, NodeStatus? Status);

/// <summary>Something worth a line.</summary>
internal abstract record WatchEvent;

internal sealed record NodeChanged(string Name, NodeState State) : WatchEvent;

/// <summary><c>From</c> is the leader before, whether or not it is still there.</summary>
internal sealed record LeadersMoved(IReadOnlyList<ulong> Shards, string From, string To) : WatchEvent;

/// <summary>So long without a leader that it is no election any more.</summary>
internal sealed record LeadersMissing(IReadOnlyList<ulong> Shards) : WatchEvent;

/// <summary>After <see cref="LeadersMissing"/>: every shard has a leader again.</summary>
internal sealed record LeadersComplete : WatchEvent;

/// <summary>Compares one look at the cluster with the one before and says what has changed. Pure: time is an argument.</summary>
/// <remarks>Owned by the loop that looks; not thread-safe.</remarks>
internal sealed class ClusterWatch
{
    /// <summary>An election takes about a second; what lasts longer than this is worth a word.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private readonly Dictionary<string, NodeState> _states = [];
    private readonly Dictionary<ulong, string> _leaders = [];
    private readonly HashSet<ulong> _missing = [];
    private TimeSpan? _missingSince;
    private bool _missingWasSaid;

    /// <summary>Whether there is a shard that no node which answers leads.</summary>
    public bool HasMissingLeaders => _missing.Count > 0;

    /// <summary>Takes the first look as it is; later ones answer what changed since.</summary>
    /// <param name="now">On any monotonic clock.</param>
    public IReadOnlyList<WatchEvent> Observe(IReadOnlyList<NodeSight> sights, TimeSpan now)
    {
        List<WatchEvent> events = [];
        foreach (NodeSight sight in sights)
        {
            if (_states.TryGetValue(sight.Name, out NodeState before) && before != sight.State) events.Add(new NodeChanged(sight.Name, sight.State));
            _states[sight.Name] = sight.State;
        }

        ObserveLeaders(LeadersIn(sights), events);
        ObserveMissing(now, events);
        return events;
    }

    /// <summary>Of each shard, the node that says it leads in the highest term. A deposed leader that does not know it yet has a lower one.</summary>
    private static Dictionary<ulong, string> LeadersIn(IReadOnlyList<NodeSight> sights) =>
        sights.Where(sight => sight.Status is not null)
            .SelectMany(sight => sight.Status!.Groups.Where(group => group.IsLeader).Select(group => (sight.Name, group.Shard, group.Term)))
            .GroupBy(claim => claim.Shard)
            .ToDictionary(claims => claims.Key, claims => claims.MaxBy(claim => claim.Term).Name);

    private void ObserveLeaders(Dictionary<ulong, string> leaders, List<WatchEvent> events)
    {
        var moves = leaders.Where(now => _leaders.TryGetValue(now.Key, out string? before) && before != now.Value)
            .GroupBy(now => (From: _leaders[now.Key], To: now.Value), now => now.Key);
        foreach (var move in moves.OrderBy(move => move.Key.To, StringComparer.Ordinal)) events.Add(new LeadersMoved([.. move.Order()], move.Key.From, move.Key.To));
        _missing.Clear();
        _missing.UnionWith(_leaders.Keys.Except(leaders.Keys));
        foreach (var (shard, leader) in leaders) _leaders[shard] = leader;
    }

    private void ObserveMissing(TimeSpan now, List<WatchEvent> events)
    {
        if (_missing.Count == 0)
        {
            if (_missingWasSaid) events.Add(new LeadersComplete());
            _missingSince = null;
            _missingWasSaid = false;
            return;
        }

        _missingSince ??= now;
        if (_missingWasSaid || now - _missingSince < Patience) return;
        _missingWasSaid = true;
        events.Add(new LeadersMissing([.. _missing.Order()]));
    }
}
