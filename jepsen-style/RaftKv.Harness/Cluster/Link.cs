namespace RaftKv.Harness.Cluster;

/// <summary>A frame on its way.</summary>
/// <param name="DueMillis">When it may arrive at the earliest: a time of <see cref="Environment.TickCount64"/>.</param>
internal readonly record struct FrameOnItsWay(byte[] Bytes, long DueMillis);

/// <summary>The frames of one node on their way to another: of all connections between them, whoever dialled. Thread-safe.</summary>
internal sealed class Link(int seed)
{
    /// <summary>Old frames to choose from when one is to come once more.</summary>
    private const int Remembered = 256;
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private readonly List<byte[]> _old = [];
    private LinkState _state;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

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

    /// <summary>What becomes of a frame: none, one or several go on in its place. The first frame of a connection, in which nodes say who they are, goes on as it is.</summary>
    /// <param name="held">Of this connection: a frame that waits for the next one to overtake it.</param>
    public void Pass(byte[] frame, bool isFirst, ref byte[]? held, List<FrameOnItsWay> onward)
    {
        lock (_lock)
        {
            long due = DueOf(frame.Length);
            if (isFirst)
            {
                onward.Add(new FrameOnItsWay(frame, due));
                return;
            }

            if (_state.ReplayPerMillion > 0) Remember(frame);
            if (Draw(_state.LosePerMillion))
            {
                Counters.Lose();
                return;
            }

            if (Draw(_state.CorruptPerMillion))
            {
                int bit = _random.Next(frame.Length * 8);
                frame[bit / 8] ^= (byte)(1 << (bit % 8));
                Counters.Corrupt();
            }

            byte[]? overtaken = held;
            held = null;
            if (overtaken is null && Draw(_state.ReorderPerMillion))
            {
                held = frame;
                return;
            }

            onward.Add(new FrameOnItsWay(frame, due));
            if (overtaken is not null)
            {
                Counters.Reorder();
                onward.Add(new FrameOnItsWay(overtaken, due));
            }

            if (Draw(_state.DuplicatePerMillion))
            {
                Counters.Duplicate();
                onward.Add(new FrameOnItsWay(frame, due));
            }

            if (Draw(_state.ReplayPerMillion) && OldLike(frame) is { } old)
            {
                Counters.Replay();
                onward.Add(new FrameOnItsWay(old, due));
            }
        }
    }

    private bool Draw(int perMillion) => perMillion > 0 && _random.Next(1_000_000) < perMillion;

    private long DueOf(int bytes)
    {
        double delay = _state.Delay.TotalMilliseconds + (_random.NextDouble() * _state.Jitter.TotalMilliseconds);
        if (_state.BytesPerSecond > 0) delay += 1000.0 * bytes / _state.BytesPerSecond;
        if (delay > 0) Counters.Delay();
        return Environment.TickCount64 + (long)delay;
    }

    private void Remember(byte[] frame)
    {
        if (_old.Count < Remembered) _old.Add([.. frame]);
        else _old[_random.Next(Remembered)] = [.. frame];
    }

    /// <summary>One that may come on the same connection: those for snapshots are others.</summary>
    private byte[]? OldLike(byte[] frame)
    {
        byte[] old = _old[_random.Next(_old.Count)];
        return PeerFrames.IsBulk(old) == PeerFrames.IsBulk(frame) ? [.. old] : null;
    }
}
