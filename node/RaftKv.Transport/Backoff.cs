namespace RaftKv.Transport;

/// <summary>
/// The waits between attempts: doubling from the shortest to the longest, each drawn evenly from the upper half, so that nodes
/// which failed together do not return together.
/// </summary>
/// <remarks>Owned by one <see cref="PeerLink"/>; not thread-safe.</remarks>
internal sealed class Backoff(TimeSpan min, TimeSpan max, int seed)
{
    private readonly Random _random = new(seed);
    private int _doublings;

    /// <summary>In [ceiling / 2, ceiling); the next ceiling is twice this one, up to the maximum.</summary>
    public TimeSpan Next()
    {
        TimeSpan ceiling = min * Math.Pow(2, _doublings);
        if (ceiling < max) _doublings++;
        else ceiling = max;
        return ceiling * (0.5 + (_random.NextDouble() / 2));
    }

    public void Reset() => _doublings = 0;
}
