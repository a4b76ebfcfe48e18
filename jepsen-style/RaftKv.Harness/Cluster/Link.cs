namespace RaftKv.Harness.Cluster;

/// <summary>The bytes of one node on their way to another: of all connections between them, whoever dialled. Thread-safe.</summary>
internal sealed class Link(string from, string to, int seed)
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private LinkState _state;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string From => from;

    public string To => to;

    public LinkCounters Counters { get; } = new();

    public LinkState State
    {
        get { lock (_lock) return _state; }
    }

    public void Set(LinkState state)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _state = state;
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }

    /// <summary>Returns when the link is not cut.</summary>
    public async ValueTask WaitUntilOpenAsync(CancellationToken stop)
    {
        bool isCounted = false;
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (!_state.IsCut) return;
                changed = _changed.Task;
            }

            if (!isCounted) Counters.Hold();
            isCounted = true;
            await changed.WaitAsync(stop);
        }
    }

    /// <summary>What is done to a piece of bytes that is read now: when it may arrive (a time of <see cref="Environment.TickCount64"/>), and which bit is flipped, -1 for none.</summary>
    public (long DueMillis, int FlippedBit) Take(int bytes)
    {
        lock (_lock)
        {
            LinkState state = _state;
            double delay = state.Delay.TotalMilliseconds + (_random.NextDouble() * state.Jitter.TotalMilliseconds);
            if (state.BytesPerSecond > 0) delay += 1000.0 * bytes / state.BytesPerSecond;
            if (delay > 0) Counters.AddDelayed();
            bool isCorrupted = state.CorruptPerMillion > 0 && _random.Next(1_000_000) < state.CorruptPerMillion;
            if (isCorrupted) Counters.Corrupt();
            return (Environment.TickCount64 + (long)delay, isCorrupted ? _random.Next(bytes * 8) : -1);
        }
    }
}
