namespace RaftKv.Simulator;

/// <summary>Virtual time: actions in order of time, ties broken by the seed, then by the order they were added.</summary>
internal sealed class EventQueue(RaftKv.Raft.SplitMix random)
{
    private readonly PriorityQueue<Action, (long At, ulong Tie, long Sequence)> _queue = new();
    private long _sequence;

    /// <summary>Virtual µs since the start.</summary>
    public long Now { get; private set; }

    public bool IsEmpty => _queue.Count == 0;

    public void After(long micros, Action action) => _queue.Enqueue(action, (Now + micros, random.Next(), _sequence++));

    /// <summary>Runs the next action.</summary>
    public void RunNext()
    {
        _queue.TryDequeue(out Action? action, out var key);
        Now = key.At;
        action!();
    }
}
