using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport.Tests;

public sealed class HandshakeTests
{
    /// <summary>Each rule of <see cref="Hello.Refusal"/>: what node 2 says wrong to node 1, and what the log must name.</summary>
    public static TheoryData<string, string> Rules => new()
    {
        { "cluster", "belongs to cluster" },
        { "protocol", "speaks protocol 2–3, this node 1–1" },
        { "map", "another initial shard map" },
        { "addressee", "means to reach node" },
        { "identity", "has the same node id as this node" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public async Task A_dialler_that_breaks_a_rule_is_answered_and_closed_with_one_line_in_30_seconds(string rule, string line)
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Prepare(null, new PeerAddress(new NodeId(2), "n2", "127.0.0.1", 1));
        Hello wrong = Break(TestNode.HelloOf(2) with { Addressee = node.Hello.Node }, rule);
        for (int times = 1; times <= 3; times++) await KnockAsync(node, wrong);
        await node.Metrics.UntilAsync(3, "connections.refused", "direction=accepted", "reason=hello");
        Assert.Single(node.Log.With(line));
        Assert.Single(node.Log.Lines.All);

        node.Clock.Jump(TimeSpan.FromSeconds(30));
        await KnockAsync(node, wrong);
        await node.Metrics.UntilAsync(4, "connections.refused");
        Assert.Equal(2, node.Log.With(line).Length);
        Assert.Equal(0UL, node.Links.BootIdOf(new NodeId(2)));
        Assert.Empty(node.Inbox.Frames.All);
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public async Task An_answer_that_breaks_a_rule_ends_the_connection_and_the_dialler_tries_again(string rule, string line)
    {
        using RawListener listener = new(TestNode.HelloOf(2));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null, listener.Address);
        for (int times = 1; times <= 3; times++)
        {
            (RawPeer peer, Hello said) = await listener.GreetAsync(Break(listener.Hello, rule));
            Assert.Equal(node.Hello with { Addressee = listener.Hello.Node }, said);
            Assert.Equal(0, await peer.UntilClosedAsync());
            peer.Dispose();
        }

        await node.Metrics.UntilAsync(3, "connections.refused", "peer=n2", "direction=dialled");
        Assert.Single(node.Log.With(line));
        Assert.Equal(0UL, node.Links.BootIdOf(listener.Hello.Node));
        Assert.Equal(0, node.Metrics.Sum("connections.opened"));
    }

    [Fact]
    public async Task An_answer_from_another_node_than_the_one_meant_is_refused()
    {
        using RawListener listener = new(TestNode.HelloOf(2));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null, listener.Address);
        (RawPeer peer, _) = await listener.GreetAsync(TestNode.HelloOf(3));
        using (peer) await peer.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.refused", "peer=n2", "direction=dialled", "reason=wrong_node");
        Assert.Single(node.Log.With("node n3 (0000000000000003) answers there, not n2"));
    }

