namespace RaftKv.Harness.Cluster;

/// <summary>What happens to frames on their way from one node to another. The default is a healthy link.</summary>
/// <param name="IsCut">Nothing arrives; what is on its way waits, as TCP would send it again, until the link heals or the connection's end gives up.</param>
/// <param name="Delay">For so long each frame is on its way, at least.</param>
/// <param name="Jitter">And for up to so much longer.</param>
/// <param name="BytesPerSecond">0: any number.</param>
/// <param name="CorruptPerMillion">Of a million frames so many have one bit flipped.</param>
/// <param name="LosePerMillion">Are left out; the connection goes on. TCP would not do that, but whoever closes and dials again in a bad moment does.</param>
/// <param name="DuplicatePerMillion">Come twice.</param>
/// <param name="ReorderPerMillion">Come behind the next one.</param>
/// <param name="ReplayPerMillion">Are followed by an old one, maybe of an earlier connection.</param>
internal readonly record struct LinkState(
    bool IsCut = false, TimeSpan Delay = default, TimeSpan Jitter = default, long BytesPerSecond = 0, int CorruptPerMillion = 0, int LosePerMillion = 0, int DuplicatePerMillion = 0, int ReorderPerMillion = 0,
    int ReplayPerMillion = 0)
{
    public static readonly LinkState Healthy;

    public static readonly LinkState Cut = new(IsCut: true);
}

/// <summary>What a link has done to frames since the start: the evidence that a fault bit. Counts only grow. Thread-safe.</summary>
internal sealed class LinkCounters
{
    private long _held;
    private long _delayed;
    private long _corrupted;
    private long _lost;
    private long _duplicated;
    private long _reordered;
    private long _replayed;
    private long _resets;

    /// <summary>That came while the link was cut.</summary>
    public long Held => Interlocked.Read(ref _held);

    public long Delayed => Interlocked.Read(ref _delayed);

    public long Corrupted => Interlocked.Read(ref _corrupted);

    public long Lost => Interlocked.Read(ref _lost);

    public long Duplicated => Interlocked.Read(ref _duplicated);

    public long Reordered => Interlocked.Read(ref _reordered);

    public long Replayed => Interlocked.Read(ref _replayed);

    /// <summary>Of connections.</summary>
    public long Resets => Interlocked.Read(ref _resets);

    public void Hold() => Interlocked.Increment(ref _held);

    public void Delay() => Interlocked.Increment(ref _delayed);

    public void Corrupt() => Interlocked.Increment(ref _corrupted);

    public void Lose() => Interlocked.Increment(ref _lost);

    public void Duplicate() => Interlocked.Increment(ref _duplicated);

    public void Reorder() => Interlocked.Increment(ref _reordered);

    public void Replay() => Interlocked.Increment(ref _replayed);

    public void Reset() => Interlocked.Increment(ref _resets);
}
