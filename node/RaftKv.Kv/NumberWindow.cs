using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>
/// Which of another node's forwarded requests were taken already: each number at most once, and none below a bounded window
/// (design §4). So a frame that is delivered twice, or late, is never appended twice.
/// </summary>
internal sealed class NumberWindow
{
    private const int Width = 65_536;
    private readonly ulong[] _taken = new ulong[Width / 64];
    private ulong _highest;

    /// <summary>Takes <paramref name="number"/> (≥ 1). False if it was taken before or is too old to tell.</summary>
    public bool TryTake(ulong number)
    {
        Invariant.Holds(number > 0);
        if (number <= _highest && _highest - number >= Width) return false;
        if (number > _highest) SlideTo(number);
        ref ulong word = ref _taken[number % Width / 64];
        ulong bit = 1UL << (int)(number % 64);
        if ((word & bit) != 0) return false;
        word |= bit;
        return true;
    }

    private void SlideTo(ulong number)
    {
        if (number - _highest >= Width) Array.Clear(_taken);
        else
            for (ulong passed = number; passed > _highest; passed--) _taken[passed % Width / 64] &= ~(1UL << (int)(passed % 64));
        _highest = number;
    }
}
