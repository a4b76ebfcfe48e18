using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport.Tests;

/// <summary>Whatever comes in, one connection is closed and nothing else changes: a link that stands beside it delivers before and after.</summary>
public sealed class HostileConnectionTests
{
    private static readonly Hello Other = TestNode.HelloOf(3);
    private static readonly byte[] GoodFrame = Frames.Make(FrameKind.RaftMessages, [1, 2, 3]);

    public static TheoryData<string, string> BeforeHello => new()
    {
        { "http", "malformed" },
        { "frame", "malformed" },
        { "oversized hello", "malformed" },
        { "oversized length only", "malformed" },
        { "wrong magic", "malformed" },
        { "wrong checksum", "malformed" },
        { "wrong format", "malformed" },
        { "name of two lines", "malformed" },
        { "nothing", "closed_by_peer" },
        { "half a hello", "closed_by_peer" },
    };

    public static TheoryData<string, string> AfterHello => new()
    {
        { "oversized", "malformed" },
        { "wrong checksum", "malformed" },
        { "wrong format", "malformed" },
        { "unknown kind", "malformed" },
        { "second hello", "malformed" },
        { "half a frame", "truncated" },
        { "half a header", "truncated" },
    };

    [Theory]
    [MemberData(nameof(BeforeHello))]
    public async Task A_connection_that_does_not_begin_with_a_hello_is_closed(string sends, string reason)
    {
        (TestNode node, TestNode bystander) = await TestNode.PairAsync();
        await using var _ = node;
        await using var __ = bystander;
        using (RawPeer peer = await RawPeer.DialAsync(node.Port))
        {
            await peer.SendAsync(Bytes(sends));
            if (reason == "closed_by_peer") peer.EndSending();
            Assert.Equal(0, await peer.UntilClosedAsync());
        }

        await node.Metrics.UntilAsync(1, "connections.closed", "peer=unknown", "direction=accepted", $"reason={reason}");
        Assert.Equal(reason == "malformed" ? 1 : 0, node.Log.With("Closed a connection").Length);
        await NothingElseChangedAsync(node, bystander);
    }

    [Theory]
    [MemberData(nameof(AfterHello))]
    public async Task A_connection_that_goes_wrong_is_closed_after_its_good_frames_were_delivered(string sends, string reason)
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        await using TestNode bystander = await TestNode.ListenAsync(2);
        node.Start(null, bystander.Address, new PeerAddress(Other.Node, Other.Name, "127.0.0.1", 1));
        bystander.Start(null, node.Address);
        await node.UpAsync(bystander);
        await bystander.UpAsync(node);
        using (RawPeer peer = await RawPeer.JoinAsync(node, Other))
        {
            await peer.SendAsync([.. GoodFrame, .. Bytes(sends)]);
            if (reason == "truncated") peer.EndSending();
            await peer.UntilClosedAsync();
        }

