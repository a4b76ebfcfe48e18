namespace RaftKv.MultiRaft.Tests.Pumps;

public sealed class WorkQueueTests
{
    [Fact]
    public void Everything_that_waits_is_taken_at_once_in_order()
    {
        WorkQueue<int> queue = new(10, 1000);
        Assert.Empty(queue.TakeAll());
        Assert.True(queue.TryAdd(1, 1));
        queue.AddAlways(2);
        Assert.True(queue.TryAdd(3, 1));
        Assert.True(queue.HasWork);
        Assert.Equal([1, 2, 3], queue.TakeAll());
        Assert.False(queue.HasWork);
        Assert.Empty(queue.TakeAll());
    }

    [Fact]
    public void New_work_is_refused_at_the_bound_of_items_and_completions_are_not()
    {
        WorkQueue<int> queue = new(2, 1000);
        Assert.True(queue.TryAdd(1, 1));
        Assert.False(queue.IsFull);
        Assert.True(queue.TryAdd(2, 1));
        Assert.True(queue.IsFull);
        Assert.False(queue.TryAdd(3, 1));
        queue.AddAlways(4, 1);
        queue.AddAlways(5, 1);
        Assert.Equal([1, 2, 4, 5], queue.TakeAll());
        Assert.True(queue.TryAdd(6, 1));
    }

    [Fact]
    public void New_work_is_refused_once_the_bound_of_bytes_is_reached_and_taken_again_after_a_take()
    {
        WorkQueue<int> queue = new(10, 100);
        Assert.True(queue.TryAdd(1, 99));
        Assert.True(queue.TryAdd(2, 500)); // One item may pass the bound, or a large one would never go.
        Assert.True(queue.IsFull);
        Assert.False(queue.TryAdd(3, 0));
        queue.AddAlways(4, 1000);
        Assert.Equal([1, 2, 4], queue.TakeAll());
        Assert.False(queue.IsFull);
        Assert.True(queue.TryAdd(5, 1));
    }

    [Fact]
    public void The_consumer_is_woken_exactly_when_the_queue_becomes_non_empty()
    {
        int woken = 0;
        WorkQueue<int> queue = new(2, 1000) { OnWork = () => woken++ };
        queue.TakeAll();
        Assert.Equal(0, woken);
        queue.TryAdd(1, 1);
        Assert.Equal(1, woken);
        queue.TryAdd(2, 1);
        queue.TryAdd(3, 1);
        queue.AddAlways(4);
        Assert.Equal(1, woken);
        queue.TakeAll();
        queue.TakeAll();
        Assert.Equal(1, woken);
        queue.AddAlways(5);
        Assert.Equal(2, woken);
    }

    [Fact]
    public void What_is_added_while_the_taken_list_is_worked_on_waits_for_the_next_take()
    {
        WorkQueue<int> queue = new(10, 1000);
        queue.TryAdd(1, 1);
        List<int> taken = queue.TakeAll();
        queue.TryAdd(2, 1);
        Assert.Equal([1], taken);
        Assert.Equal([2], queue.TakeAll());
    }

    /// <summary>A consumer that sleeps until it is woken gets everything: each item once, each producer's in order.</summary>
    [Fact]
    public void Many_producers_lose_nothing_and_every_wake_has_its_take()
    {
        const int Producers = 4;
        const int Items = 20_000;
        using SemaphoreSlim wake = new(0);
        int woken = 0;
        WorkQueue<(int Producer, int Number)> queue = new(64, 1 << 20)
        {
            OnWork = () =>
            {
                woken++; // Under the queue's lock.
                wake.Release();
            },
        };
        Thread[] producers = [.. Enumerable.Range(0, Producers).Select(producer => new Thread(() =>
        {
            for (int i = 0; i < Items; i++)
            {
                if (i % 3 == 0) queue.AddAlways((producer, i), 1);
                else while (!queue.TryAdd((producer, i), 1)) Thread.Yield();
            }
        }))];
        foreach (Thread thread in producers) thread.Start();

        int[] next = new int[Producers];
        int takes = 0;
        int received = 0;
        while (received < Producers * Items)
        {
            Assert.True(wake.Wait(TimeSpan.FromSeconds(30)), $"not woken after {received} items");
            List<(int Producer, int Number)> taken = queue.TakeAll();
            Assert.NotEmpty(taken);
            takes++;
            received += taken.Count;
            foreach (var (producer, number) in taken) Assert.Equal(next[producer]++, number);
        }

        foreach (Thread thread in producers) thread.Join();
        Assert.False(queue.HasWork);
        Assert.Equal(takes, woken);
    }
}
