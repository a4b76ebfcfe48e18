using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>Every fault by its name, and groups of them.</summary>
internal static class FaultCatalog
{
    private const double LossOfPackets = 0.2;

    public static IReadOnlyList<Fault> All { get; } =
    [
        new KillFault("kill", "kill -9 of one node, started again", scene => scene.AnyNode() is { } node ? [node] : []),
        new KillFault("kill-leader", "kill -9 of the node that leads most shards, started again", scene => scene.Leader() is { } node ? [node] : []),
        new KillFault("kill-majority", "kill -9 of more than half of the nodes at once, started again", scene => scene.Shuffled().Take((scene.Cluster.Nodes.Length / 2) + 1), leastNodes: 2),
        new KillFault("kill-all", "kill -9 of all nodes at once, started again", scene => scene.Cluster.Nodes),
        new StopFault(),
        new PauseFault("pause", "SIGSTOP of one node, then SIGCONT", scene => scene.AnyNode()),
        new PauseFault("pause-leader", "SIGSTOP of the node that leads most shards, then SIGCONT", scene => scene.Leader()),
        new CrashLoopFault(),
        new PartitionFault("partition", "the nodes fall into two random halves that do not hear each other", 2, Halves),
        new PartitionFault("isolate-leader", "the node that leads most shards is alone", 2, scene => scene.Leader() is { } leader ? (leader.Name, PartitionFault.Between([leader], Others(scene, leader))) : null),
        new PartitionFault("isolate-one", "a random node is alone", 2, scene => scene.AnyNode() is { } node ? (node.Name, PartitionFault.Between([node], Others(scene, node))) : null),
        new PartitionFault("one-way", "a random node is not heard by the others, but hears them; or the other way round", 2, OneWay),
        new PartitionFault("bridge", "two halves that are joined by one node only", 3, Bridge),
        new PartitionFault("ring", "each node hears a majority, and no two the same one", 5, Ring),
        new FlappingFault(),
        new WorseLinksFault("slow-links", "every frame between nodes is 30 to 130 ms on its way", "frames delayed", new LinkState(Delay: TimeSpan.FromMilliseconds(30), Jitter: TimeSpan.FromMilliseconds(100)), counters => counters.Delayed),
        new WorseLinksFault("narrow-links", "200 kB/s between any two nodes", "frames delayed", new LinkState(BytesPerSecond: 200_000), counters => counters.Delayed),
        new WorseLinksFault("corrupt", "of a hundred frames between nodes one has a bit flipped", "bits flipped", new LinkState(CorruptPerMillion: 10_000), counters => counters.Corrupted),
        new WorseLinksFault("loss", "of five frames between nodes one is lost", "frames lost", new LinkState(LosePerMillion: 200_000), counters => counters.Lost),
        new WorseLinksFault("duplicate", "of three frames between nodes one comes twice", "frames doubled", new LinkState(DuplicatePerMillion: 333_000), counters => counters.Duplicated),
        new WorseLinksFault("reorder", "of three frames between nodes one is overtaken by the next", "frames overtaken", new LinkState(ReorderPerMillion: 333_000), counters => counters.Reordered),
        new WorseLinksFault("late-replay", "between nodes old frames come once more, also those of earlier connections", "frames replayed", new LinkState(ReplayPerMillion: 200_000), counters => counters.Replayed),
        new ResetFault(),
        new PacketFault("packet-partition", "the nodes fall into two random halves: packets between them are dropped, connections stay half open", 2, "dropped", scene => PacketsOf(scene, Halves(scene))),
        new PacketFault("packet-one-way", "packets from a random node to the others are dropped, or those to it", 2, "dropped", scene => PacketsOf(scene, OneWay(scene))),
        new PacketFault("packet-loss", "of five packets between nodes one is dropped", 2, "dropped", scene => ("all pairs", PacketFault.Between(scene, AllPairs(scene), PacketRule.Lose(LossOfPackets)))),
        new PacketFault("tcp-reset", "whatever a random node and the others send each other is answered with a TCP reset", 2, "refused",
            scene => scene.AnyNode() is { } node ? (node.Name, PacketFault.Between(scene, PartitionFault.Between([node], Others(scene, node)), PacketRule.Reset)) : null),
        new PacketFault("client-partition", "clients do not reach the node that leads most shards, the other nodes do", 1, "dropped",
            scene => scene.Leader() is { } node ? ($"clients | {node.Name}", PacketFault.OfClients(scene, [node], PacketRule.Drop)) : null),
        new PacketFault("client-loss", "of five packets between clients and nodes one is dropped", 1, "dropped", scene => ("all nodes", PacketFault.OfClients(scene, scene.Cluster.Nodes, PacketRule.Lose(LossOfPackets)))),
        new BandwidthFault(),
        new TransferStormFault(),
        new PowerCutFault("power-cut", "the power of one node fails: what it had written and not synced is gone", hitsAll: false),
        new PowerCutFault("power-cut-all", "the power of all nodes fails at the same moment", hitsAll: true),
        new LastDiskFault(),
        new SickDiskFault("dead-disk", "a node's disk answers everything with EIO, and what was not synced is lost", "exit code 86", exitCode => exitCode == 86, disk => { disk.Shutdown(); return Task.CompletedTask; }, disk => disk.RemountAsync(), endsNode: true),
        new SickDiskFault("full-disk", "others fill a node's disk: puts for its shards are refused, deletes go on", "it goes on, or exit code 86", exitCode => exitCode is null or 86, SickDiskFault.FillAsync, SickDiskFault.EmptyAsync, endsNode: false),
        new SickDiskFault("frozen-disk", "a node's disk does not answer at all: it must give up its leaderships", "it goes on, or exit code 86", exitCode => exitCode is null or 86, disk => disk.FreezeAsync(), disk => disk.ThawAsync(), endsNode: false),
        new ReadOnlyDiskFault(),
        new TornTailFault(),
        new HungDiskFault(),
        new SyncFault("crash-at-sync", "kill -9 of a node at the N-th sync after its start, between write and answer", "signal=SIGKILL:when=N", "killed", exitCode => exitCode == 128 + 9),
        new SyncFault("sync-fails", "the syncs of a node fail with EIO from the N-th on: it must end at once", "error=EIO:when=N+", "exit code 86", exitCode => exitCode == 86),
        new SyncFault("slow-disk", "every sync of a node takes 200 ms longer", "delay_enter=200000:when=N+", "it goes on", exitCode => exitCode is null),
        new SpoiltDirectoryFault("wiped-disk", "a node comes back without its data: the others must refuse it", mustRefuse: true, SpoiltDirectoryFault.DeleteAll),
        new SpoiltDirectoryFault("missing-segment", "a node comes back without one of its log's segments", mustRefuse: true, (data, random) => SpoiltDirectoryFault.DeleteFile(Path.Combine(data, "log"), "*", random)),
        new SpoiltDirectoryFault("bit-flip-log", "a bit of a node's raft log is flipped while it is down", mustRefuse: false, (data, random) => SpoiltDirectoryFault.FlipBit(Path.Combine(data, "log"), "*", random)),
        new SpoiltDirectoryFault("bit-flip-store", "a bit of a table file of a node's stores is flipped while it is down", mustRefuse: false, (data, random) => SpoiltDirectoryFault.FlipBit(Path.Combine(data, "shards"), "*.sst", random)),
        new SpoiltDirectoryFault("missing-file", "a node comes back without the file that names a store's current state", mustRefuse: false, (data, random) => SpoiltDirectoryFault.DeleteFile(Path.Combine(data, "shards"), "CURRENT", random)),
        new CpuQuotaFault(),
        new MemoryLimitFault(),
        new DescriptorsFault(),
        new ThreadPoolFault(),
        new ClockJumpFault(),
        new ClockStrobeFault(),
        new ClockRateFault(),
        new SuspendFault(),
        new OverloadFault(),
        new HugeValuesFault(),
        new KilledClientsFault(),
        new SlowReadersFault(),
    ];

