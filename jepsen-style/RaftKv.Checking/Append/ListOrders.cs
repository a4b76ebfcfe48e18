using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Append;

/// <summary>
/// The order of the versions of every list. Nothing is ever taken out of a list and every append names all that was there, so all versions that are known to
/// have been are prefixes of the longest; where one is not, or an element is not what a committed transaction appended, that is a finding by itself.
/// </summary>
/// <remarks>Elle (Kingsbury &amp; Alvaro, VLDB 2020), §4; checkers.md §4.5. An intermediate read (G1b) cannot be told: a transaction writes a key once.</remarks>
internal sealed class ListOrders
{
    private readonly AppendHistory _history;
    private readonly int[] _longest;
    private readonly int[] _teller;
    private readonly int[][] _writers;
    private readonly Dictionary<long, int>?[] _positions;

    public ListOrders(AppendHistory history)
    {
        _history = history;
        (_longest, _writers, _positions) = (new int[history.Keys.Count], new int[history.Keys.Count][], new Dictionary<long, int>?[history.Keys.Count]);
        Array.Fill(_longest, -1);
        _teller = new int[history.Versions.Count];
        Array.Fill(_teller, -1);
        for (int txn = 0; txn < history.Requests.Count; txn++)
            if (history.Commitments[txn] == Commitment.Committed) TellOf(txn);
        CommitWhatWasSeen();
    }

    /// <summary>Who appended the element at a position of a list. Call it when <see cref="FirstFinding"/> has found nothing.</summary>
    public int WriterAt(int key, int position) => _writers[key][position];

    public int LengthOf(int key) => _writers[key].Length;

    public Finding? FirstFinding()
    {
        for (int key = 0; key < _longest.Length; key++)
            if (FindingOfLongest(key) is { } finding) return finding;
        for (int version = 0; version < _teller.Length; version++)
            if (_teller[version] >= 0 && FindingOfVersion(version) is { } finding) return finding;
        for (int txn = 0; txn < _history.Requests.Count; txn++)
            if (_history.Commitments[txn] == Commitment.Committed && FindingWithin(txn) is { } finding) return finding;
        return null;
    }

    /// <summary>What a committed transaction read or wrote has been.</summary>
    private void TellOf(int txn)
    {
        foreach (ListStep step in _history.StepsOf(txn))
        {
            if (_teller[step.Version] < 0) _teller[step.Version] = txn;
            ref int longest = ref _longest[step.Key];
            if (longest >= 0 && _history.Versions[longest].Length >= _history.Versions[step.Version].Length) continue;
            longest = step.Version;
            _positions[step.Key] = null;
        }
    }

    /// <summary>A transaction of unknown outcome has happened if an element of its own is in a list; then all else that it wrote has been too.</summary>
    private void CommitWhatWasSeen()
    {
        List<int> open = [];
        for (int txn = 0; txn < _history.Requests.Count; txn++)
            if (_history.Commitments[txn] == Commitment.Open) open.Add(txn);
        for (bool hasMore = true; hasMore;)
        {
            hasMore = false;
            for (int i = open.Count - 1; i >= 0; i--)
            {
                if (!WasSeen(open[i])) continue;
                _history.Commitments[open[i]] = Commitment.Committed;
                TellOf(open[i]);
                open.RemoveAt(i);
                hasMore = true;
            }
        }
    }

    private bool WasSeen(int txn)
    {
        foreach (ListStep step in _history.StepsOf(txn))
            if (step.IsAppend && _longest[step.Key] >= 0 && PositionsOf(step.Key).ContainsKey(_history.Versions[step.Version].Last)) return true;
        return false;
    }

    private Dictionary<long, int> PositionsOf(int key)
    {
        if (_positions[key] is { } known) return known;
        Dictionary<long, int> positions = [];
        long[] elements = _history.Versions[_longest[key]].Elements() ?? [];
        for (int i = 0; i < elements.Length; i++) positions.TryAdd(elements[i], i);
        return _positions[key] = positions;
    }

