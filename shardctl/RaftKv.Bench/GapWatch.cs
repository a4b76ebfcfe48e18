using RaftKv.Bench.Loop;

namespace RaftKv.Bench;

/// <summary>The longest time without a success, for each lane of clients. A gap runs from one success to the next, whatever was tried in between.</summary>
/// <remarks>Written by the loop, read and reset from other threads. Times are <see cref="System.Diagnostics.Stopwatch"/>'s timestamps.</remarks>
public sealed class GapWatch : IAnswerObserver
{
    private readonly Lock _lock = new();
    private readonly long[] _last;
    private readonly long[] _longest;

    /// <param name="lanes">Client i is in lane i modulo this: see <see cref="LoadPlan.Lanes"/>.</param>
    /// <param name="start">From here on a gap counts.</param>
    public GapWatch(int lanes, long start)
    {
        _last = new long[lanes];
        _longest = new long[lanes];
        Array.Fill(_last, start);
    }

    /// <summary>Forgets the gaps so far. One that is open now goes on from its beginning.</summary>
    public void Reset()
    {
        lock (_lock) Array.Clear(_longest);
    }

    /// <summary>Whether every one of these lanes has had a success since that moment.</summary>
    public bool HasSucceededSince(IEnumerable<int> lanes, long moment)
    {
        lock (_lock) return lanes.All(lane => _last[lane] > moment);
    }

    /// <summary>The longest gap of these lanes since the last reset, the open ones up to now.</summary>
    public long Longest(IEnumerable<int> lanes, long now)
    {
        lock (_lock) return lanes.Max(lane => Math.Max(_longest[lane], now - _last[lane]));
    }

    void IAnswerObserver.OnAnswer(int client, AnswerKind kind, long now)
    {
        if (kind != AnswerKind.Done) return;
        int lane = client % _last.Length;
        lock (_lock)
        {
            _longest[lane] = Math.Max(_longest[lane], now - _last[lane]);
            _last[lane] = now;
        }
    }
}