    /// <summary>Those of the table that need what RaftKv, or this harness, does not have yet: name, and what is missing.</summary>
    public static IReadOnlyList<(string Name, string Missing)> NotYet { get; } =
    [
        ("split, merge, move", "the shard controller"), ("membership", "the shard controller"), ("upgrade, downgrade", "a second release"), ("tls", "TLS"), ("auth", "users and roles"),
        ("old-disk", "a way to cut a node off that no other fault heals"),
    ];

    /// <summary>Why this machine cannot inject it; null if it can.</summary>
    public static string? MissingFor(Fault fault) => MissingFor(fault.Needs);

    public static string? MissingFor(FaultNeeds needs)
    {
        if (needs.HasFlag(FaultNeeds.Root) && Environment.UserName != "root") return "needs root";
        string[] tools = [.. needs.HasFlag(FaultNeeds.Strace) ? ["strace"] : Array.Empty<string>(), .. needs.HasFlag(FaultNeeds.Namespaces) ? ["ip", "iptables", "tc", "nsenter"] : Array.Empty<string>(), .. needs.HasFlag(FaultNeeds.Prlimit) ? ["prlimit"] : Array.Empty<string>()];
        if (tools.FirstOrDefault(tool => !IsInstalled(tool)) is { } tool) return $"needs {tool}";
        if (needs.HasFlag(FaultNeeds.Clock) && NodeClock.Library is null) return "needs libfaketime";
        if (needs.HasFlag(FaultNeeds.ControlGroups) && (GroupTree.Of(GroupController.Cpu) is null || GroupTree.Of(GroupController.Memory) is null)) return "needs control groups";
        return null;
    }

