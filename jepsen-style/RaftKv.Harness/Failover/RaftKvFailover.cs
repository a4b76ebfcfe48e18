using System.Collections.Immutable;
using System.Globalization;
using RaftKv.Bench;
using RaftKv.Client;
using RaftKv.Contracts;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Failover;

/// <summary>RaftKv, with its default settings.</summary>
internal sealed class RaftKvFailover : FailoverCluster
{
    public const string Name = "raftkv";
    private readonly TestedCluster _cluster;
    private readonly NodeClient _asker = new(TimeSpan.FromSeconds(1));
    private readonly ulong[] _shards;

    private RaftKvFailover(TestedCluster cluster, int shards, LoadProtocol protocol)
    {
        _cluster = cluster;
        ShardMap map = ShardMap.Initial([.. cluster.Nodes.Select(node => node.Name)], shards, Members);
        _shards = [.. map.Shards.Select(shard => shard.Id)];
        LoadPlan load = FailoverLoad.Of(protocol, cluster.Nodes);
        ImmutableArray<ImmutableArray<int>> lanes = KeySpace.LanesOf(map, _shards, load.Keys);
        // Clients are dealt to members and to lanes in turn: the numbers of both must have no divisor in common, or a shard would hear of one member only.
        Load = load with { Lanes = shards % Members == 0 ? [.. lanes, lanes[0]] : lanes };
    }

    public override string System => Name;

    public override IReadOnlyList<HarnessNode> Nodes => _cluster.Nodes;

    public override int Shards => _shards.Length;

    public override LoadPlan Load { get; }

    public static async Task<FailoverCluster> StartAsync(string program, string directory, int shards, LoadProtocol protocol, int seed, bool hasImages, CancellationToken stop)
    {
        RunPlan plan = (new RunPlan("failover", Members, shards, Seed: seed)).Complete();
        MadeThings made = MadeThings.Begin(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{Path.GetFileName(directory)}-{Name}"));
        return new RaftKvFailover(await TestedCluster.StartAsync(plan, program, Path.Combine(directory, Name), hasImages ? FaultNeeds.Image : FaultNeeds.Nothing, made, stop), shards, protocol);
    }

    /// <inheritdoc/>
    public override IEnumerable<Link> LinksOf(HarnessNode node) => Nodes.Where(other => other != node).SelectMany(other => (Link[])[_cluster.LinkBetween(node, other), _cluster.LinkBetween(other, node)]);

    /// <inheritdoc/>
    public override bool IsGracefulEnd(int exitCode) => exitCode == 0;

    public override async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _asker.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task<Leadership?> LookAsync(CancellationToken stop)
    {
        try
        {
            if (!(await Task.WhenAll(Nodes.Select(node => _asker.IsReadyAsync(node.Client, stop)))).All(isReady => isReady)) return null;
            NodeStatus[] members = await Task.WhenAll(Nodes.Select(node => _asker.StatusAsync(node.Client, stop)));
            ILookup<ulong, GroupStatus> groups = members.SelectMany(member => member.Groups).ToLookup(group => group.Shard);
            if (!_shards.All(shard => IsInStep([.. groups[shard]]))) return null;
            NodeStatus leader = members.MaxBy(member => member.Groups.Count(group => group.IsLeader))!;
            return new Leadership(
                Nodes.First(node => node.Name == leader.Node), [.. leader.Groups.Where(group => group.IsLeader).Select(group => Array.IndexOf(_shards, group.Shard)).Order()],
                string.Join(' ', _shards.Select(shard => groups[shard].First().Applied)));
        }
        catch (NodeUnreachableException)
        {
            return null;
        }
    }

    private static bool IsInStep(GroupStatus[] replicas) =>
        replicas.Length == Members && replicas.Count(replica => replica.IsLeader) == 1 && replicas.All(replica => replica.Leader == replicas[0].Leader && replica.Applied == replicas[0].Applied && replica.Term == replicas[0].Term);
}
