using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>Cuts some directions between nodes for a while.</summary>
/// <param name="choose">The directions that are cut, and their description.</param>
internal sealed class PartitionFault(string name, string summary, int leastNodes, Func<FaultScene, (string Target, IEnumerable<(HarnessNode From, HarnessNode To)> Cut)?> choose) : Fault(name, FaultTrack.Network, summary)
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < leastNodes ? $"{Name} needs {leastNodes} nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (choose(scene) is not { } chosen) return FaultBite.Missed("no node ran");
        Link[] links = [.. chosen.Cut.Select(pair => scene.Cluster.LinkBetween(pair.From, pair.To))];
        long held = links.Sum(link => link.Counters.Held);
        try
        {
            foreach (Link link in links) link.Set(LinkState.Cut);
            await HoldAsync(duration, stop);
        }
        finally
        {
            foreach (Link link in links) link.Set(LinkState.Healthy);
        }

        held = links.Sum(link => link.Counters.Held) - held;
        return FaultBite.Of(chosen.Target, held > 0, ("frames held back", held));
    }

    /// <summary>Every direction between the two sides.</summary>
    public static IEnumerable<(HarnessNode From, HarnessNode To)> Between(IReadOnlyCollection<HarnessNode> left, IReadOnlyCollection<HarnessNode> right) =>
        left.SelectMany(one => right.SelectMany(other => ((HarnessNode From, HarnessNode To)[])[(one, other), (other, one)]));

    public static string Names(IEnumerable<HarnessNode> nodes) => string.Join(" ", nodes.Select(node => node.Name).Order(StringComparer.Ordinal));
}

/// <summary>Closes and opens random links, one by one, in random orders (FoundationDB's swizzle).</summary>
internal sealed class FlappingFault() : Fault("flapping", FaultTrack.Network, "random links are cut and heal, one by one, in random orders")
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 2 ? $"{Name} needs 2 nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        Link[] links = [.. scene.Cluster.Links];
        long held = links.Sum(link => link.Counters.Held);
        int cuts = 0;
        TimeSpan end = scene.Clock.Now + duration;
        try
        {
            while (scene.Clock.Now < end && !stop.IsCancellationRequested)
            {
                Link link = links[scene.Random.Next(links.Length)];
                bool cut = !link.State.IsCut;
                if (cut) cuts++;
                link.Set(cut ? LinkState.Cut : LinkState.Healthy);
                await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(20, 400)), stop);
            }
        }
        finally
        {
            foreach (Link link in links) link.Set(LinkState.Healthy);
        }

        held = links.Sum(link => link.Counters.Held) - held;
        return FaultBite.Of("all links", cuts > 0 && held > 0, ("cuts", cuts), ("frames held back", held));
    }
}

/// <summary>Every link is worse for a while.</summary>
/// <param name="counter">What shows that it was.</param>
internal sealed class WorseLinksFault(string name, string summary, string evidence, LinkState state, Func<LinkCounters, long> counter) : Fault(name, FaultTrack.Network, summary)
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 2 ? $"{Name} needs 2 nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        long before = scene.Cluster.Links.Sum(link => counter(link.Counters));
        try
        {
            foreach (Link link in scene.Cluster.Links) link.Set(state);
            await HoldAsync(duration, stop);
        }
        finally
        {
            foreach (Link link in scene.Cluster.Links) link.Set(LinkState.Healthy);
        }

        long count = scene.Cluster.Links.Sum(link => counter(link.Counters)) - before;
        return FaultBite.Of("all links", count > 0, (evidence, count));
    }
}

/// <summary>Connections between nodes end in a reset, again and again.</summary>
internal sealed class ResetFault() : Fault("reset", FaultTrack.Network, "the connections between nodes are reset, every few hundred milliseconds")
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 2 ? $"{Name} needs 2 nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        long before = scene.Cluster.Links.Sum(link => link.Counters.Resets);
        TimeSpan end = scene.Clock.Now + duration;
        while (scene.Clock.Now < end && !stop.IsCancellationRequested)
        {
            scene.Cluster.ResetConnections(scene.Random.Next());
            await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(100, 800)), stop);
        }

        long resets = scene.Cluster.Links.Sum(link => link.Counters.Resets) - before;
        return FaultBite.Of("random links", resets > 0, ("resets", resets));
    }
}