    private static bool IsInstalled(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => File.Exists(Path.Combine(directory, program)));

    /// <summary>Throws <see cref="CommandException"/> that names what there is.</summary>
    public static Fault Named(string name) => All.FirstOrDefault(fault => fault.Name == name)
        ?? throw new CommandException(ExitCode.Usage, NotYet.FirstOrDefault(row => row.Name.Split(", ").Contains(name)) is { Missing: { } missing } ? $"fault '{name}': not yet, it needs {missing}" : $"there is no fault '{name}'; jepsen-style list shows them");

    private static (string, IEnumerable<PacketRule>)? PacketsOf(FaultScene scene, (string Target, IEnumerable<(HarnessNode, HarnessNode)> Cut)? cut) =>
        cut is { } some ? (some.Target, PacketFault.Between(scene, some.Cut, PacketRule.Drop)) : null;

    private static IEnumerable<(HarnessNode, HarnessNode)> AllPairs(FaultScene scene) => scene.Cluster.Nodes.SelectMany(node => Others(scene, node).Select(other => (node, other)));

    private static HarnessNode[] Others(FaultScene scene, HarnessNode node) => [.. scene.Cluster.Nodes.Where(other => other != node)];

    private static (string, IEnumerable<(HarnessNode, HarnessNode)>)? Halves(FaultScene scene)
    {
        HarnessNode[] nodes = scene.Shuffled();
        HarnessNode[] left = nodes[..(nodes.Length / 2)];
        HarnessNode[] right = nodes[(nodes.Length / 2)..];
        return ($"{PartitionFault.Names(left)} | {PartitionFault.Names(right)}", PartitionFault.Between(left, right));
    }

    private static (string, IEnumerable<(HarnessNode, HarnessNode)>)? OneWay(FaultScene scene)
    {
        if (scene.AnyNode() is not { } node) return null;
        HarnessNode[] others = Others(scene, node);
        bool isMute = scene.Random.Next(2) == 0;
        return (isMute ? $"{node.Name} is not heard" : $"{node.Name} hears nobody", others.Select(other => isMute ? (node, other) : (other, node)));
    }

    private static (string, IEnumerable<(HarnessNode, HarnessNode)>)? Bridge(FaultScene scene)
    {
        HarnessNode[] nodes = scene.Shuffled();
        HarnessNode[] left = nodes[1..((nodes.Length + 1) / 2)];
        HarnessNode[] right = nodes[((nodes.Length + 1) / 2)..];
        return ($"{PartitionFault.Names(left)} - {nodes[0].Name} - {PartitionFault.Names(right)}", PartitionFault.Between(left, right));
    }

    /// <summary>In a ring of n nodes each hears its nearest n / 2 neighbours, itself not counted.</summary>
    private static (string, IEnumerable<(HarnessNode, HarnessNode)>)? Ring(FaultScene scene)
    {
        HarnessNode[] nodes = scene.Shuffled();
        int reach = Math.Max(1, nodes.Length / 4);
        IEnumerable<(HarnessNode, HarnessNode)> cut =
            from a in Enumerable.Range(0, nodes.Length)
            from b in Enumerable.Range(0, nodes.Length)
            where a != b && Math.Min((a - b + nodes.Length) % nodes.Length, (b - a + nodes.Length) % nodes.Length) > reach
            select (nodes[a], nodes[b]);
        return (string.Join("-", nodes.Select(node => node.Name)), cut);
    }
}
