using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;

namespace RaftKv.Harness.Tests;

/// <summary>The network of a run with namespaces: its addresses, the rules of faults, and what is read from their counters.</summary>
public sealed class RunNetworkTests
{
    private static readonly AddressBlock s_block = new(100, 7);

    [Theory]
    [InlineData("", 7, "10.100.7.0/24")]
    [InlineData("", 256, "10.101.0.0/24")]
    [InlineData("", 128 * 256, "10.100.0.0/24")] // Round the clock; a process id may be larger.
    [InlineData("2: eth0    inet 10.100.7.9/32 scope global eth0", 7, "10.100.8.0/24")]
    [InlineData("10.100.7.128/25 dev eth1 proto kernel scope link src 192.0.2.1", 7, "10.100.8.0/24")]
    [InlineData("10.100.0.0/16 via 192.0.2.1 dev eth0", 7, "10.101.0.0/24")]
    [InlineData("local 10.100.7.254 dev js1 table local\n10.100.8.0/22 dev js2", 7, "10.100.12.0/24")]
    [InlineData("default via 192.0.2.1 dev eth0\n110.100.7.0/24 dev eth1", 7, "10.100.7.0/24")]
    public void A_run_takes_addresses_that_nothing_on_the_machine_overlaps(string inUse, int number, string expected) =>
        Assert.Equal(expected, AddressBlock.FirstFree(number, inUse)?.ToString());

    [Fact]
    public void A_machine_that_uses_all_of_them_has_none_for_a_run() => Assert.Null(AddressBlock.FirstFree(7, "10.0.0.0/8 via 192.0.2.1 dev eth0"));

    [Fact]
    public void With_a_block_each_node_has_an_address_of_its_own_and_proxies_are_at_the_harness()
    {
        ClusterAddresses addresses = Addresses(s_block);
        Assert.Equal(["10.100.7.1:1001", "10.100.7.2:1002"], [$"{addresses.Client(0)}", $"{addresses.Client(1)}"]);
        Assert.Equal(["10.100.7.1:1003", "10.100.7.2:1004"], [$"{addresses.Peer(0)}", $"{addresses.Peer(1)}"]);
        Assert.Equal(["10.100.7.254:1005", "10.100.7.254:1006"], [$"{addresses.Proxy(0, 1)}", $"{addresses.Proxy(1, 0)}"]);
    }

    [Fact]
    public void Without_a_block_all_are_ports_of_the_loopback_address()
    {
        ClusterAddresses addresses = Addresses(null);
        Assert.Equal(["127.0.0.1:1001", "127.0.0.1:1004", "127.0.0.1:1006"], [$"{addresses.Client(0)}", $"{addresses.Peer(1)}", $"{addresses.Proxy(1, 0)}"]);
    }

    // One for each connection between the two: the one that the sender dialled, and the one that the receiver did.
    [Fact]
    public void A_direction_between_two_nodes_is_a_rule_at_the_sender_and_one_at_the_receiver() => Assert.Equal(
        ["0: -p tcp -d 10.100.7.254 --dport 1005 -j DROP", "1: -p tcp -s 10.100.7.254 --sport 1006 -j DROP"],
        PacketRule.Between(Addresses(s_block), 0, 1, PacketRule.Drop).Select(Text));

    [Fact]
    public void Clients_of_a_node_are_two_rules_there() => Assert.Equal(
        ["1: -p tcp -d 10.100.7.2 --dport 1002 -m statistic --mode random --probability 0.2 -j DROP", "1: -p tcp -s 10.100.7.2 --sport 1002 -m statistic --mode random --probability 0.2 -j DROP"],
        PacketRule.OfClients(Addresses(s_block), 1, PacketRule.Lose(0.2)).Select(Text));

    [Fact]
    public void The_rules_of_a_chain_are_added_up()
    {
        const string Said = """
            Chain jepsen-style (2 references)
                pkts      bytes target     prot opt in     out     source               destination
                   1       52 DROP       6    --  *      *       10.100.7.254         0.0.0.0/0            tcp spt:26838
                  27    32641 REJECT     6    --  *      *       0.0.0.0/0            10.100.7.254         tcp dpt:26838 reject-with tcp-reset

            """;
        Assert.Equal(new PacketCount(28, 32_693), PacketCounters.OfChain(Said));
        Assert.Equal(default, PacketCounters.OfChain(string.Join('\n', Said.Split('\n')[..2])));
    }

    [Fact]
    public void A_queue_tells_what_it_held_back_and_what_it_dropped()
    {
        const string Said = """
            qdisc tbf 8001: root refcnt 2 rate 300Kbit burst 4Kb lat 400ms
             Sent 25714 bytes 391 pkt (dropped 3, overlimits 2912 requeues 0)
             backlog 0b 0p requeues 0
            """;
        Assert.Equal((2_912, 3), PacketCounters.OfQueue(Said));
        Assert.Equal((0, 0), PacketCounters.OfQueue("qdisc noqueue 0: root refcnt 2"));
    }

    [Fact]
    public void What_is_made_is_written_down_by_its_kind()
    {
        MadeThings made = MadeThings.Begin($"test-{Guid.NewGuid():N}");
        string file = Directory.EnumerateFiles(MadeThings.Folder).Single(path => File.ReadAllText(path).StartsWith($"owner {Environment.ProcessId} ", StringComparison.Ordinal));
        made.AddLink("js1");
        made.AddNamespace("js1-n1");
        Assert.Equal(["link js1", "namespace js1-n1"], File.ReadAllLines(file)[1..]);
        made.Forget();
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task Clean_removes_the_network_of_a_harness_that_died_and_nothing_else()
    {
        Assert.SkipWhen(FaultCatalog.MissingFor(FaultNeeds.Root | FaultNeeds.Namespaces) is not null, $"{FaultCatalog.MissingFor(FaultNeeds.Root | FaultNeeds.Namespaces)}");
        string bridge = $"js{Environment.ProcessId}";
        MadeThings living = MadeThings.Begin($"test-{Guid.NewGuid():N}");
        string file = Path.Combine(MadeThings.Folder, $"test-{Guid.NewGuid():N}.made");
        await Shell.RunAsync("ip", "link", "add", bridge, "type", "bridge");
        try
        {
            living.AddLink(bridge);
            File.WriteAllLines(file, ["owner 1 gone", $"link {bridge}-dead", $"link {bridge}-none", $"namespace {bridge}-dead"]);
            await Shell.RunAsync("ip", "netns", "add", $"{bridge}-dead");
            await Shell.RunAsync("ip", "link", "add", $"{bridge}-dead", "type", "veth", "peer", "name", "eth0", "netns", $"{bridge}-dead");
            Assert.Equal([$"link {bridge}-dead", $"namespace {bridge}-dead"], (await MadeThings.CleanAsync()).Where(thing => thing.Contains(bridge, StringComparison.Ordinal)));
            Assert.False(Path.Exists($"/sys/class/net/{bridge}-dead"));
            Assert.False(Path.Exists($"/run/netns/{bridge}-dead"));
            Assert.False(File.Exists(file));
            Assert.True(Path.Exists($"/sys/class/net/{bridge}"));
        }
        finally
        {
            await Shell.RunAsync("ip", "link", "delete", bridge);
            living.Forget();
        }
    }

    private static ClusterAddresses Addresses(AddressBlock? block)
    {
        int port = 1_000;
        return new ClusterAddresses(2, block, () => ++port);
    }

    private static string Text(PacketRule rule) => $"{rule.Node}: {string.Join(' ', rule.Words)}";
}
