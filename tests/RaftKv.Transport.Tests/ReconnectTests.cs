using System.Net.Sockets;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport.Tests;

public sealed class ReconnectTests
{
    [Fact]
    public async Task After_a_restart_of_one_side_frames_flow_again_and_those_of_the_meantime_are_dropped()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        int port = second.Port;
        await second.DisposeAsync();
        await first.Metrics.UntilAsync(1, "connections.closed", "peer=n2", "direction=dialled");
        first.Send(second, [1]);
        Assert.Equal(1, first.Metrics.Sum("frames.dropped", "reason=link_down"));

        await using TestNode restarted = await TestNode.ListenAsync(2, port);
        restarted.Start(null, first.Address);
        await first.UpAsync(restarted, times: 2);
        await restarted.UpAsync(first);
        Assert.Equal(1, first.Metrics.Sum("reconnects", "peer=n2"));
        Assert.Equal(0, restarted.Metrics.Sum("reconnects"));
        Assert.Equal(restarted.Hello.BootId, first.Links.BootIdOf(restarted.Hello.Node));
        first.Send(restarted, [2]);
        restarted.Send(first, [3]);
        await restarted.Inbox.Frames.UntilCountAsync(1);
        await first.Inbox.Frames.UntilCountAsync(1);
        Assert.Equal(2, restarted.Inbox.Frames.All.Single().Body.Single());
    }

    [Fact]
    public async Task A_connection_from_a_peer_that_was_down_ends_the_wait_for_it()
    {
        TransportOptions patient = new() { MinBackoff = TimeSpan.FromHours(1), MaxBackoff = TimeSpan.FromHours(1) };
        int port;
        await using (TestNode gone = await TestNode.ListenAsync(2)) port = gone.Port;
        await using TestNode first = await TestNode.ListenAsync(1);
        first.Start(patient, new PeerAddress(TestNode.HelloOf(2).Node, "n2", "127.0.0.1", port));
        await first.Metrics.UntilAsync(1, "connections.closed", "direction=dialled", "reason=unreachable");
        Assert.Single(first.Log.With("Cannot reach n2"));

        await using TestNode second = await TestNode.ListenAsync(2, port);
        second.Start(patient, first.Address);
        await first.UpAsync(second);
    }

    [Fact]
    public async Task The_receiver_hears_of_a_connection_that_the_peer_closed_behind_its_last_frame_and_of_the_next_one()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Prepare(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        int framesBefore = -1;
        node.Inbox.OnConnectionEnd = () => framesBefore = node.Inbox.Frames.All.Length;
        using (RawPeer first = await RawPeer.JoinAsync(node, other)) await first.SendAsync(Frames.Make(FrameKind.Forward, [5]));
        await node.Inbox.Connections.UntilCountAsync(2);
        using RawPeer second = await RawPeer.JoinAsync(node, other);
        await node.Inbox.Connections.UntilCountAsync(3);
        Assert.Equal([$"up {other.Node.Value}", $"down {other.Node.Value}", $"up {other.Node.Value}"], node.Inbox.Connections.All);
        Assert.Equal(1, framesBefore);
    }

    [Fact]
    public async Task It_hears_nothing_of_a_connection_that_was_superseded_or_closed_here()
    {
        TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Prepare(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer older = await RawPeer.JoinAsync(node, other);
        using RawPeer newer = await RawPeer.JoinAsync(node, other);
        await older.UntilClosedAsync();
        await node.DisposeAsync();
        Assert.DoesNotContain(node.Inbox.Connections.All, line => line.StartsWith("down", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_peer_that_dials_again_supersedes_its_older_connection()
    {
        await using TestNode node = await TestNode.ListenAsync(1);
        Hello other = TestNode.HelloOf(2);
        node.Prepare(null, new PeerAddress(other.Node, other.Name, "127.0.0.1", 1));
        using RawPeer older = await RawPeer.JoinAsync(node, other);
        using RawPeer newer = await RawPeer.JoinAsync(node, other);
        await older.UntilClosedAsync();
        await node.Metrics.UntilAsync(1, "connections.closed", "peer=n2", "direction=accepted", "reason=superseded");
        await newer.SendAsync(Frames.Make(FrameKind.Forward, [5]));
        await node.Inbox.Frames.UntilCountAsync(1);
    }

    [Fact]
    public async Task A_peer_that_dials_with_another_boot_id_makes_this_node_dial_anew()
    {
        TransportOptions patient = new() { MinBackoff = TimeSpan.FromHours(1), MaxBackoff = TimeSpan.FromHours(1) };
        using RawListener listener = new(TestNode.HelloOf(2));
        await using TestNode node = await TestNode.ListenAsync(1);
        node.Start(patient, listener.Address);
        (RawPeer halfOpen, _) = await listener.GreetAsync(); // the machine behind it will never say that it is gone
        await node.UpAsync(listener.Hello);

        Hello restarted = TestNode.HelloOf(2);
        using RawPeer dialled = await RawPeer.JoinAsync(node, restarted);
        (RawPeer fresh, _) = await listener.GreetAsync(restarted);
        await node.UpAsync(restarted, times: 2);
        Assert.Equal(1, node.Metrics.Sum("connections.closed", "direction=dialled", "reason=peer_restarted"));
        Assert.Equal(restarted.BootId, node.Links.BootIdOf(restarted.Node));
        node.Links.Send(restarted.Node, Frames.Make(FrameKind.Forward, [6]));
        Assert.Equal((byte)6, (await fresh.ReadFrameAsync()).Body.Single());
        halfOpen.Dispose();
        fresh.Dispose();
    }

    [Fact]
    public async Task A_host_that_stops_does_not_wait_for_peers_to_leave()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        await second.StopHostAsync().Soon();
        await second.Metrics.UntilAsync(1, "connections.closed", "direction=accepted", "reason=stopping");
        await first.Metrics.UntilAsync(1, "connections.closed", "direction=dialled");
    }

    [Fact]
    public async Task After_disposal_nothing_is_received_sent_or_accepted()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        await second.Links.DisposeAsync();
        await second.Links.DisposeAsync();
        second.Links.Send(first.Hello.Node, Frames.Make(FrameKind.Forward, [1]));
        using RawPeer late = await RawPeer.DialAsync(second.Port);
        await late.UntilClosedAsync();
        Assert.Empty(first.Inbox.Frames.All);
        Assert.Throws<ObjectDisposedException>(second.Links.Start);
    }

    [Fact]
    public void Half_open_connections_die_within_seconds()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        SocketTuning.Apply(socket, new TransportOptions());
        Assert.True(socket.NoDelay);
        Assert.Equal(2, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime));
        Assert.Equal(1, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval));
        Assert.Equal(3, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount));
        if (OperatingSystem.IsLinux()) Assert.Equal(TimeSpan.FromSeconds(5), SocketTuning.UserTimeoutOf(socket));
    }
}
