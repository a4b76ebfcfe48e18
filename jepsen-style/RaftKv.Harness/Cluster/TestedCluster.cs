using RaftKv.Client;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// Real nodes on 127.0.0.1, or each in a network namespace, each with a directory of its own, and between each two of them proxies in this process, one for each that dials: so links can
/// fail without any privilege. A node is told the proxies' places in place of the others' own (<c>--initial-cluster</c>; a cluster's identity does not depend on addresses).
/// </summary>
internal sealed class TestedCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(12);
    private const long ImageBytes = 512L << 20;

    /// <summary>A disk image is small: its nodes must not take it for nearly full.</summary>
    private static readonly string[] SmallDiskOptions = ["--min-free-disk-bytes", "33554432", "--min-free-disk-percent", "0", "--segment-bytes", "8388608"];
    private readonly Link[,] _links;
    private readonly List<PeerProxy> _proxies = [];
    private readonly MadeThings _made;

    private TestedCluster(RunPlan plan, string program, string directory, FaultNeeds needs, RunNetwork? network, MadeThings made)
    {
        (_made, Network) = (made, network);
        bool hasImages = needs.HasFlag(FaultNeeds.Image);
        int count = plan.Nodes;
        Addresses = new ClusterAddresses(count, network?.Block, new FreePorts().Next);
        string[] names = [.. Enumerable.Range(1, count).Select(number => $"n{number}")];
        _links = new Link[count, count];
        for (int from = 0; from < count; from++)
            for (int to = 0; to < count; to++) _links[from, to] = new Link(Seeds.Of(plan.Seed, from, to));
        Links = [.. Enumerable.Range(0, count * count).Where(i => i / count != i % count).Select(i => _links[i / count, i % count])];

        Nodes = new HarnessNode[count];
        for (int own = 0; own < count; own++)
        {
            List<string> members = [];
            for (int other = 0; other < count; other++)
            {
                if (other != own) _proxies.Add(new PeerProxy(Addresses.Proxy(own, other), Addresses.Peer(other), _links[own, other], _links[other, own]));
                members.Add($"{names[other]}={(other == own ? Addresses.Peer(own) : Addresses.Proxy(own, other))}");
            }

            string home = Path.Combine(directory, names[own]);
            string[] sized = hasImages ? SmallDiskOptions : [];
            string[] command =
            [
                .. network?.Enter(own) ?? [], program, "--name", names[own], "--data-dir", Path.Combine(home, hasImages ? "disk/data" : "data"), "--listen-client", $"{Addresses.Client(own)}", "--listen-peer", $"{Addresses.Peer(own)}",
                "--initial-cluster", string.Join(',', members), "--initial-shards", $"{plan.Shards}", "--replicas", $"{Math.Min(3, count)}", .. sized, .. plan.NodeOptions.SelectMany(option => option.Split('=', 2)),
            ];
            Nodes[own] = new HarnessNode(own, names[own], new ClientEndpoint($"{Addresses.Client(own).Address}", Addresses.Client(own).Port), home, Path.Combine(home, "node.log"), command, made);
            if (needs.HasFlag(FaultNeeds.Clock)) Nodes[own].Clock = new NodeClock(Path.Combine(home, "clock"), bendsAll: (own + plan.Seed) % 2 == 0, TimeProvider.System);
        }
    }

    public HarnessNode[] Nodes { get; }

    public ClusterAddresses Addresses { get; }

    /// <summary>With a namespace for each node, if the run's faults need that.</summary>
    public RunNetwork? Network { get; }

    /// <summary>One for each direction between two nodes.</summary>
    public IReadOnlyList<Link> Links { get; }

    public Link LinkBetween(HarnessNode from, HarnessNode to) => _links[from.Index, to.Index];

    /// <summary>Closes what is open through a third of the proxies, chosen by a number.</summary>
    public void ResetConnections(int choice)
    {
        for (int i = 0; i < _proxies.Count; i++)
            if ((i + choice) % 3 == 0) _proxies[i].Reset();
    }

    /// <summary>Starts all nodes, and returns when each says that it is ready. Throws <see cref="NodeDiedException"/> if one does not, <see cref="ToolFailedException"/> for want of a disk image or a namespace.</summary>
    /// <param name="needs">Of the run and its faults: with disk images, namespaces or clocks each node has one of its own.</param>
    public static async Task<TestedCluster> StartAsync(RunPlan plan, string program, string directory, FaultNeeds needs, MadeThings made, CancellationToken stop)
    {
        RunNetwork? network = needs.HasFlag(FaultNeeds.Namespaces) ? await RunNetwork.ChooseAsync(plan.Nodes) : null;
        TestedCluster cluster = new(plan, program, directory, needs, network, made);
        try
        {
            if (network is not null) await network.MakeAsync(made);
            foreach (PeerProxy proxy in cluster._proxies) proxy.Start();
            if (needs.HasFlag(FaultNeeds.Image))
                foreach (HarnessNode node in cluster.Nodes) node.Disk = await DiskImage.CreateAsync(Path.Combine(directory, $"{node.Name}.img"), Path.Combine(node.Directory, "disk"), ImageBytes, made);
            foreach (HarnessNode node in cluster.Nodes) node.Start();
            await cluster.WaitUntilReadyAsync(StartPatience, stop);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Undoes whatever faults have left: every link healthy, every node running.</summary>
    public async Task HealAsync(CancellationToken stop)
    {
        foreach (Link link in Links) link.Set(LinkState.Healthy);
        if (Network is not null) await Network.FlushAsync();
        foreach (HarnessNode node in Nodes)
        {
            node.Resume();
            if (!node.IsRunning && node.IsMeantToBeDown) node.Start();
        }

        await WaitUntilReadyAsync(StartPatience, stop);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Where(node => node.IsRunning).Select(node => node.StopAsync(StopPatience)));
        foreach (PeerProxy proxy in _proxies) await proxy.DisposeAsync();
        foreach (HarnessNode node in Nodes)
        {
            node.Dispose();
            if (node.Disk is { } disk) await disk.DeleteAsync();
        }

        if (Network is not null) await Network.DeleteAsync();
        _made.Forget();
    }

    private async Task WaitUntilReadyAsync(TimeSpan patience, CancellationToken stop)
    {
        using NodeClient asker = new(TimeSpan.FromSeconds(1));
        long deadline = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        foreach (HarnessNode node in Nodes)
        {
            while (!await asker.IsReadyAsync(node.Client, stop))
            {
                if (node.Surprise() is { } surprise) throw new NodeDiedException(surprise);
                if (Environment.TickCount64 > deadline) throw new NodeDiedException($"{node.Name} is not ready after {patience.TotalSeconds} s; see {node.LogFile}");
                await Task.Delay(50, stop);
            }
        }
    }
}

/// <summary>A node ended, or never came up, though no fault wanted that.</summary>
internal sealed class NodeDiedException(string message) : Exception(message);
