using RaftKv.Client;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Tests;

/// <summary>What the playground says, given two looks at the cluster one after the other.</summary>
public sealed class ClusterWatchTests
{
    private readonly ClusterWatch _watch = new();
    private TimeSpan _now;

    [Fact]
    public void The_first_look_is_no_news() => Assert.Empty(Look(Up("n1", 1, 2), Up("n2"), Up("n3")));

    [Fact]
    public void What_stays_is_no_news()
    {
        Look(Up("n1", 1, 2), Up("n2"));
        Assert.Empty(Look(Up("n1", 1, 2), Up("n2")));
    }

    [Fact]
    public void A_node_that_dies_is_told_then_who_leads_its_shards_then_its_return()
    {
        Look(Up("n1", 1, 2), Up("n2", 3), Up("n3"));
        Assert.Equal([new NodeChanged("n1", NodeState.Down)], Look(Down("n1"), Up("n2", 3), Up("n3")));
        Assert.True(_watch.HasMissingLeaders);
        LeadersMoved[] moved = [.. Look(Down("n1"), Up("n2", 2, 3), Up("n3", 1)).Cast<LeadersMoved>()];
        Assert.Equal(["n1>n2:2", "n1>n3:1"], moved.Select(move => $"{move.From}>{move.To}:{string.Join(',', move.Shards)}"));
        Assert.False(_watch.HasMissingLeaders);
        Assert.Equal([new NodeChanged("n1", NodeState.Up)], Look(Up("n1"), Up("n2", 2, 3), Up("n3", 1)));
    }

    [Fact]
    public void A_node_that_is_silent_is_not_dead()
    {
        Look(Up("n1", 1));
        Assert.Equal([new NodeChanged("n1", NodeState.Silent)], Look(new NodeSight("n1", NodeState.Silent, null)));
    }

    [Fact]
    public void An_election_is_no_news_but_a_leader_that_stays_away_is_told_once()
    {
        Look(Up("n1", 1), Up("n2"));
        Look(Down("n1"), Up("n2"));
        _now += ClusterWatch.Patience / 2;
        Assert.Empty(Look(Down("n1"), Up("n2")));
        _now += ClusterWatch.Patience;
        Assert.Equal([1ul], Assert.IsType<LeadersMissing>(Assert.Single(Look(Down("n1"), Up("n2")))).Shards);
        Assert.Empty(Look(Down("n1"), Up("n2")));
        Assert.Contains(new LeadersComplete(), Look(Up("n1", 1), Up("n2")));
    }

    [Fact]
    public void A_deposed_leader_that_does_not_know_it_is_not_believed()
    {
        Look(Up("n1", 1), Up("n2"));
        LeadersMoved moved = Assert.IsType<LeadersMoved>(Assert.Single(Look(Up("n1", 1), UpInTerm(2, "n2", 1))));
        Assert.Equal(("n1", "n2"), (moved.From, moved.To));
    }

    private IReadOnlyList<WatchEvent> Look(params NodeSight[] sights) => _watch.Observe(sights, _now);

    private static NodeSight Down(string name) => new(name, NodeState.Down, null);

    private static NodeSight Up(string name, params ulong[] leads) => UpInTerm(1, name, leads);

    private static NodeSight UpInTerm(ulong term, string name, params ulong[] leads) => new(name, NodeState.Up, new NodeStatus(
        name, "0", "0", null, null, 0, [.. leads.Select(shard => new GroupStatus(shard, "1", "leader", term, name, 1, 1, 1, 1, 0))]));
}
