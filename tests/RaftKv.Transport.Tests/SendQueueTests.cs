using System.IO.Pipelines;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport.Tests;

public sealed class SendQueueTests
{
    private static readonly byte[] Frame = new byte[100];

    [Fact]
    public void A_closed_queue_takes_nothing()
    {
        SendQueue queue = new(4, 1000);
        Assert.Equal(DropReason.LinkDown, queue.TryAdd(Frame));
        queue.Open();
        Assert.Null(queue.TryAdd(Frame));
        queue.Close();
        Assert.Equal(DropReason.LinkDown, queue.TryAdd(Frame));
        Assert.Equal(1, queue.Discard());
        Assert.Equal(0, queue.Bytes);
    }

    [Fact]
    public void Frames_are_bounded_and_taken_ones_count_until_they_are_released()
    {
        SendQueue queue = new(3, 1000);
        byte[] batch = new byte[SendQueue.InitialBytes];
        queue.Open();
        for (int i = 0; i < 3; i++) Assert.Null(queue.TryAdd(Frame));
        Assert.Equal(DropReason.QueueFull, queue.TryAdd(Frame));
        Assert.Equal((3, 300), queue.TakeAll(ref batch));
        Assert.Equal(DropReason.QueueFull, queue.TryAdd(Frame));
        queue.Release(2, 200);
        Assert.Null(queue.TryAdd(Frame));
        Assert.Null(queue.TryAdd(Frame));
        Assert.Equal(DropReason.QueueFull, queue.TryAdd(Frame));
        Assert.Equal(300, queue.Bytes);
    }

    [Fact]
    public void Bytes_are_bounded_to_the_limit_and_one_frame_which_may_be_larger_than_the_limit()
    {
        SendQueue queue = new(100, 150);
        queue.Open();
        Assert.Null(queue.TryAdd(new byte[100]));
        Assert.Null(queue.TryAdd(new byte[5000]));
        Assert.Equal(DropReason.QueueFull, queue.TryAdd(new byte[1]));
    }

    [Fact]
    public async Task A_waiting_drain_loop_is_woken_by_a_frame_and_by_the_end()
    {
        SendQueue queue = new(4, 1000);
        byte[] batch = new byte[SendQueue.InitialBytes];
        queue.Open();
        Task<bool> waiting = queue.WaitAsync().AsTask();
        Assert.False(waiting.IsCompleted);
        queue.TryAdd(Frame);
        Assert.True(await waiting.Soon());
        Assert.Equal((1, 100), queue.TakeAll(ref batch));
        Assert.Equal(Frame, batch[..100]);
        waiting = queue.WaitAsync().AsTask();
        queue.Close();
        Assert.False(await waiting.Soon());
        Assert.False(await queue.WaitAsync());
    }

    [Fact]
    public void A_buffer_that_grew_for_a_burst_is_given_up_when_it_is_over()
    {
        SendQueue queue = new(4, 1 << 20);
        byte[] batch = new byte[SendQueue.InitialBytes];
        queue.Open();
        queue.TryAdd(new byte[1 << 20]);
        Assert.Equal((1, 1 << 20), queue.TakeAll(ref batch));
        queue.Release(1, 1 << 20);
        for (int i = 0; i < 2; i++)
        {
            queue.TryAdd(Frame);
            Assert.Equal((1, 100), queue.TakeAll(ref batch));
            queue.Release(1, 100);
            Assert.Equal(Frame, batch[..100]);
            Assert.Equal(SendQueue.InitialBytes, batch.Length);
        }
    }

    [Fact]
    public void Adding_and_draining_allocate_nothing_per_frame()
    {
        using TransportMetrics metrics = new("n1");
        SendQueue queue = new(4096, 8 * 1024 * 1024);
        LinkDrain drain = new("n2", PeerChannel.Messages, queue, metrics);
        PipeWriter output = PipeWriter.Create(Stream.Null, new StreamPipeWriterOptions(minimumBufferSize: 64 * 1024));
        queue.Open();
        FillAndDrain();
        long least = Enumerable.Range(0, 5).Min(_ => FillAndDrain()); // a collection may empty the array pool in between
        Assert.True(least < 4096, $"{least} bytes for 4,000 frames");

        long FillAndDrain()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 4000; i++) Assert.True(queue.TryAdd(Frame) is null);
            Task draining = drain.RunAsync(output); // runs on this thread until the queue is empty
            Assert.Equal(0, queue.Bytes);
            queue.Close();
            draining.Wait(Waiting.Ceiling);
            queue.Open();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}
