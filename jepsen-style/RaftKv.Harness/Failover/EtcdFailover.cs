using System.Globalization;
using System.Net;
using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Client;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Failover;

/// <summary>
/// etcd, with its default settings. All its members must be told the same addresses of each other; so there is one proxy before each, and who dials there is known by the socket.
/// </summary>
internal sealed class EtcdFailover : FailoverCluster
{
    public const string Name = "etcd";

    /// <summary>etcd ends by the signal that stopped it, after it has stopped in order.</summary>
    private const int EndedBySigterm = 128 + 15;
    private const long ImageBytes = 1L << 30;
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(12);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(1) };
    private readonly MadeThings _made;
    private readonly Link[,] _links = new Link[Members, Members];
    private readonly PeerProxy[] _proxies = new PeerProxy[Members];
    private readonly HarnessNode[] _nodes = new HarnessNode[Members];

    private EtcdFailover(string program, string directory, int seed, bool hasImages, MadeThings made)
    {
        _made = made;
        FreePorts ports = new();
        int[] own = [.. Enumerable.Range(0, Members).Select(_ => ports.Next())];
        (string Name, string Address)[] cluster = [.. Enumerable.Range(0, Members).Select(i => ($"n{i + 1}", $"127.0.0.1:{ports.Next()}"))];
        for (int i = 0; i < Members; i++)
        {
            for (int other = 0; other < Members; other++) _links[i, other] = new Link(Seeds.Of(seed, i, other));
            ClientEndpoint client = new("127.0.0.1", ports.Next());
            string home = Path.Combine(directory, cluster[i].Name);
            string[] command = EtcdProgram.Command(program, cluster[i].Name, Path.Combine(home, hasImages ? "disk/data" : "data"), client.ToString(), $"127.0.0.1:{own[i]}", cluster);
            _nodes[i] = new HarnessNode(i, cluster[i].Name, client, home, Path.Combine(home, "node.log"), command, made);
            int target = i;
            IPEndPoint proxy = IPEndPoint.Parse(cluster[i].Address);
            _proxies[i] = new PeerProxy(proxy, new IPEndPoint(IPAddress.Loopback, own[i]), from => LinksBetween(from, proxy.Port, target), hasOurFrames: false);
        }

        Load = FailoverLoad.Of(LoadProtocol.EtcdGrpc, _nodes);
    }

    public override string System => Name;

    public override IReadOnlyList<HarnessNode> Nodes => _nodes;

    public override int Shards => 1;

    public override LoadPlan Load { get; }

    public static async Task<FailoverCluster> StartAsync(string program, string directory, int seed, bool hasImages, CancellationToken stop)
    {
        MadeThings made = MadeThings.Begin(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{Path.GetFileName(directory)}-{Name}"));
        EtcdFailover cluster = new(program, Path.Combine(directory, Name), seed, hasImages, made);
        try
        {
            foreach (PeerProxy proxy in cluster._proxies) proxy.Start();
            foreach (HarnessNode node in cluster._nodes)
            {
                Directory.CreateDirectory(node.Directory);
                if (hasImages) node.Disk = await DiskImage.CreateAsync(Path.Combine(node.Directory, "disk.img"), Path.Combine(node.Directory, "disk"), ImageBytes, made);
                node.Start();
            }

            await cluster.SettledAsync(stop);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<Link> LinksOf(HarnessNode node) => Nodes.Where(other => other != node).SelectMany(other => (Link[])[_links[node.Index, other.Index], _links[other.Index, node.Index]]);

    /// <inheritdoc/>
    public override bool IsGracefulEnd(int exitCode) => exitCode is 0 or EndedBySigterm;

    public override async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Where(node => node.IsRunning).Select(node => node.StopAsync(StopPatience)));
        foreach (PeerProxy proxy in _proxies) await proxy.DisposeAsync();
        foreach (HarnessNode node in _nodes)
        {
            node.Dispose();
            if (node.Disk is { } disk) await disk.DeleteAsync();
        }

        _http.Dispose();
        _made.Forget();
    }

    /// <inheritdoc/>
    protected override async Task<Leadership?> LookAsync(CancellationToken stop)
    {
        // Not by /health: that is an entry of the log each time, and nothing would ever settle. Clients are served before there are metrics.
        double?[] knows = await AskAsync("etcd_server_has_leader", stop);
        if (knows.Any(one => one != 1)) return null;
        double?[] leads = await AskAsync("etcd_server_is_leader", stop);
        double?[] applied = await AskAsync("etcd_server_proposals_applied_total", stop); // It is the index, whatever its name says.
        if (leads.Count(one => one == 1) != 1 || applied[0] is not { } index || applied.Any(one => one != index)) return null;
        return new Leadership(_nodes[Array.IndexOf(leads, 1)], [0], index.ToString(CultureInfo.InvariantCulture));
    }

    private Task<double?[]> AskAsync(string metric, CancellationToken stop) => Task.WhenAll(_nodes.Select(node => EtcdMeter.MetricAsync(_http, node.Client, metric, stop)));

    private (Link Forth, Link Back)? LinksBetween(int port, int proxyPort, int target)
    {
        int dialler = Array.FindIndex(_nodes, node => ProcessFacts.OwnsConnection(node.ProcessId, port, proxyPort));
        return dialler < 0 ? null : (_links[dialler, target], _links[target, dialler]);
    }
}