        await node.Metrics.UntilAsync(1, "connections.closed", "peer=n3", "direction=accepted", $"reason={reason}");
        Assert.Equal(reason == "malformed" ? 1 : 0, node.Log.With("Closed a connection of peer n3").Length);
        Assert.Equal([1, 2, 3], Assert.Single(node.Inbox.Frames.All, frame => frame.From == Other.Node).Body);
        await NothingElseChangedAsync(node, bystander);
    }

    [Fact]
    public async Task A_hello_that_drips_in_is_closed_when_its_time_is_over()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Prepare(TestNode.Quick with { HelloTimeout = TimeSpan.FromMilliseconds(150) }, new PeerAddress(Other.Node, Other.Name, "127.0.0.1", 1));
        using RawPeer peer = await RawPeer.DialAsync(node.Port);
        Task<long> closed = peer.UntilClosedAsync();
        byte[] hello = Frames.Make(Other);
        for (int i = 0; i < 20; i++) await peer.SendAsync(hello[i..(i + 1)]);
        await closed.Soon();
        await node.Metrics.UntilAsync(1, "connections.closed", "peer=unknown", "reason=hello_timeout");
        Assert.Single(node.Log.With("hello_timeout"));
    }

    [Fact]
    public async Task Connections_without_a_hello_are_limited_and_those_with_one_are_not_counted()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Prepare(TestNode.Quick with { MaxHandshaking = 2 }, new PeerAddress(Other.Node, Other.Name, "127.0.0.1", 1));
        using RawPeer joined = await RawPeer.JoinAsync(node, Other);
        List<RawPeer> silent = [await RawPeer.DialAsync(node.Port), await RawPeer.DialAsync(node.Port), await RawPeer.DialAsync(node.Port)];
        silent.Remove(await FirstClosedAsync([.. silent]));
        await node.Metrics.UntilAsync(1, "connections.refused", "reason=too_many_handshakes");
        Assert.Single(node.Log.With("have not said hello yet"));

        silent[0].Dispose();
        await node.Metrics.UntilAsync(1, "connections.closed", "reason=closed_by_peer");
        using RawPeer again = await RawPeer.JoinAsync(node, Other);
        await again.SendAsync(GoodFrame);
        await node.Inbox.Frames.UntilCountAsync(1);
        silent[1].Dispose();
    }

    [Fact]
    public async Task A_receiver_that_fails_costs_the_connection_and_not_the_server()
    {
        (TestNode node, TestNode peer) = await TestNode.PairAsync();
        await using var _ = node;
        await using var __ = peer;
        node.Inbox.Before = body => throw new InvalidOperationException("receiver");
        peer.Send(node, [1]);
        await node.Metrics.UntilAsync(1, "connections.closed", "reason=failed");
        node.Inbox.Before = _ => { };
        await peer.UpAsync(node, times: 2);
        peer.Send(node, [2]);
        await node.Inbox.Frames.UntilCountAsync(1);
        Assert.Single(node.Log.With("receiving failed"));
    }

    [Fact]
    public async Task Frames_on_the_connection_that_this_node_dialled_end_it()
    {
        using RawListener listener = new(Other);
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null, listener.Address);
        (RawPeer peer, _) = await listener.GreetAsync();
        await peer.SendAsync(GoodFrame);
        await peer.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.closed", "direction=dialled", "reason=malformed");
        Assert.Empty(node.Inbox.Frames.All);
        peer.Dispose();
    }

    private static async Task NothingElseChangedAsync(TestNode node, TestNode bystander)
    {
        node.Send(bystander, [8]);
        bystander.Send(node, [9]);
        await bystander.Inbox.Frames.UntilCountAsync(1);
        await node.Inbox.Frames.UntilAsync(frames => frames.Any(frame => frame.Body[0] == 9));
        Assert.Equal(1, node.Metrics.Sum("connections.opened", "peer=n2", "direction=dialled"));
        Assert.Equal(1, bystander.Metrics.Sum("connections.opened", "peer=n1", "direction=dialled"));
    }

    private static async Task<RawPeer> FirstClosedAsync(params RawPeer[] peers)
    {
        Task<long>[] closings = [.. peers.Select(peer => peer.UntilClosedAsync())];
        Task<long> first = await Task.WhenAny(closings).Soon();
        return peers[Array.IndexOf(closings, first)];
    }

    private static byte[] Bytes(string what)
    {
        byte[] hello = Frames.Make(Other);
        return what switch
        {
            "http" => "GET / HTTP/1.1\r\n\r\n"u8.ToArray(),
            "frame" => GoodFrame,
            "oversized hello" => Frames.Make(Other with { Name = new string('n', 4096) }),
            "oversized length only" => [0, 16, 0, 0],
            "wrong magic" => Frames.Make(FrameKind.Hello, new byte[64]),
            "name of two lines" => Frames.Make(Other with { Name = "n3\nError: all is lost" }),
            "nothing" => [],
            "half a hello" => hello[..^5],
            "second hello" => hello,
            "unknown kind" => Frames.Make((FrameKind)77, [1]),
            "oversized" => [.. BitConverter.GetBytes(PeerFrame.MaxBodyBytes + 1), 0, 0, 0, 0, 2, PeerFrame.FormatVersion, 0, 0],
            "half a frame" => GoodFrame[..^1],
            "half a header" => GoodFrame[..5],
            "wrong checksum" => Changed(hello, at: 4),
            _ => Changed(hello, at: 9),
        };
    }

    private static byte[] Changed(byte[] frame, int at)
    {
        byte[] copy = [.. frame];
        copy[at] ^= 0xFF;
        return copy;
    }
}
