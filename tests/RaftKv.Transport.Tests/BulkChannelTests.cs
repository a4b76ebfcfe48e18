using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport.Tests;

/// <summary>Snapshots travel on a connection of their own, so that a piece of one never stands before a heartbeat (design §7, issue 2 item 5).</summary>
public sealed class BulkChannelTests
{
    private static readonly byte[] Piece = Frames.Make(FrameKind.SnapshotChunk, Frames.Numbered(1));

    [Fact]
    public async Task The_connection_for_snapshots_is_dialled_for_the_first_frame_which_arrives()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        Assert.Equal(0, first.Metrics.Sum("connections.opened", "channel=bulk"));
        for (int i = 0; i < 10; i++) SendBulk(first, second, Frames.Numbered(i));
        await second.Inbox.Frames.UntilCountAsync(10);
        Assert.Equal(Enumerable.Range(0, 10), second.Inbox.Frames.All.Select(frame => BitConverter.ToInt32(frame.Body)));
        Assert.All(second.Inbox.Frames.All, frame => Assert.Equal((first.Hello.Node, FrameKind.SnapshotChunk), (frame.From, frame.Kind)));
        Assert.Equal((1, 1), (first.Metrics.Sum("connections.opened", "channel=bulk", "direction=dialled"), second.Metrics.Sum("connections.opened", "channel=bulk", "direction=accepted")));
        Assert.Equal((10, 0), (second.Metrics.Sum("frames.received", "channel=bulk"), second.Metrics.Sum("frames.received", "channel=messages")));
        Assert.Equal(0, first.Metrics.Sum("frames.dropped"));
    }

    [Fact]
    public async Task Both_channels_deliver_to_one_receiver_and_neither_supersedes_the_other()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        for (int i = 0; i < 50; i++)
        {
            SendBulk(first, second, Frames.Numbered(i));
            SendBulk(second, first, Frames.Numbered(i));
            first.Send(second, Frames.Numbered(i));
            second.Send(first, Frames.Numbered(i));
            await first.Inbox.Frames.UntilCountAsync(2 * (i + 1));
            await second.Inbox.Frames.UntilCountAsync(2 * (i + 1));
        }

        foreach (TestNode node in new[] { first, second })
        {
            Assert.Equal(0, node.Metrics.Sum("connections.closed"));
            Assert.Equal((1, 1), (node.Metrics.Sum("connections.opened", "channel=messages", "direction=dialled"), node.Metrics.Sum("connections.opened", "channel=bulk", "direction=dialled")));
        }
    }

    // The point of it all.
    [Fact]
    public async Task A_peer_that_does_not_read_snapshots_gets_its_messages_and_the_queue_of_the_others_is_bounded()
    {
        TransportOptions options = TestNode.Quick with { MaxQueuedBulkBytes = 1024 * 1024, UserTimeout = TimeSpan.FromMinutes(1) };
        using RawListener stuck = new(TestNode.HelloOf(3));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(options, stuck.Address);
        (RawPeer messages, Hello saidFirst) = await stuck.GreetAsync();
        using RawPeer _ = messages;
        await node.UpAsync(stuck.Hello);
        byte[] large = Frames.Make(FrameKind.SnapshotChunk, new byte[32 * 1024 * 1024]); // More than the kernel's buffers on both sides hold.
        node.Links.SendBulk(stuck.Hello.Node, large);
        (RawPeer bulk, Hello saidSecond) = await stuck.GreetAsync();
        using RawPeer __ = bulk;
        await node.UpAsync(stuck.Hello, 1, "bulk");
        Assert.Equal((PeerChannel.Messages, PeerChannel.Bulk), (saidFirst.Channel, saidSecond.Channel));

        for (int i = 0; i < 100; i++)
        {
            node.Links.SendBulk(stuck.Hello.Node, large);
            node.Links.Send(stuck.Hello.Node, Frames.Make(FrameKind.RaftMessages, Frames.Numbered(i)));
            (FrameKind kind, byte[] body) = await messages.ReadFrameAsync();
            Assert.Equal((FrameKind.RaftMessages, i), (kind, BitConverter.ToInt32(body)));
        }

        Assert.InRange(node.Links.QueuedBytesTo(stuck.Hello.Node, PeerChannel.Bulk), large.Length, options.MaxQueuedBulkBytes + large.Length);
        Assert.Equal(100, node.Metrics.Sum("frames.dropped", "channel=bulk", "reason=queue_full"));
        Assert.Equal(0, node.Metrics.Sum("frames.dropped", "channel=messages"));
    }

    [Fact]
    public async Task A_receiver_that_is_busy_with_a_snapshot_takes_messages_meanwhile()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        using SemaphoreSlim mayGoOn = new(0);
        second.Inbox.Before = body =>
        {
            if (body.Length == Frames.Numbered(0).Length + 1) mayGoOn.Wait(Waiting.Ceiling);
        };
        SendBulk(first, second, new byte[Frames.Numbered(0).Length + 1]);
        for (int i = 0; i < 20; i++) first.Send(second, Frames.Numbered(i));
        await second.Inbox.Frames.UntilCountAsync(20);
        Assert.All(second.Inbox.Frames.All, frame => Assert.Equal(FrameKind.RaftMessages, frame.Kind));
        mayGoOn.Release();
        await second.Inbox.Frames.UntilCountAsync(21);
    }

    [Fact]
    public async Task The_queue_is_bounded_in_frames_too()
    {
        using RawListener silent = new(TestNode.HelloOf(3));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(TestNode.Quick with { MaxQueuedBulkFrames = 3 }, silent.Address);
        while (node.Links.QueuedBytesTo(silent.Hello.Node, PeerChannel.Bulk) < 3 * Piece.Length)
        {
            node.Links.SendBulk(silent.Hello.Node, Piece);
            await Task.Yield();
        }

        node.Links.SendBulk(silent.Hello.Node, Piece);
        Assert.True(node.Metrics.Sum("frames.dropped", "channel=bulk", "reason=queue_full") >= 1);
        Assert.Equal(3 * Piece.Length, node.Links.QueuedBytesTo(silent.Hello.Node, PeerChannel.Bulk));
    }

    [Fact]
    public async Task It_is_closed_when_nothing_was_sent_for_a_minute_and_dialled_again_when_something_is()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        SendBulk(first, second, [1]);
        await first.UpAsync(second.Hello, 1, "bulk");
        await second.Inbox.Frames.UntilCountAsync(1);
        await first.Clock.TimersSet.UntilCountAsync(1);
        first.Clock.Jump(TimeSpan.FromSeconds(30));
        SendBulk(first, second, [2]);
        await first.Metrics.UntilAsync(2, "frames.sent", "channel=bulk");
        first.Clock.Jump(TimeSpan.FromSeconds(31)); // 61 s after the first frame, but 31 s after the second.
        await first.Clock.TimersSet.UntilCountAsync(2);
        Assert.InRange(first.Clock.TimersSet.All[1], TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        Assert.Equal(0, first.Metrics.Sum("connections.closed"));
        first.Clock.Jump(TimeSpan.FromSeconds(30));
        await first.Metrics.UntilAsync(1, "connections.closed", "channel=bulk", "direction=dialled", "reason=idle");
        await second.Metrics.UntilAsync(1, "connections.closed", "channel=bulk", "direction=accepted");
        Assert.Empty(first.Log.With("is down"));

        await RepeatUntilAsync(first, second, 3);
        Assert.Equal(2, first.Metrics.Sum("connections.opened", "channel=bulk", "direction=dialled"));
        Assert.Equal(1, first.Metrics.Sum("connections.opened", "channel=messages", "direction=dialled"));
    }

    [Fact]
    public async Task It_is_not_idle_while_a_frame_is_being_written()
    {
        using RawListener slow = new(TestNode.HelloOf(3));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(TestNode.Quick with { UserTimeout = TimeSpan.FromMinutes(1) }, slow.Address);
        using RawPeer messages = (await slow.GreetAsync()).Peer;
        node.Links.SendBulk(slow.Hello.Node, Frames.Make(FrameKind.SnapshotChunk, new byte[32 * 1024 * 1024]));
        using RawPeer bulk = (await slow.GreetAsync()).Peer;
        await node.UpAsync(slow.Hello, 1, "bulk");
        await node.Clock.TimersSet.UntilCountAsync(1);
        node.Clock.Jump(TimeSpan.FromMinutes(2));
        await node.Clock.TimersSet.UntilCountAsync(2); // It has looked, and goes on waiting.
        Assert.Equal((FrameKind.SnapshotChunk, 32 * 1024 * 1024), await bulk.ReadFrameAsync() is var (kind, body) ? (kind, body.Length) : default);
        Assert.Equal(0, node.Metrics.Sum("connections.closed", "channel=bulk"));
    }

    [Fact]
    public async Task When_it_cannot_be_dialled_its_frames_are_dropped_and_messages_go_on()
    {
        using RawListener peer = new(TestNode.HelloOf(3));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null, peer.Address);
        using RawPeer messages = (await peer.GreetAsync()).Peer;
        await node.UpAsync(peer.Hello);
        for (int attempt = 1; attempt <= 3; attempt++)
        {
            Task<RawPeer> dialled = peer.AcceptAsync();
            while (!dialled.IsCompleted)
            {
                node.Links.SendBulk(peer.Hello.Node, Piece);
                await Task.Yield();
            }

            (await dialled).Dispose(); // No answer to its Hello.
            await node.Metrics.UntilAsync(attempt, "connections.closed", "channel=bulk", "direction=dialled");
        }

        await node.Metrics.UntilAsync(3, "frames.dropped", "channel=bulk", "reason=link_down");
        node.Links.Send(peer.Hello.Node, Frames.Make(FrameKind.RaftMessages, [7]));
        Assert.Equal([7], (await messages.ReadFrameAsync()).Body);
        Assert.Equal(0, node.Metrics.Sum("connections.closed", "channel=messages"));
    }

    [Fact]
    public async Task It_comes_back_after_it_was_lost()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        SendBulk(first, second, [1]);
        await second.Inbox.Frames.UntilCountAsync(1);
        int port = second.Port;
        await second.DisposeAsync();
        await first.Metrics.UntilAsync(1, "connections.closed", "channel=bulk");
        await using TestNode again = await TestNode.ListenAsync(2, port);
        again.Start(null, first.Address);
        await RepeatUntilAsync(first, again, 1);
        Assert.Equal(1, first.Metrics.Sum("reconnects", "channel=bulk"));
    }

    [Fact]
    public async Task A_second_connection_of_a_peers_channel_supersedes_the_first_of_that_channel_only()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Start(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer messages = await RawPeer.JoinAsync(node, other);
        using RawPeer bulk = await RawPeer.JoinAsync(node, other with { Channel = PeerChannel.Bulk });
        await node.Metrics.UntilAsync(2, "connections.opened", "direction=accepted");
        using RawPeer newBulk = await RawPeer.JoinAsync(node, other with { Channel = PeerChannel.Bulk });
        await bulk.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.closed", "channel=bulk", "reason=superseded");
        await messages.SendAsync(Frames.Make(FrameKind.RaftMessages, [1]));
        await newBulk.SendAsync(Piece);
        await node.Inbox.Frames.UntilCountAsync(2);

        using RawPeer newMessages = await RawPeer.JoinAsync(node, other);
        await messages.UntilClosedAsync();
        await newBulk.SendAsync(Piece);
        await newMessages.SendAsync(Frames.Make(FrameKind.RaftMessages, [1]));
        await node.Inbox.Frames.UntilCountAsync(4);
    }

    // Who speaks of a peer's process speaks of the one at the other end of the messages.
    [Fact]
    public async Task The_boot_id_is_that_of_the_message_link()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Start(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer bulk = await RawPeer.JoinAsync(node, other with { Channel = PeerChannel.Bulk });
        await bulk.SendAsync(Piece);
        await node.Inbox.Frames.UntilCountAsync(1);
        Assert.Equal(0UL, node.Links.BootIdOf(other.Node));
        using RawPeer messages = await RawPeer.JoinAsync(node, other with { BootId = 77 });
        await node.Metrics.UntilAsync(1, "connections.opened", "channel=messages", "direction=accepted");
        using RawPeer newBulk = await RawPeer.JoinAsync(node, other with { Channel = PeerChannel.Bulk, BootId = 78 });
        await node.Metrics.UntilAsync(2, "connections.opened", "channel=bulk", "direction=accepted");
        Assert.Equal(77UL, node.Links.BootIdOf(other.Node));
    }

    // A mistake on one side is found on the other, at once: else it would be found by a late heartbeat.
    [Theory]
    [InlineData(PeerChannel.Messages, FrameKind.SnapshotChunk)]
    [InlineData(PeerChannel.Messages, FrameKind.SnapshotOffer)]
    [InlineData(PeerChannel.Bulk, FrameKind.RaftMessages)]
    [InlineData(PeerChannel.Bulk, FrameKind.Forward)]
    [InlineData(PeerChannel.Bulk, FrameKind.Answer)]
    public async Task A_frame_on_the_wrong_channel_closes_the_connection(PeerChannel channel, FrameKind kind)
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Start(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer peer = await RawPeer.JoinAsync(node, other with { Channel = channel });
        await peer.SendAsync(Frames.Make(kind, [1]));
        await peer.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.closed", $"channel={(channel == PeerChannel.Bulk ? "bulk" : "messages")}", "reason=malformed");
        Assert.Empty(node.Inbox.Frames.All);
        Assert.Single(node.Log.With($"a frame of kind {kind} on the channel for {channel}"));
    }

    [Fact]
    public async Task A_peer_that_is_refused_is_refused_on_both_channels()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Start(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer peer = await RawPeer.JoinAsync(node, other with { Channel = PeerChannel.Bulk, ClusterId = 0xBAD });
        await peer.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.refused", "peer=n2", "direction=accepted", "reason=hello");
        Assert.Equal(0, node.Metrics.Sum("connections.opened", "channel=bulk"));
    }

    [Fact]
    public async Task A_node_that_stops_closes_it_and_a_node_that_never_used_it_stops_too()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = second;
        SendBulk(first, second, [1]);
        await second.Inbox.Frames.UntilCountAsync(1);
        await first.DisposeAsync();
        await second.Metrics.UntilAsync(1, "connections.closed", "channel=bulk", "direction=accepted");
        first.Links.SendBulk(second.Hello.Node, Piece);
        Assert.Single(second.Inbox.Frames.All);
    }

    [Fact]
    public async Task A_frame_to_nobody_is_dropped()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(null);
        node.Links.SendBulk(new NodeId(99), Piece);
        Assert.Equal(1, node.Metrics.Sum("frames.dropped", "peer=unknown", "channel=bulk", "reason=unknown_peer"));
    }

    private static void SendBulk(TestNode from, TestNode to, byte[] body) => from.Links.SendBulk(to.Hello.Node, Frames.Make(FrameKind.SnapshotChunk, body));

    /// <summary>As the protocol above does it: what is dropped while there is no connection is sent again.</summary>
    private static async Task RepeatUntilAsync(TestNode from, TestNode to, int received)
    {
        Task arrived = to.Inbox.Frames.UntilCountAsync(received);
        while (!arrived.IsCompleted)
        {
            SendBulk(from, to, [1]);
            await Task.Yield();
        }

        await arrived;
    }
}
