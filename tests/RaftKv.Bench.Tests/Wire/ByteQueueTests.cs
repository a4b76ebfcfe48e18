using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

public sealed class ByteQueueTests
{
    [Fact]
    public void What_goes_in_comes_out_in_order_whatever_the_pieces()
    {
        Random random = new(7);
        ByteQueue queue = new();
        Queue<byte> model = new();
        for (int step = 0; step < 10_000; step++)
        {
            byte[] piece = new byte[random.Next(random.Next(100) == 0 ? 20_000 : 50)];
            random.NextBytes(piece);
            queue.Add(piece);
            foreach (byte one in piece) model.Enqueue(one);
            int taken = random.Next(Math.Min(queue.Length, 60) + 1);
            Assert.Equal(Enumerable.Range(0, taken).Select(_ => model.Dequeue()), queue.Waiting[..taken].ToArray());
            queue.Take(taken);
            Assert.Equal(model.Count, queue.Length);
        }
    }

    [Fact]
    public void More_than_there_is_cannot_be_taken()
    {
        ByteQueue queue = new();
        queue.Add([1, 2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => queue.Take(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => queue.Advance(1_000_000));
    }
}
