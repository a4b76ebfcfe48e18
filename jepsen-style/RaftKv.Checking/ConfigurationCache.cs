using System.Runtime.InteropServices;

namespace RaftKv.Checking;

/// <summary>
/// The configurations a search has been in: (required operations placed, optional operations no longer available,
/// state). Reaching one again cannot end differently, nor can one that differs only in having fewer optional operations
/// left; so the search turns back. That memory is what makes the search usable. A hash table with chains, in growing
/// arrays; a hit on the hash is compared in full, so a collision costs time and never a verdict.
/// </summary>
/// <remarks>Lowe 2017; Horn &amp; Kroening, arXiv 1504.00204, §4. Owned by one search.</remarks>
internal sealed class ConfigurationCache<TState>
    where TState : unmanaged, IEquatable<TState>
{
    private readonly List<Entry> _entries = [];
    private readonly List<ulong> _words = [];

    /// <summary>The first entry of each chain, plus one; 0 ends a chain. The length is a power of two.</summary>
    private int[] _chains = new int[256];

    /// <summary>Entries looked at: the part of the search's work that is done here.</summary>
    public long Comparisons { get; private set; }

    /// <summary>Remembers a configuration. Returns false if it was known, or one that had at least its possibilities.</summary>
    public bool TryAdd(LinearizedSet placed, ReadOnlySpan<ulong> unavailable, in TState state, ulong stateHash)
    {
        ulong hash = placed.Hash ^ stateHash;
        ReadOnlySpan<Entry> entries = CollectionsMarshal.AsSpan(_entries);
        for (int i = _chains[ChainOf(hash)]; i != 0; i = entries[i - 1].Next)
        {
            Comparisons++;
            ref readonly Entry known = ref entries[i - 1];
            if (known.Hash == hash && known.State.Equals(state) && Covers(known, placed, unavailable)) return false;
        }

        _entries.Add(new Entry(hash, state, placed.WindowStart, _words.Count, placed.Window.Length, _chains[ChainOf(hash)]));
        _words.AddRange(unavailable);
        _words.AddRange(placed.Window);
        _chains[ChainOf(hash)] = _entries.Count;
        if (_entries.Count > _chains.Length) Grow();
        return true;
    }

    private int ChainOf(ulong hash) => (int)(hash & (ulong)(_chains.Length - 1));

    /// <summary>The same required operations were placed, and no optional operation was unavailable that is available now.</summary>
    private bool Covers(in Entry known, LinearizedSet placed, ReadOnlySpan<ulong> unavailable)
    {
        if (known.WindowStart != placed.WindowStart) return false;
        if (known.WindowLength != placed.Window.Length) return false;
        ReadOnlySpan<ulong> words = CollectionsMarshal.AsSpan(_words)[known.Words..];
        for (int i = 0; i < unavailable.Length; i++)
        {
            if ((words[i] & ~unavailable[i]) != 0) return false;
        }

        return words.Slice(unavailable.Length, known.WindowLength).SequenceEqual(placed.Window);
    }

    private void Grow()
    {
        _chains = new int[_chains.Length * 2];
        Span<Entry> entries = CollectionsMarshal.AsSpan(_entries);
        for (int i = 0; i < entries.Length; i++)
        {
            int chain = ChainOf(entries[i].Hash);
            entries[i] = entries[i] with { Next = _chains[chain] };
            _chains[chain] = i + 1;
        }
    }

    private readonly record struct Entry(ulong Hash, TState State, int WindowStart, int Words, int WindowLength, int Next);
}
