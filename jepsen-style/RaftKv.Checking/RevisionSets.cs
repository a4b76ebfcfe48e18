namespace RaftKv.Checking;

/// <summary>
/// Small sets of revisions, each named by a number, so that a state can hold one and still be a plain value. Equal sets
/// have equal numbers; <see cref="Empty"/> is the empty set.
/// </summary>
/// <remarks>
/// A set is its largest element and the number of the set of the others: a sorted list that shares its tails. Almost
/// always empty (see <see cref="RegisterState.RuledOut"/>). The dictionary is only looked up, never enumerated.
/// </remarks>
internal sealed class RevisionSets
{
    public const int Empty = 0;

    private readonly List<(ulong Largest, int Others)> _sets = [default];
    private readonly Dictionary<(ulong Largest, int Others), int> _numbers = [];

    public bool Contains(int set, ulong revision)
    {
        while (set != Empty && _sets[set].Largest > revision) set = _sets[set].Others;
        return set != Empty && _sets[set].Largest == revision;
    }

    public int Add(int set, ulong revision)
    {
        if (set == Empty || _sets[set].Largest < revision) return Number(revision, set);
        (ulong largest, int others) = _sets[set];
        return largest == revision ? set : Number(largest, Add(others, revision));
    }

    /// <summary>The elements of <paramref name="set"/> that are larger than <paramref name="revision"/>.</summary>
    public int Above(int set, ulong revision)
    {
        if (set == Empty || _sets[set].Largest <= revision) return Empty;
        return Number(_sets[set].Largest, Above(_sets[set].Others, revision));
    }

    /// <summary>In growing order, for people.</summary>
    public IReadOnlyList<ulong> Elements(int set)
    {
        List<ulong> elements = [];
        for (; set != Empty; set = _sets[set].Others) elements.Insert(0, _sets[set].Largest);
        return elements;
    }

    private int Number(ulong largest, int others)
    {
        if (_numbers.TryGetValue((largest, others), out int number)) return number;
        number = _sets.Count;
        _sets.Add((largest, others));
        _numbers.Add((largest, others), number);
        return number;
    }
}
