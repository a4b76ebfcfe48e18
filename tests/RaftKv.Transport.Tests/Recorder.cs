namespace RaftKv.Transport.Tests;

/// <summary>A list of what happened that tests can wait on. Any thread adds; a wait ends when its condition holds, or fails after a generous ceiling.</summary>
internal sealed class Recorder<T>
{
    private readonly Lock _gate = new();
    private readonly List<T> _items = [];
    private readonly List<(Func<IReadOnlyList<T>, bool> Condition, TaskCompletionSource Done)> _waiters = [];

    public T[] All
    {
        get
        {
            lock (_gate) return [.. _items];
        }
    }

    public void Add(T item)
    {
        lock (_gate)
        {
            _items.Add(item);
            foreach (var waiter in _waiters.Where(waiter => waiter.Condition(_items)).ToArray())
            {
                _waiters.Remove(waiter);
                waiter.Done.SetResult();
            }
        }
    }

    public Task UntilAsync(Func<IReadOnlyList<T>, bool> condition)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (condition(_items)) return Task.CompletedTask;
            _waiters.Add((condition, done));
        }

        return done.Task.Soon();
    }

    public Task UntilCountAsync(int count) => UntilAsync(items => items.Count >= count);
}

internal static class Waiting
{
    /// <summary>Long enough for a busy machine; a test that gets here has failed.</summary>
    public static readonly TimeSpan Ceiling = TimeSpan.FromSeconds(20);

    public static Task Soon(this Task task) => task.WaitAsync(Ceiling);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Ceiling);
}
