namespace RaftKv.Raft;

/// <summary>A small seeded generator (SplitMix64, Steele, Lea and Flood 2014), the same on every runtime and machine.</summary>
public sealed class SplitMix(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number in [0, bound). The bias is below 2^-32 for the bounds used here (below 2^32).</summary>
    public long Below(long bound)
    {
        Invariant.Holds(bound > 0);
        return (long)(Next() % (ulong)bound);
    }

    /// <summary>True with a chance of <paramref name="millionths"/> in a million.</summary>
    public bool Chance(int millionths) => Below(1_000_000) < millionths;

    /// <summary>An independent generator for a named purpose, so that one consumer's draws do not shift another's.</summary>
    public SplitMix Fork(ulong purpose) => new(new SplitMix(_state ^ (purpose * 0xD6E8FEB86659FD93)).Next());
}
