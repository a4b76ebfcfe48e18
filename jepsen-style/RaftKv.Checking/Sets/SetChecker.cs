using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Sets;

/// <summary>
/// What became of the elements, by the final read. Invariant: Recovered of them were never acknowledged and are there; Lost were acknowledged and are not.
/// </summary>
public sealed record SetCounts(int Attempted, int Acknowledged, int Recovered, int Lost, int Phantom)
{
    public override string ToString() => $"{Attempted} attempted, {Acknowledged} acknowledged, {Recovered} recovered, {Lost} lost, {Phantom} phantom";
}

/// <summary>
/// A set whose elements are keys under one prefix, each put once and never deleted; lists of the prefix read it. What was acknowledged before a list was called is in
/// it; what was seen once is in every list called afterwards; what nobody put, or what was told to have failed, is in none.
/// </summary>
/// <remarks>
/// checkers.md §4.6. The final read is the last list called after every add was answered, or called if it never was. Without one the verdict is unknown. A list
/// shows different shards at different times, but each between its call and its return, and more is not used here. An element that is put with a ttl or
/// perhaps deleted is left out.
/// </remarks>
public static class SetChecker
{
    private const string Name = "set";

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, string prefix)
    {
        Elements elements = new(history, prefix);
        ClientCall? final = elements.FinalRead();
        string detail = final is null ? "" : Count(elements, final) + "\n";
        foreach (ClientCall list in elements.Lists)
            if (FindingIn(list, elements) is { } finding) return new CheckVerdict(Name, elements.Count, finding with { Detail = detail });
        return new CheckVerdict(Name, elements.Count, null, elements.Count == 0 ? $"nothing was put under \"{prefix}\"" : final is null ? $"no list of \"{prefix}\" that was called after the last add was answered" : null);
    }

    /// <summary>Null without a final read.</summary>
    public static SetCounts? Count(IReadOnlyList<ClientCall> history, string prefix)
    {
        Elements elements = new(history, prefix);
        return elements.FinalRead() is { } final ? Count(elements, final) : null;
    }

    private static SetCounts Count(Elements elements, ClientCall final)
    {
        HashSet<string> found = elements.FoundIn(final);
        int acknowledged = elements.All.Count(element => element.Acknowledged is not null);
        int recovered = elements.All.Count(element => element.Acknowledged is null && element.MayBeThere && found.Contains(element.Key));
        int lost = elements.All.Count(element => element.Acknowledged is not null && !found.Contains(element.Key));
        return new SetCounts(elements.Count, acknowledged, recovered, lost, found.Count(key => elements.Find(key) is not { MayBeThere: true }));
    }

    private static Finding? FindingIn(ClientCall list, Elements elements)
    {
        HashSet<string> found = elements.FoundIn(list);
        int expected = elements.CountKnownBefore(list.Call);
        foreach (string key in found)
        {
            Element? element = elements.Find(key);
            if (element is not { MayBeThere: true })
            {
                string why = element is null ? "nobody ever put it" : "every put of it had no effect by its answer";
                return new Finding(Name, $"phantom: {CallText.Quoted(key)} is in the list called at {CallText.At(list.Call)}, but {why}", [.. element?.Attempts ?? [], list]);
            }

            if (element.FirstCall > list.Return)
                return new Finding(Name, $"phantom: {CallText.Quoted(key)} is in the list that returned at {CallText.At(list.Return)}, but was put only at {CallText.At(element.FirstCall)}", [list, element.Attempts[0]]);
            if (element.KnownFrom < list.Call) expected--;
        }

        return expected == 0 ? null : Missing(list, elements.All.First(element => element.KnownFrom < list.Call && !found.Contains(element.Key)));
    }

    private static Finding Missing(ClientCall list, Element element) => element.Acknowledged is { } acknowledged && acknowledged.Return < list.Call
        ? new Finding(Name, $"lost: {CallText.Quoted(element.Key)} was acknowledged at {CallText.At(acknowledged.Return)} and is missing from the list called {CallText.For(list.Call - acknowledged.Return)} later", [acknowledged, list])
        : new Finding(Name, $"lost: {CallText.Quoted(element.Key)} was in the list that returned at {CallText.At(element.FirstSeen!.Return)} and is missing from the one called {CallText.For(list.Call - element.FirstSeen.Return)} later", [element.FirstSeen, list]);

    private sealed class Element(string key)
    {
        public string Key { get; } = key;

        public List<ClientCall> Attempts { get; } = [];

        /// <summary>The answer that came first.</summary>
        public ClientCall? Acknowledged { get; set; }

        /// <summary>The list with it that returned first.</summary>
        public ClientCall? FirstSeen { get; set; }

        /// <summary>A put was answered, or may have happened all the same.</summary>
        public bool MayBeThere { get; set; }

        public long FirstCall { get; set; } = Operation.Never;

        /// <summary>It is in every list that is called after this.</summary>
        public long KnownFrom => Math.Min(Acknowledged?.Return ?? Operation.Never, FirstSeen?.Return ?? Operation.Never);
    }

    private sealed class Elements
    {
        private readonly string _prefix;
        private readonly Dictionary<string, Element> _byKey = new(StringComparer.Ordinal);
        private readonly HashSet<string> _leftOut = new(StringComparer.Ordinal);
        private readonly long[] _knownFrom;
        private readonly long _lastAdd = long.MinValue;

        public Elements(IReadOnlyList<ClientCall> history, string prefix)
        {
            _prefix = prefix;
            foreach (LogicalOperation operation in LogicalRequest.OperationsOf(history).Where(operation => operation.IsWrite && operation.Key.StartsWith(prefix, StringComparison.Ordinal)))
            {
                bool isAdd = operation.Asked is { Kind: RequestKind.Put, TtlSeconds: null };
                if (!isAdd && operation.Outcome != OutcomeKind.Failed) _leftOut.Add(operation.Key);
                if (!isAdd) continue;
                AddAttempt(operation);
                _lastAdd = Math.Max(_lastAdd, operation.Return == Operation.Never ? operation.Attempts[^1].Call : operation.Return);
            }

            foreach (string key in _leftOut) _byKey.Remove(key);
            Lists = [.. history.Where(call => call is { Kind: CallKind.List, Outcome: OutcomeKind.Ok, Freshness: not Freshness.Stale } && prefix.StartsWith(call.Prefix, StringComparison.Ordinal)).OrderBy(list => list.Call)];
            foreach (ClientCall list in Lists)
                foreach (string key in FoundIn(list))
                    if (Find(key) is { } element && (element.FirstSeen is null || list.Return < element.FirstSeen.Return)) element.FirstSeen = list;
            All = [.. _byKey.Values.OrderBy(element => element.KnownFrom).ThenBy(element => element.Key, StringComparer.Ordinal)];
            _knownFrom = [.. All.Select(element => element.KnownFrom)];
        }

        /// <summary>In the order in which they came to be known.</summary>
        public IReadOnlyList<Element> All { get; }

        public int Count => All.Count;

        /// <summary>In the order of their calls.</summary>
        public IReadOnlyList<ClientCall> Lists { get; }

        public Element? Find(string key) => _byKey.GetValueOrDefault(key);

        public ClientCall? FinalRead() => Lists.Count > 0 && Lists[^1].Call > _lastAdd ? Lists[^1] : null;

        public HashSet<string> FoundIn(ClientCall list) =>
            list.Results.Where(found => found.Key.StartsWith(_prefix, StringComparison.Ordinal) && !_leftOut.Contains(found.Key)).Select(found => found.Key).ToHashSet(StringComparer.Ordinal);

        public int CountKnownBefore(long call)
        {
            int index = Array.BinarySearch(_knownFrom, call);
            if (index < 0) return ~index;
            while (index > 0 && _knownFrom[index - 1] == call) index--;
            return index;
        }

        private void AddAttempt(LogicalOperation add)
        {
            if (!_byKey.TryGetValue(add.Key, out Element? element)) _byKey.Add(add.Key, element = new Element(add.Key));
            element.Attempts.AddRange(add.Attempts);
            element.MayBeThere |= add.Outcome is OutcomeKind.Ok or OutcomeKind.Unknown;
            if (add.Outcome is OutcomeKind.Ok or OutcomeKind.Unknown) element.FirstCall = Math.Min(element.FirstCall, add.Call);
            if (add.IsOk && (element.Acknowledged is null || add.Return < element.Acknowledged.Return)) element.Acknowledged = add.Answer;
        }
    }
}
