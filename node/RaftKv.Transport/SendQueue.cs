using System.Threading.Tasks.Sources;

namespace RaftKv.Transport;

/// <summary>
/// The frames on their way to one peer: waiting here, or taken by the drain loop and not flushed yet. Both count, so memory is bounded also
/// while a peer does not read. Invariants: 0 ≤ Waiting ≤ Frames ≤ maxFrames; Bytes &lt; maxBytes + one frame; closed ⇒ nothing is added.
/// </summary>
/// <remarks>
/// Any thread adds; one loop waits, takes and releases. The lock is held for a few instructions. Nothing is allocated per frame: two
/// arrays change places between the adders and the drain loop. Hot path.
/// </remarks>
internal sealed class SendQueue(int maxFrames, long maxBytes) : IValueTaskSource<bool>
{
    private readonly Lock _gate = new();
    private byte[][] _waiting = new byte[maxFrames][];
    private int _waitingCount;
    private int _frames;
    private long _bytes;
    private bool _open;
    private bool _drainWaits;

    // The drain loop continues on the thread pool, never inside Send.
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };

    public int MaxFrames => maxFrames;

    public long Bytes
    {
        get
        {
            lock (_gate) return _bytes;
        }
    }

    /// <summary>Adds a frame and returns null, or says why not.</summary>
    public string? TryAdd(byte[] frame)
    {
        bool wake;
        lock (_gate)
        {
            if (!_open) return DropReason.LinkDown;
            if (_frames >= maxFrames || _bytes >= maxBytes) return DropReason.QueueFull;
            _waiting[_waitingCount++] = frame;
            _frames++;
            _bytes += frame.Length;
            wake = _drainWaits;
            _drainWaits = false;
        }

        if (wake) _signal.SetResult(true);
        return null;
    }

    /// <summary>Begins to accept frames. The queue is empty.</summary>
    public void Open()
    {
        lock (_gate) _open = true;
    }

    /// <summary>Accepts no more frames and ends the drain loop's wait.</summary>
    public void Close()
    {
        bool wake;
        lock (_gate)
        {
            _open = false;
            wake = _drainWaits;
            _drainWaits = false;
        }

        if (wake) _signal.SetResult(false);
    }

    /// <summary>Forgets all frames of a closed queue and returns how many there were. The drain loop has ended.</summary>
    public int Discard()
    {
        lock (_gate)
        {
            int frames = _frames;
            Array.Clear(_waiting, 0, _waitingCount);
            _waitingCount = 0;
            _frames = 0;
            _bytes = 0;
            return frames;
        }
    }

    /// <summary>Completes with true when a frame waits, with false when the queue is closed. One waiter at a time.</summary>
    public ValueTask<bool> WaitAsync()
    {
        lock (_gate)
        {
            if (!_open) return ValueTask.FromResult(false);
            if (_waitingCount > 0) return ValueTask.FromResult(true);
            _signal.Reset();
            _drainWaits = true;
            return new ValueTask<bool>(this, _signal.Version);
        }
    }

    /// <summary>Exchanges the waiting frames for <paramref name="batch"/>, an array of <see cref="MaxFrames"/> that refers to no frame; returns how many.</summary>
    public int TakeAll(ref byte[][] batch)
    {
        lock (_gate)
        {
            (batch, _waiting) = (_waiting, batch);
            int count = _waitingCount;
            _waitingCount = 0;
            return count;
        }
    }

    /// <summary>Taken frames that have been flushed no longer count.</summary>
    public void Release(int frames, long bytes)
    {
        lock (_gate)
        {
            _frames -= frames;
            _bytes -= bytes;
        }
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);
}
