using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>
/// The network of a run with namespaces: a bridge, and on it for each node a network namespace with an address of its own. The harness stays outside, at the bridge's address. In each namespace a chain
/// of iptables takes the rules of faults. Needs root.
/// </summary>
/// <remarks>testing/faults.md, H-NET and A5. The names carry our process id: nobody else makes the same while we live.</remarks>
internal sealed class RunNetwork
{
    private const string Chain = "jepsen-style";

    /// <summary>A node's only interface but lo, within its namespace.</summary>
    private const string Inside = "eth0";
    private readonly string _bridge;
    private readonly string[] _namespaces;

    /// <summary>What removes each thing that there is.</summary>
    private readonly Stack<string[]> _undo = [];

    private RunNetwork(string bridge, AddressBlock block, int nodes) => (_bridge, Block, _namespaces) = (bridge, block, [.. Enumerable.Range(1, nodes).Select(number => $"{bridge}-n{number}")]);

    public AddressBlock Block { get; }

    /// <summary>Finds a name and addresses that nobody uses on this machine; nothing is made yet. Throws <see cref="ToolFailedException"/>.</summary>
    public static async Task<RunNetwork> ChooseAsync(int nodes)
    {
        string bridge = string.Create(CultureInfo.InvariantCulture, $"js{Environment.ProcessId}");
        if (Path.Exists($"/sys/class/net/{bridge}")) throw new ToolFailedException($"there is a network interface {bridge} already");
        string inUse = await Shell.ReadAsync("ip", "-4", "-o", "address") + await Shell.ReadAsync("ip", "-4", "route", "show", "table", "all");
        return new RunNetwork(bridge, AddressBlock.FirstFree(Environment.ProcessId, inUse) ?? throw new ToolFailedException("this machine uses all blocks of addresses in 10.0.0.0/8"), nodes);
    }

    /// <summary>Throws <see cref="ToolFailedException"/>; what there is then <see cref="DeleteAsync"/> removes.</summary>
    public async Task MakeAsync(MadeThings made)
    {
        made.AddLink(_bridge);
        await Shell.RunAsync("ip", "link", "add", _bridge, "type", "bridge");
        _undo.Push(["ip", "link", "delete", _bridge]);
        await Shell.RunAsync("ip", "address", "add", $"{Block.OfHarness}/{AddressBlock.PrefixLength}", "dev", _bridge);
        await Shell.RunAsync("ip", "link", "set", _bridge, "up");
        for (int node = 0; node < _namespaces.Length; node++) await MakeAsync(node, made);
    }

    /// <summary>Removes whatever there is of it. Processes in it must have ended.</summary>
    public async Task DeleteAsync()
    {
        while (_undo.TryPop(out string[]? undo)) await Shell.RunAsync(undo);
    }

    /// <summary>What runs a program in the network of a node, put before it. It execs: the process keeps its id.</summary>
    /// <remarks>Not <c>ip netns exec</c>, which also makes a namespace of mounts: each node would keep the others' disk images mounted, so that none could be unmounted any more.</remarks>
    public string[] Enter(int node) => ["nsenter", $"--net=/run/netns/{_namespaces[node]}", "--"];

    /// <summary>Adds rules, for all nodes at once.</summary>
    public Task AddAsync(IEnumerable<PacketRule> rules) => Task.WhenAll(rules.GroupBy(rule => rule.Node).Select(async node =>
    {
        foreach (PacketRule rule in node) await Shell.RunAsync([.. Iptables(node.Key), "-A", Chain, .. rule.Words]);
    }));

    /// <summary>What met a rule since it was added.</summary>
    public async Task<PacketCount> CountAsync()
    {
        PacketCount[] counts = await Task.WhenAll(Enumerable.Range(0, _namespaces.Length).Select(async node => PacketCounters.OfChain(await Shell.ReadAsync([.. Iptables(node), "-nvxL", Chain]))));
        return new PacketCount(counts.Sum(count => count.Packets), counts.Sum(count => count.Bytes));
    }

    /// <summary>Removes all rules of all nodes.</summary>
    public Task FlushAsync() => Task.WhenAll(Enumerable.Range(0, _namespaces.Length).Select(node => Shell.RunAsync([.. Iptables(node), "-F", Chain])));

    /// <summary>From now on a node sends no more than <paramref name="rate"/>, as tc writes it; what would wait longer than 400 ms is dropped.</summary>
    public Task NarrowAsync(int node, string rate) => Shell.RunAsync("tc", "-n", _namespaces[node], "qdisc", "add", "dev", Inside, "root", "tbf", "rate", rate, "burst", "4kb", "latency", "400ms");

    /// <summary>What <see cref="NarrowAsync"/> has done to packets so far.</summary>
    public async Task<(long HeldBack, long Dropped)> CountNarrowedAsync(int node) => PacketCounters.OfQueue(await Shell.ReadAsync("tc", "-s", "-n", _namespaces[node], "qdisc", "show", "dev", Inside));

    public Task WidenAsync(int node) => Shell.RunAsync("tc", "-n", _namespaces[node], "qdisc", "delete", "dev", Inside, "root");

    private async Task MakeAsync(int node, MadeThings made)
    {
        string name = _namespaces[node];
        made.AddNamespace(name);
        await Shell.RunAsync("ip", "netns", "add", name);
        _undo.Push(["ip", "netns", "delete", name]);
        made.AddLink(name);
        await Shell.RunAsync("ip", "link", "add", name, "type", "veth", "peer", "name", Inside, "netns", name);
        _undo.Push(["ip", "link", "delete", name]); // And with it the other end.
        await Shell.RunAsync("ip", "link", "set", name, "master", _bridge, "up");
        await Shell.RunAsync("ip", "-n", name, "address", "add", $"{Block.OfNode(node)}/{AddressBlock.PrefixLength}", "dev", Inside);
        await Shell.RunAsync("ip", "-n", name, "link", "set", Inside, "up");
        await Shell.RunAsync("ip", "-n", name, "link", "set", "lo", "up");
        await Shell.RunAsync([.. Iptables(node), "-N", Chain]);
        await Shell.RunAsync([.. Iptables(node), "-I", "INPUT", "-j", Chain]);
        await Shell.RunAsync([.. Iptables(node), "-I", "OUTPUT", "-j", Chain]);
    }

    /// <summary>The older one of its two makes locks a file that all namespaces share: it may have to wait.</summary>
    private string[] Iptables(int node) => [.. Enter(node), "iptables", "-w", "10"];
}