    [Fact]
    public async Task A_node_that_is_no_peer_is_closed_without_an_answer()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Prepare(null, new PeerAddress(new NodeId(2), "n2", "127.0.0.1", 1));
        using RawPeer stranger = await RawPeer.DialAsync(node.Port);
        await stranger.SendAsync(Frames.Make(TestNode.HelloOf(3) with { Addressee = node.Hello.Node }));
        Assert.Equal(0, await stranger.UntilClosedAsync());
        await node.Metrics.UntilAsync(1, "connections.refused", "peer=unknown", "reason=unknown_node");
        Assert.Single(node.Log.With("node n3 (0000000000000003) is not one of this node's peers"));
    }

    [Fact]
    public async Task Two_nodes_of_different_clusters_both_say_so_once_while_they_keep_trying()
    {
        await using TestNode first = await TestNode.ListenAsync(1);
        await using TestNode second = await TestNode.ListenAsync(TestNode.HelloOf(2) with { ClusterId = 0xC2 });
        first.Start(null, second.Address);
        second.Start(null, first.Address);
        foreach (TestNode node in new[] { first, second })
        {
            await node.Metrics.UntilAsync(5, "connections.refused", "direction=dialled");
            await node.Metrics.UntilAsync(5, "connections.refused", "direction=accepted");
            Assert.Single(node.Log.With("Refused to use"));
            Assert.Single(node.Log.With("Refused a connection"));
            Assert.Equal(2, node.Log.Lines.All.Length);
        }
    }

    [Fact]
    public async Task Both_ends_learn_where_clients_reach_the_other()
    {
        await using TestNode first = await TestNode.ListenAsync(TestNode.HelloOf(1) with { ClientUrl = "http://one:1" });
        await using TestNode second = await TestNode.ListenAsync(TestNode.HelloOf(2));
        first.Start(null, second.Address);
        second.Start(null, first.Address);
        await first.Metrics.UntilAsync(1, "connections.opened", "direction=dialled");
        await second.Metrics.UntilAsync(1, "connections.opened", "direction=dialled");
        Assert.Equal("http://one:1", second.Links.ClientUrlOf(first.Hello.Node));
        Assert.Null(first.Links.ClientUrlOf(second.Hello.Node));
        Assert.Null(first.Links.ClientUrlOf(new NodeId(99)));
    }

    [Theory]
    [InlineData("http://x\n")]
    [InlineData(null)]
    public async Task A_client_url_that_is_no_line_or_too_long_is_malformed(string? url)
    {
        using RawListener listener = new(TestNode.HelloOf(2) with { ClientUrl = url ?? new string('x', 1025) });
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null, listener.Address);
        (RawPeer peer, _) = await listener.GreetAsync();
        using (peer) await peer.UntilClosedAsync();
        Assert.Equal(0UL, node.Links.BootIdOf(listener.Hello.Node));
    }

    [Fact]
    public async Task The_highest_common_protocol_version_is_used()
    {
        using RawListener listener = new(TestNode.HelloOf(2) with { ProtocolMin = 1, ProtocolMax = 4 });
        await using TestNode node = await TestNode.ListenAsync(TestNode.HelloOf(1) with { ProtocolMin = 2, ProtocolMax = 3 });
        node.Start(null, listener.Address);
        (RawPeer peer, _) = await listener.GreetAsync();
        using (peer) await node.Log.Lines.UntilAsync(lines => lines.Any(line => line.Contains("is up: protocol 3", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_hello_in_time_is_given_up_and_dialled_again()
    {
        using RawListener listener = new(TestNode.HelloOf(2));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(TestNode.Quick with { HelloTimeout = TimeSpan.FromMilliseconds(100) }, listener.Address);
        using (RawPeer silent = await listener.AcceptAsync())
        {
            await silent.ReadHelloAsync();
            await silent.UntilClosedAsync();
        }

        await node.Metrics.UntilAsync(1, "connections.closed", "direction=dialled", "reason=hello_timeout");
        (RawPeer peer, _) = await listener.GreetAsync();
        using (peer) await node.UpAsync(listener.Hello);
    }

    private static async Task KnockAsync(TestNode node, Hello hello)
    {
        using RawPeer peer = await RawPeer.DialAsync(node.Port);
        await peer.SendAsync(Frames.Make(hello));
        Assert.Equal(node.Hello, await peer.ReadHelloAsync());
        Assert.Equal(0, await peer.UntilClosedAsync());
    }

    private static Hello Break(Hello hello, string rule) => rule switch
    {
        "cluster" => hello with { ClusterId = 0xC2 },
        "protocol" => hello with { ProtocolMin = 2, ProtocolMax = 3 },
        "map" => hello with { MapDigest = 0xD2 },
        "addressee" => hello with { Addressee = new NodeId(9) },
        _ => hello with { Node = new NodeId(1) },
    };
}