    /// <summary>Its elements were appended once each, by transactions that happened.</summary>
    private Finding? FindingOfLongest(int key)
    {
        _writers[key] = [];
        if (_longest[key] < 0) return null;
        ListVersion longest = _history.Versions[_longest[key]];
        int teller = _teller[_longest[key]];
        string name = CallText.Quoted(_history.Keys[key]);
        if (longest.Elements() is not { } elements) return Find($"{name} is {longest}, which is no list of numbers", teller);
        _writers[key] = new int[elements.Length];
        HashSet<long> seen = [];
        for (int i = 0; i < elements.Length; i++)
        {
            long element = elements[i];
            if (!seen.Add(element)) return Find($"duplicate: {element} is in {name} twice: {longest}", _history.WriterOf(key, element), teller);
            int writer = _writers[key][i] = _history.WriterOf(key, element);
            if (writer >= 0) continue;
            int aborter = _history.AborterOf(key, element);
            return aborter >= 0
                ? Find($"aborted read (G1a): {element} is in {name}, and the transaction that appended it was told that nothing happened", aborter, teller)
                : Find($"phantom: {element} is in {name}, and nobody appended it", teller);
        }

        return null;
    }

    private Finding? FindingOfVersion(int number)
    {
        ListVersion version = _history.Versions[number];
        ListVersion longest = _history.Versions[_longest[version.Key]];
        if (version.IsPrefixOf(longest)) return null;
        long[] elements = version.Elements() ?? [];
        long[] others = longest.Elements()!;
        int fork = 0;
        while (fork < elements.Length && elements[fork] == others[fork]) fork++;
        string name = CallText.Quoted(_history.Keys[version.Key]);
        if (fork == elements.Length) return Find($"{name} is {version.Text}, which is not how {longest} is written", _teller[number]); // 1 and 01.
        int one = _history.WriterOf(version.Key, elements[fork]);
        int other = _writers[version.Key][fork];
        bool bothAppended = one >= 0 && one != other && AppendedAt(one, version.Key, fork) && AppendedAt(other, version.Key, fork);
        long[] both = one < other ? [elements[fork], others[fork]] : [others[fork], elements[fork]];
        return bothAppended
            ? Find($"lost update: {both[0]} and {both[1]} were both appended to {name} when it had {fork} elements", one, other)
            : Find($"incompatible order: {name} was {version}, and it was {longest}", _teller[number], _teller[_longest[version.Key]]);
    }

    private bool AppendedAt(int txn, int key, int position)
    {
        foreach (ListStep step in _history.StepsOf(txn))
            if (step.IsAppend && step.Key == key && _history.Versions[step.Version].Length == position + 1) return true;
        return false;
    }

    /// <summary>What a transaction reads twice is the same, and changes between only as it writes itself.</summary>
    private Finding? FindingWithin(int txn)
    {
        ReadOnlySpan<ListStep> steps = _history.StepsOf(txn);
        if (steps.Length < 2) return null;
        for (int i = 1; i < steps.Length; i++)
        {
            int before = i - 1;
            while (before >= 0 && steps[before].Key != steps[i].Key) before--;
            if (before < 0) continue;
            ListVersion earlier = _history.Versions[steps[before].Version];
            ListVersion later = _history.Versions[steps[i].Version];
            string name = CallText.Quoted(_history.Keys[steps[i].Key]);
            if (!steps[i].IsAppend && steps[i].Version != steps[before].Version)
                return Find($"internal: a transaction {(steps[before].IsAppend ? "wrote" : "read")} {earlier} of {name} and then read {later}", txn);
            if (!steps[i].IsAppend || steps[before].IsAppend || later.Parent.SequenceEqual(earlier.Text)) continue;
            return earlier.Length >= later.Length && later.IsPrefixOf(earlier)
                ? Find($"future read: a transaction read {earlier} of {name} before it appended {later.Last} itself", txn)
                : Find($"internal: a transaction read {earlier} of {name} and appended {later.Last} to {(later.Length == 1 ? "[]" : $"[{later.Parent.ToString().Replace(",", ", ", StringComparison.Ordinal)}]")}", txn);
        }

        return null;
    }

    private Finding Find(string sentence, params int[] txns) =>
        new(AppendChecker.Name, sentence, [.. txns.Where(txn => txn >= 0).Distinct().Select(txn => _history.Requests[txn].Answer).OrderBy(call => call.Call)]);
}
