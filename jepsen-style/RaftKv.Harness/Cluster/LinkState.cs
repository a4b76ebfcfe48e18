namespace RaftKv.Harness.Cluster;

/// <summary>What happens to bytes on their way from one node to another. The default is a healthy link.</summary>
/// <param name="IsCut">Nothing arrives; what is on its way waits, as TCP would send it again, until the link heals or the connection's end gives up.</param>
/// <param name="Delay">For so long each byte is on its way, at least.</param>
/// <param name="Jitter">And for up to so much longer.</param>
/// <param name="BytesPerSecond">0: any number.</param>
/// <param name="CorruptPerMillion">Of a million pieces read from a socket so many have one bit flipped.</param>
internal readonly record struct LinkState(bool IsCut = false, TimeSpan Delay = default, TimeSpan Jitter = default, long BytesPerSecond = 0, int CorruptPerMillion = 0)
{
    public static readonly LinkState Healthy;

    public static readonly LinkState Cut = new(IsCut: true);
}

/// <summary>What a link has done to bytes since the start: the evidence that a fault bit. Counts only grow.</summary>
internal sealed class LinkCounters
{
    private long _passed;
    private long _held;
    private long _delayed;
    private long _corrupted;
    private long _reset;

    public long PassedBytes => Interlocked.Read(ref _passed);

    /// <summary>Pieces that came while the link was cut.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <summary>Pieces that were delayed.</summary>
    public long Delayed => Interlocked.Read(ref _delayed);

    /// <summary>Pieces with a bit flipped.</summary>
    public long Corrupted => Interlocked.Read(ref _corrupted);

    /// <summary>Connections closed by a reset.</summary>
    public long Resets => Interlocked.Read(ref _reset);

    public void Pass(int bytes) => Interlocked.Add(ref _passed, bytes);

    public void Hold() => Interlocked.Increment(ref _held);

    public void AddDelayed() => Interlocked.Increment(ref _delayed);

    public void Corrupt() => Interlocked.Increment(ref _corrupted);

    public void Reset() => Interlocked.Increment(ref _reset);
}
