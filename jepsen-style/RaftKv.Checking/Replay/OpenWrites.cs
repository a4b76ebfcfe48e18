namespace RaftKv.Checking.Replay;

/// <summary>Writes of one key of which nobody knows whether they happened.</summary>
/// <remarks>
/// Asked once for each answer that only they explain, and there may be many of both: so it goes through none of its lists, and takes nothing out of their middle. Lists are sorted by
/// the times of call, in which writes come in, but for a few.
/// </remarks>
internal sealed class OpenWrites
{
    private readonly List<long> _calls = [];

    /// <summary>Those of <see cref="_calls"/> that are open no more.</summary>
    private readonly List<long> _taken = [];
    private readonly Dictionary<long, WritesOfValue> _byValue = [];

    public int Count => _calls.Count - _taken.Count;

    public void Add(Operation write)
    {
        Insert(_calls, write.Call, from: 0);
        if (!_byValue.TryGetValue(write.Request.Value, out WritesOfValue? writes)) _byValue.Add(write.Request.Value, writes = new WritesOfValue());
        Insert(writes.Calls, write.Call, writes.First);
    }

    /// <summary>Those that can have happened by then.</summary>
    public int CountCalledBy(long time) => CountUpTo(_calls, time, from: 0) - CountUpTo(_taken, time, from: 0);

    /// <summary>
    /// Takes a write of the value out that can have happened by then. Of several the one called first: answers are replayed in the order of the log, so whatever can have
    /// happened before this one can have before every later one too.
    /// </summary>
    public bool TryTake(long value, long time)
    {
        if (!_byValue.TryGetValue(value, out WritesOfValue? writes) || writes.First == writes.Calls.Count || writes.Calls[writes.First] > time) return false;
        Insert(_taken, writes.Calls[writes.First++], from: 0);
        return true;
    }

    private static void Insert(List<long> sorted, long call, int from) => sorted.Insert(CountUpTo(sorted, call, from), call);

    /// <summary>Where the first call after the bound stands, behind the first ones given.</summary>
    private static int CountUpTo(List<long> sorted, long bound, int from)
    {
        int low = from;
        int high = sorted.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (sorted[middle] <= bound) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private sealed class WritesOfValue
    {
        public List<long> Calls { get; } = [];

        /// <summary>Those before it have been taken.</summary>
        public int First { get; set; }
    }
}
