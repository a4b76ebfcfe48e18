namespace RaftKv.Node.Http;

/// <summary>
/// How many connections clients have, bounded: beyond it one is closed as soon as it is accepted, so that clients never take the file descriptors that log,
/// stores and peers need. Not Kestrel's own bound, which counts each protocol of the port by itself, and only what has sent enough to tell which. Any thread.
/// </summary>
internal sealed class ConnectionGate(int limit)
{
    private int _open;
    private long _refused;

    public int Open => Volatile.Read(ref _open);

    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>False: there are too many, and this one is counted as refused.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _open) <= limit) return true;
        Interlocked.Decrement(ref _open);
        Interlocked.Increment(ref _refused);
        return false;
    }

    /// <summary>A connection that entered has ended.</summary>
    public void Leave() => Interlocked.Decrement(ref _open);
}
