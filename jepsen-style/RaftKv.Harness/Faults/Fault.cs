using System.Collections.Immutable;
using RaftKv.Checking;
using RaftKv.Harness.Clients;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>What a fault handles. Of one track one fault at a time bites, so that no two pull at the same thing; faults of different tracks overlap.</summary>
internal enum FaultTrack
{
    Process,
    Network,
    Clock,
    Disk,
    Leadership,
    Load,
}

/// <summary>What a machine must have for a fault.</summary>
[Flags]
internal enum FaultNeeds
{
    Nothing = 0,
    Root = 1,
    Strace = 2,

    /// <summary>Each node on a disk image of its own.</summary>
    Image = 4,

    /// <summary>Each node in a network namespace of its own, and in it iptables and tc.</summary>
    Namespaces = 8,

    /// <summary>Control groups for CPU and memory, of version 1 or 2.</summary>
    ControlGroups = 16,

    /// <summary>The program that sets limits of a process that runs.</summary>
    Prlimit = 32,

    /// <summary>Each node with a clock of its own: libfaketime.</summary>
    Clock = 64,
}

/// <summary>
/// One kind of fault. It bites for a while, heals, and shows by what it counted that it bit. A file for each track.
/// </summary>
internal abstract class Fault(string name, FaultTrack track, string summary, FaultNeeds needs = FaultNeeds.Nothing)
{
    public string Name => name;

    public FaultTrack Track => track;

    public string Summary => summary;

    public FaultNeeds Needs => needs;

    /// <summary>What it does to nodes' clocks, for the checkers of promises that depend on them.</summary>
    public virtual ClockError Clocks => ClockError.None;

    /// <summary>Whether it can be injected into a cluster of so many nodes; else why not.</summary>
    public virtual string? UnfitFor(int nodes) => null;

    /// <summary>
    /// Bites for about <paramref name="duration"/> and heals again, whatever happens: also when <paramref name="stop"/> ends it early, and when it throws.
    /// </summary>
    public abstract Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop);

    /// <summary>A pause that ends early without complaint.</summary>
    protected static Task HoldAsync(TimeSpan duration, CancellationToken stop) => Task.Delay(duration, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}

/// <summary>What a fault finds: the cluster, who leads, and choices from the run's seed.</summary>
internal sealed record FaultScene(TestedCluster Cluster, LeaderWatch Leaders, Random Random, RunClock Clock)
{
    /// <summary>A node that runs and is not held, by chance; null if there is none.</summary>
    public HarnessNode? AnyNode()
    {
        HarnessNode[] up = [.. Cluster.Nodes.Where(node => node.IsRunning && !node.IsPaused)];
        return up.Length == 0 ? null : up[Random.Next(up.Length)];
    }

    /// <summary>The node that leads most shards; any node if no leader is known.</summary>
    public HarnessNode? Leader() => Leaders.BusiestLeader() is { } name && Cluster.Nodes.FirstOrDefault(node => node.Name == name && node.IsRunning) is { } leader ? leader : AnyNode();

    /// <summary>Nodes in an order by chance.</summary>
    public HarnessNode[] Shuffled()
    {
        HarnessNode[] nodes = [.. Cluster.Nodes];
        Random.Shuffle(nodes);
        return nodes;
    }
}

/// <summary>What a fault did, and what shows it.</summary>
/// <param name="Target">Whom or what, in a few words.</param>
/// <param name="HasBitten">By the evidence.</param>
/// <param name="Evidence">Counts by name: packets held, processes whose id changed, milliseconds without progress.</param>
internal sealed record FaultBite(string Target, bool HasBitten, ImmutableSortedDictionary<string, double> Evidence)
{
    public static FaultBite Of(string target, bool hasBitten, params ReadOnlySpan<(string Name, double Count)> evidence)
    {
        ImmutableSortedDictionary<string, double>.Builder counts = ImmutableSortedDictionary.CreateBuilder<string, double>(StringComparer.Ordinal);
        foreach (var (name, count) in evidence) counts[name] = count;
        return new FaultBite(target, hasBitten, counts.ToImmutable());
    }

    public static FaultBite Missed(string why) => Of(why, false);
}
