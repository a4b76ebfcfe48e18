using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport.Tests;

public sealed class BackpressureTests
{
    private const int FrameBytes = 64 * 1024;

    [Fact]
    public async Task A_peer_that_stops_reading_blocks_neither_send_nor_other_peers_and_its_queue_is_bounded()
    {
        // One frame larger than what the kernel's buffers on both sides hold; behind it there is room for 1 MiB.
        byte[] large = Frames.Make(FrameKind.RaftMessages, new byte[32 * 1024 * 1024]);
        TransportOptions options = TestNode.Quick with { MaxQueuedBytes = large.Length + (1024 * 1024) };
        using RawListener stuck = new(TestNode.HelloOf(3));
        await using TestNode node = await TestNode.ListenAsync(1);
        await using TestNode healthy = await TestNode.ListenAsync(2);
        node.Start(options, stuck.Address, healthy.Address);
        healthy.Start(options, node.Address);
        (RawPeer peer, _) = await stuck.GreetAsync();
        await node.UpAsync(stuck.Hello);
        await node.UpAsync(healthy);

        byte[] frame = Frames.Make(FrameKind.RaftMessages, new byte[FrameBytes]);
        node.Links.Send(stuck.Hello.Node, large);
        for (int i = 0; i < 2000; i++)
        {
            node.Links.Send(stuck.Hello.Node, frame);
            Assert.InRange(node.Links.QueuedBytesTo(stuck.Hello.Node), large.Length, options.MaxQueuedBytes + frame.Length);
        }

        Assert.Equal(2000 - 16, node.Metrics.Sum("frames.dropped", "peer=n3", "reason=queue_full"));
        for (int i = 0; i < 100; i++) node.Send(healthy, Frames.Numbered(i));
        await healthy.Inbox.Frames.UntilCountAsync(100);

        // What was queued when the connection ends is dropped, and counted as such.
        peer.Dispose();
        await node.Metrics.UntilAsync(1, "connections.closed", "peer=n3");
        Assert.Equal(17, node.Metrics.Sum("frames.dropped", "peer=n3", "reason=link_lost"));
        Assert.Equal(0, node.Links.QueuedBytesTo(stuck.Hello.Node));
        Assert.Equal(0, node.Metrics.Sum("frames.sent", "peer=n3"));
    }

    [Fact]
    public async Task A_receiver_that_does_not_return_stops_the_reading_until_it_does()
    {
        (TestNode sender, TestNode receiver) = await TestNode.PairAsync(TestNode.Quick with { MaxQueuedBytes = 1024 * 1024 });
        await using var _ = sender;
        await using var __ = receiver;
        using ManualResetEventSlim mayReturn = new();
        receiver.Inbox.Before = _ => mayReturn.Wait(Waiting.Ceiling);
        for (int i = 0; i < 2000; i++) sender.Send(receiver, Frames.Numbered(i, FrameBytes)); // 125 MiB, far more than all buffers hold
        Assert.True(sender.Metrics.Sum("frames.dropped", "reason=queue_full") > 100);
        Assert.Empty(receiver.Inbox.Frames.All);

        mayReturn.Set();
        int sent = 2000 - (int)sender.Metrics.Sum("frames.dropped", "reason=queue_full");
        await receiver.Inbox.Frames.UntilCountAsync(sent);
        int[] numbers = [.. receiver.Inbox.Frames.All.Select(frame => BitConverter.ToInt32(frame.Body))];
        Assert.Equal(numbers.Order(), numbers);
        Assert.Equal(1, sender.Metrics.Sum("connections.opened", "direction=dialled"));
    }
}
