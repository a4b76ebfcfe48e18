using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport.Tests;

public sealed class FrameTests
{
    [Fact]
    public async Task Frames_arrive_both_ways_in_order_with_sender_and_kind()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        for (int i = 0; i < 2000; i++)
        {
            first.Send(second, Frames.Numbered(i), i % 2 == 0 ? FrameKind.RaftMessages : FrameKind.Forward);
            second.Send(first, Frames.Numbered(-i));
        }

        await first.Inbox.Frames.UntilCountAsync(2000);
        await second.Inbox.Frames.UntilCountAsync(2000);
        Assert.Equal(
            Enumerable.Range(0, 2000).Select(i => (first.Hello.Node, i % 2 == 0 ? FrameKind.RaftMessages : FrameKind.Forward, i)),
            second.Inbox.Frames.All.Select(frame => (frame.From, frame.Kind, BitConverter.ToInt32(frame.Body))));
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => -i), first.Inbox.Frames.All.Select(frame => BitConverter.ToInt32(frame.Body)));
        await first.Metrics.UntilAsync(2000, "frames.sent", "peer=n2");
        await second.Metrics.UntilAsync(2000, "frames.received", "peer=n1");
        Assert.Equal(2000 * (64 + PeerFrame.HeaderBytes), first.Metrics.Sum("bytes.sent"));
        Assert.Equal(first.Metrics.Sum("bytes.sent"), second.Metrics.Sum("bytes.received"));
        Assert.Equal(0, first.Metrics.Sum("frames.dropped"));
    }

    [Fact]
    public async Task A_frame_of_16_MiB_passes_between_small_ones()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        byte[] large = new byte[16 * 1024 * 1024];
        new Random(7).NextBytes(large);
        first.Send(second, [1]);
        first.Send(second, large);
        await second.Inbox.Frames.UntilCountAsync(2);
        first.Send(second, [2]);
        await second.Inbox.Frames.UntilCountAsync(3);
        byte[][] bodies = [.. second.Inbox.Frames.All.Select(frame => frame.Body)];
        Assert.Equal(1, bodies[0].Single());
        Assert.True(large.AsSpan().SequenceEqual(bodies[1]));
        Assert.Equal(2, bodies[2].Single());
    }

    [Fact]
    public async Task Frames_for_nobody_and_frames_that_no_peer_would_accept_are_dropped_and_counted()
    {
        (TestNode first, TestNode second) = await TestNode.PairAsync();
        await using var _ = first;
        await using var __ = second;
        first.Links.Send(new NodeId(99), [1]);
        first.Links.Send(second.Hello.Node, new byte[TransportOptions.MaxFrameBytes + 1]);
        Assert.Equal(1, first.Metrics.Sum("frames.dropped", "reason=unknown_peer"));
        Assert.Equal(1, first.Metrics.Sum("frames.dropped", "peer=n2", "reason=too_large"));
        first.Send(second, [1]);
        await second.Inbox.Frames.UntilCountAsync(1);
    }

    [Fact]
    public async Task The_boot_id_is_0_before_a_handshake_and_then_the_peers()
    {
        await using TestNode first = await TestNode.ListenAsync(1);
        await using TestNode second = await TestNode.ListenAsync(2);
        first.Prepare(null, second.Address);
        second.Prepare(null, first.Address);
        Assert.Equal(0UL, first.Links.BootIdOf(second.Hello.Node));
        Assert.Equal(0UL, first.Links.BootIdOf(new NodeId(99)));
        first.Links.Start();
        await first.UpAsync(second);
        await second.Metrics.UntilAsync(1, "connections.opened", "direction=accepted");
        Assert.Equal(second.Hello.BootId, first.Links.BootIdOf(second.Hello.Node));
        Assert.Equal(first.Hello.BootId, second.Links.BootIdOf(first.Hello.Node)); // it has not dialled
    }

    [Fact]
    public async Task Kestrel_calls_the_handler_as_the_node_wires_it()
    {
        Inbox inbox = new();
        Hello own = TestNode.HelloOf(1);
        Hello other = TestNode.HelloOf(2);
        await using TcpPeerLinks links = new(own, [new PeerAddress(other.Node, other.Name, "127.0.0.1", 1)], inbox, new LogProbe());
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(links).AddSingleton<PeerConnectionHandler>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseConnectionHandler<PeerConnectionHandler>()));
        await using WebApplication host = builder.Build();
        await host.StartAsync();
        int port = new Uri(host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

        using RawPeer peer = await RawPeer.DialAsync(port);
        await peer.SendAsync([.. Frames.Make(other with { Addressee = own.Node }), .. Frames.Make(FrameKind.Answer, [7])]);
        Assert.Equal(own, await peer.ReadHelloAsync());
        await inbox.Frames.UntilCountAsync(1);
        Assert.Equal((other.Node, FrameKind.Answer), (inbox.Frames.All[0].From, inbox.Frames.All[0].Kind));
    }

    [Fact]
    public void A_node_is_not_its_own_peer()
    {
        Hello own = TestNode.HelloOf(1);
        Assert.Throws<ArgumentException>(() => new TcpPeerLinks(own, [new PeerAddress(own.Node, own.Name, "127.0.0.1", 1)], new Inbox(), new LogProbe()));
    }
}
