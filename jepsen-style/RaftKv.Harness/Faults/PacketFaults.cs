using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>
/// The kernel treats some packets badly for a while. Unlike cut links, which only hold frames back, connections end up half open: one side has given up what the other takes for alive.
/// </summary>
/// <param name="evidence">What was counted.</param>
/// <param name="choose">The rules, and their description.</param>
internal sealed class PacketFault(string name, string summary, int leastNodes, string evidence, Func<FaultScene, (string Target, IEnumerable<PacketRule> Rules)?> choose)
    : Fault(name, FaultTrack.Network, summary, FaultNeeds.Root | FaultNeeds.Namespaces)
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < leastNodes ? $"{Name} needs {leastNodes} nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (choose(scene) is not { } chosen) return FaultBite.Missed("no node ran");
        RunNetwork network = scene.Cluster.Network!;
        PacketCount count;
        try
        {
            await network.AddAsync(chosen.Rules);
            await HoldAsync(duration, stop);
            count = await network.CountAsync();
        }
        finally
        {
            await network.FlushAsync();
        }

        return FaultBite.Of(chosen.Target, count.Packets > 0, ($"packets {evidence}", count.Packets), ($"bytes {evidence}", count.Bytes));
    }

    /// <summary>All packets on their way from one node to another, for each pair.</summary>
    public static IEnumerable<PacketRule> Between(FaultScene scene, IEnumerable<(HarnessNode From, HarnessNode To)> pairs, string[] verdict) =>
        pairs.SelectMany(pair => PacketRule.Between(scene.Cluster.Addresses, pair.From.Index, pair.To.Index, verdict));

    /// <summary>All packets between clients and nodes.</summary>
    public static IEnumerable<PacketRule> OfClients(FaultScene scene, IEnumerable<HarnessNode> nodes, string[] verdict) =>
        nodes.SelectMany(node => PacketRule.OfClients(scene.Cluster.Addresses, node.Index, verdict));
}

/// <summary>A node's way out is narrow for a while: packets queue, then some are dropped.</summary>
internal sealed class BandwidthFault() : Fault("bandwidth", FaultTrack.Network, $"the node that leads most shards sends no more than {Rate}/s", FaultNeeds.Root | FaultNeeds.Namespaces)
{
    private const string Rate = "300kbit";

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.Leader() is not { } node) return FaultBite.Missed("no node ran");
        RunNetwork network = scene.Cluster.Network!;
        await network.NarrowAsync(node.Index, Rate);
        long heldBack;
        long dropped;
        try
        {
            await HoldAsync(duration, stop);
            (heldBack, dropped) = await network.CountNarrowedAsync(node.Index);
        }
        finally
        {
            await network.WidenAsync(node.Index);
        }

        return FaultBite.Of(node.Name, heldBack > 0, ("packets held back", heldBack), ("packets dropped", dropped));
    }
}
