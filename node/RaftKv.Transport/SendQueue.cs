using System.Threading.Tasks.Sources;

namespace RaftKv.Transport;

/// <summary>
/// The frames on their way to one peer: waiting here, or taken by the drain loop and not flushed yet. Both count, so memory is bounded also
/// while a peer does not read. Invariants: 0 ≤ Waiting ≤ Frames ≤ maxFrames; Bytes &lt; maxBytes + one frame; closed ⇒ nothing is added.
/// </summary>
/// <remarks>
/// Any thread adds; one loop waits, takes and releases. The lock is held for a few instructions. Nothing is allocated per frame: it is copied behind
/// those that wait, and two buffers change places between the adders and the drain loop. Hot path.
/// </remarks>
internal sealed class SendQueue(int maxFrames, long maxBytes) : IValueTaskSource<bool>
{
    /// <summary>A buffer that has grown far beyond what it is used for is given up for one of this size.</summary>
    public const int InitialBytes = 16 * 1024;

    private readonly Lock _gate = new();
    private byte[] _waiting = new byte[InitialBytes];
    private int _waitingBytes;
    private int _waitingFrames;
    private int _frames;
    private long _bytes;
    private bool _open;
    private bool _drainWaits;

    // The drain loop continues on the thread pool, never inside Send.
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };

    public long Bytes
    {
        get
        {
            lock (_gate) return _bytes;
        }
    }

    /// <summary>Adds a copy of the frame and returns null, or says why not.</summary>
    public string? TryAdd(ReadOnlySpan<byte> frame)
    {
        bool wake;
        lock (_gate)
        {
            if (!_open) return DropReason.LinkDown;
            if (_frames >= maxFrames || _bytes >= maxBytes) return DropReason.QueueFull;
            if (_waitingBytes + frame.Length > _waiting.Length) Array.Resize(ref _waiting, Math.Max(2 * _waiting.Length, _waitingBytes + frame.Length));
            frame.CopyTo(_waiting.AsSpan(_waitingBytes));
            _waitingBytes += frame.Length;
            _waitingFrames++;
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
            _waitingBytes = 0;
            _waitingFrames = 0;
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
            if (_waitingFrames > 0) return ValueTask.FromResult(true);
            _signal.Reset();
            _drainWaits = true;
            return new ValueTask<bool>(this, _signal.Version);
        }
    }

    /// <summary>Exchanges what waits, one frame after another, for <paramref name="batch"/>, of which nothing is needed any more; returns how much it is.</summary>
    public (int Frames, int Bytes) TakeAll(ref byte[] batch)
    {
        lock (_gate)
        {
            if (batch.Length > 16 * InitialBytes && _waitingBytes < batch.Length / 16) batch = new byte[InitialBytes];
            (batch, _waiting) = (_waiting, batch);
            (int Frames, int Bytes) taken = (_waitingFrames, _waitingBytes);
            (_waitingFrames, _waitingBytes) = (0, 0);
            return taken;
        }
    }

    /// <summary>What was taken and has been flushed no longer counts.</summary>
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
