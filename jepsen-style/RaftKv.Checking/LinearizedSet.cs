namespace RaftKv.Checking;

/// <summary>
/// Which operations have been linearized: a bit set that knows the hash of its required members and the short form in
/// which it is remembered.
/// </summary>
/// <remarks>
/// The hash is Zobrist's: the exclusive or of one random word per member, O(1) on change. The short form makes history
/// length free. Required operations are numbered by call time, so in every configuration those linearized are all of a
/// prefix plus a few of the operations concurrent with its end: only the words from the first one not full to the last
/// one not empty carry information. This does what quiescent cuts do, without needing a quiet moment. Optional
/// operations stay open for ever and would hold that window open, so they have words of their own in front.
/// Invariants: _first ≤ _end; required words before _first are full, words from _end on are empty.
/// Owned by one search.
/// </remarks>
internal sealed class LinearizedSet
{
    private readonly ulong[] _words;
    private readonly int[] _bits;
    private readonly int _optionalWords;
    private int _first;
    private int _end;

    /// <param name="operations">All operations in the order of their calls, with whether each is required.</param>
    public LinearizedSet(IReadOnlyList<(int Operation, bool Required)> operations)
    {
        int optional = operations.Count(operation => !operation.Required);
        _optionalWords = (optional + 63) / 64;
        _words = new ulong[_optionalWords + (operations.Count - optional + 63) / 64];
        _bits = new int[operations.Count];
        int nextOptional = 0;
        int nextRequired = _optionalWords * 64;
        foreach ((int operation, bool required) in operations)
        {
            _bits[operation] = required ? nextRequired++ : nextOptional++;
        }

        _first = _end = _optionalWords;
    }

    /// <summary>Of the required members only.</summary>
    public ulong Hash { get; private set; }

    /// <summary>Where the window of required words starts; with <see cref="Window"/>, the required members.</summary>
    public int WindowStart => _first;

    public ReadOnlySpan<ulong> Window => _words.AsSpan(_first, _end - _first);

    /// <summary>The optional members: bit n is the nth optional operation by call time.</summary>
    public ReadOnlySpan<ulong> Optional => _words.AsSpan(0, _optionalWords);

    public bool Contains(int operation) => (_words[_bits[operation] / 64] & (1UL << (_bits[operation] % 64))) != 0;

    public void Add(int operation)
    {
        int word = Toggle(operation);
        if (word < _optionalWords) return;
        _end = Math.Max(_end, word + 1);
        while (_first < _end && _words[_first] == ulong.MaxValue) _first++;
    }

    public void Remove(int operation)
    {
        int word = Toggle(operation);
        if (word < _optionalWords) return;
        _first = Math.Min(_first, word);
        while (_end > _first && _words[_end - 1] == 0) _end--;
    }

    private int Toggle(int operation)
    {
        int bit = _bits[operation];
        _words[bit / 64] ^= 1UL << (bit % 64);
        if (bit >= _optionalWords * 64) Hash ^= BitMixer.Mix((ulong)bit);
        return bit / 64;
    }
}
