using System.Text;
using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Lists;

/// <summary>
/// Lists against what the calls on single keys say: every listed item is a version that was written and not yet replaced when the list was called; no key that was
/// there is missing; of one shard all keys are of one state; keys are in the order of their bytes, each once, and begin with the prefix.
/// </summary>
/// <remarks>
/// <para>A shard's revisions order all its writes. So the state that a list shows of a shard is at its newest item's revision or above, and every key must be as
/// the writes up to there left it.</para>
/// <para>That a key is missing proves nothing while a delete of it is open, or if it may have expired. A list must be one request: pages asked for one after the other
/// are of different states.</para>
/// </remarks>
public static class ListChecker
{
    private const string Name = "list";

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history)
    {
        Truth truth = new(history);
        ClientCall[] lists = [.. history.Where(call => call is { Kind: CallKind.List, Outcome: OutcomeKind.Ok }).OrderBy(list => list.Call)];
        long items = 0;
        foreach (ClientCall list in lists)
        {
            items += list.Results.Length;
            if (FindingOf(list, truth) is { } finding) return new CheckVerdict(Name, items, finding);
        }

        return new CheckVerdict(Name, items, null, lists.Length == 0 ? "no list was answered" : items == 0 ? "no list found a key" : null);
    }

    private static Finding? FindingOf(ClientCall list, Truth truth)
    {
        if (FindingOfOrder(list) is { } finding) return finding;
        if (list.Freshness == Freshness.Stale) return null;
        Dictionary<string, KvResult> items = new(StringComparer.Ordinal);
        foreach (KvResult item in list.Results)
        {
            items.Add(item.Key, item);
            if (FindingOfItem(list, item, truth) is { } wrong) return wrong;
        }

        Dictionary<ulong, KvResult> newest = [];
        foreach (KvResult item in list.Results)
            if (item.Position is { } position && (!newest.TryGetValue(position.Shard, out KvResult? top) || top.Revision < item.Revision)) newest[position.Shard] = item;
        foreach (KeyTruth key in truth.Under(list.Prefix))
            if (FindingOfKey(list, key, items.GetValueOrDefault(key.Key), newest) is { } missing) return missing;
        return null;
    }

    private static Finding? FindingOfOrder(ClientCall list)
    {
        for (int i = 0; i < list.Results.Length; i++)
        {
            string key = list.Results[i].Key;
            if (!key.StartsWith(list.Prefix, StringComparison.Ordinal)) return Find($"the list of \"{list.Prefix}\" called at {CallText.At(list.Call)} shows {CallText.Quoted(key)}, which does not begin so", list);
            if (i == 0) continue;
            string before = list.Results[i - 1].Key;
            int order = CompareBytes(before, key);
            if (order == 0) return Find($"the list of \"{list.Prefix}\" called at {CallText.At(list.Call)} shows {CallText.Quoted(key)} twice", list);
            if (order > 0) return Find($"the list of \"{list.Prefix}\" called at {CallText.At(list.Call)} shows {CallText.Quoted(before)} before {CallText.Quoted(key)}, which is not the order of their bytes", list);
        }

        return null;
    }

    private static int CompareBytes(string left, string right) => Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));

    private static Finding? FindingOfItem(ClientCall list, KvResult item, Truth truth)
    {
        string subject = $"the list called at {CallText.At(list.Call)} shows {CallText.Quoted(item.Key)} = {CallText.Quoted(item.Value)} at revision {item.Revision}";
        KeyTruth? key = truth.Find(item.Key);
        if (key?.At(item.Revision) is { } write)
        {
            if (write.Asked.Kind == RequestKind.Delete) return Find($"{subject}, at which it was deleted", write.Answer, list);
            if (item.Value is not null && write.Asked.Value != item.Value) return Find($"{subject}, at which {CallText.Quoted(write.Asked.Value)} was written", write.Answer, list);
            if (write.Call > list.Return) return Find($"{subject}, before it was written", list, write.Answer);
        }
        else if (key is null || !key.Open.Any(open => open.Asked.Kind == RequestKind.Put && open.Call <= list.Return && (item.Value is null || open.Asked.Value == item.Value)))
        {
            return Find($"{subject}, and no write that was acknowledged or may have happened explains it", [.. key?.LastReturnedBefore(list.Call) is { } last ? new[] { last.Answer } : [], list]);
        }

        if (key.LastReturnedBefore(list.Call) is { } newer && newer.Result!.Revision > item.Revision)
            return Find($"{subject}, but its write at revision {newer.Result.Revision} had returned {CallText.For(list.Call - newer.Return)} before", newer.Answer, list);
        return null;
    }

    /// <summary>A key that was there is listed, and as of the state that the others of its shard are of.</summary>
    private static Finding? FindingOfKey(ClientCall list, KeyTruth key, KvResult? item, Dictionary<ulong, KvResult> newest)
    {
        if (key.LastReturnedBefore(list.Call) is { Asked.Kind: RequestKind.Put } put && item is null && !key.MayBeGoneAfter(put, list))
            return Find($"the list called at {CallText.At(list.Call)} lacks {CallText.Quoted(key.Key)}, whose put had returned {CallText.For(list.Call - put.Return)} before, and which nobody can have deleted since", put.Answer, list);
        if (key.Shard is not { } shard || !newest.TryGetValue(shard, out KvResult? top) || key.LastUpTo(top.Revision) is not { } last) return null;
        bool isDeleted = last.Asked.Kind == RequestKind.Delete;
        bool isRight = item is null ? isDeleted || key.MayBeGoneAfter(last, list) : item.Revision >= last.Result!.Revision;
        return isRight ? null : Find(
            $"the list called at {CallText.At(list.Call)} mixes states of shard {shard}: it shows {CallText.Quoted(top.Key)} at revision {top.Revision}, but {CallText.Quoted(key.Key)} without its {(isDeleted ? "delete" : "write")} at {last.Result!.Revision}", last.Answer, list);
    }

    private static Finding Find(string sentence, params ClientCall[] calls)
    {
        ClientCall[] inOrder = [.. calls.OrderBy(call => call.Call)];
        return new Finding(Name, sentence, inOrder, CallText.Lines(inOrder));
    }

    /// <summary>What the answers to writes say of one key.</summary>
    private sealed class KeyTruth(string key)
    {
        private readonly Dictionary<ulong, LogicalOperation> _byRevision = [];
        private readonly List<LogicalOperation> _inRevisions = [];
        private readonly List<(long Return, LogicalOperation Write)> _inReturns = [];
        private bool _mayExpire;

        public string Key { get; } = key;

        public ulong? Shard { get; private set; }

        /// <summary>Writes of which nobody knows whether they happened.</summary>
        public List<LogicalOperation> Open { get; } = [];

        public void Add(LogicalOperation write)
        {
            _mayExpire |= write.Asked.TtlSeconds is not null;
            if (!write.IsOk)
            {
                Open.Add(write);
                return;
            }

            Shard ??= write.Result!.Position?.Shard;
            _byRevision.TryAdd(write.Result!.Revision, write);
            _inRevisions.Add(write);
            _inReturns.Add((write.Return, write));
        }

        public void Sort()
        {
            _inRevisions.Sort(static (left, right) => left.Result!.Revision.CompareTo(right.Result!.Revision));
            _inReturns.Sort(static (left, right) => left.Return.CompareTo(right.Return));
            for (int i = 1; i < _inReturns.Count; i++)
                if (_inReturns[i].Write.Result!.Revision < _inReturns[i - 1].Write.Result!.Revision) _inReturns[i] = _inReturns[i] with { Write = _inReturns[i - 1].Write };
        }

        public LogicalOperation? At(ulong revision) => _byRevision.GetValueOrDefault(revision);

        /// <summary>Of those that had returned by then the one with the highest revision.</summary>
        public LogicalOperation? LastReturnedBefore(long call) => CountWhile(_inReturns.Count, i => _inReturns[i].Return < call) is var count and > 0 ? _inReturns[count - 1].Write : null;

        public LogicalOperation? LastUpTo(ulong revision) => CountWhile(_inRevisions.Count, i => _inRevisions[i].Result!.Revision <= revision) is var count and > 0 ? _inRevisions[count - 1] : null;

        /// <summary>A delete can have come after the put and before the list saw the key.</summary>
        public bool MayBeGoneAfter(LogicalOperation put, ClientCall list) =>
            _mayExpire || Open.Any(open => open.Asked.Kind == RequestKind.Delete && open.Call <= list.Return)
            || _inRevisions.Any(write => write.Asked.Kind == RequestKind.Delete && write.Result!.Revision > put.Result!.Revision && write.Call <= list.Return);

        private static int CountWhile(int count, Func<int, bool> holds)
        {
            int low = 0;
            int high = count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (holds(middle)) low = middle + 1;
                else high = middle;
            }

            return low;
        }
    }

    private sealed class Truth
    {
        private readonly SortedDictionary<string, KeyTruth> _keys = new(StringComparer.Ordinal);
        private readonly Dictionary<string, KeyTruth[]> _byPrefix = new(StringComparer.Ordinal);

        public Truth(IReadOnlyList<ClientCall> history)
        {
            foreach (LogicalOperation write in LogicalRequest.OperationsOf(history).Where(operation => operation.MayHaveChanged))
            {
                if (!_keys.TryGetValue(write.Key, out KeyTruth? key)) _keys.Add(write.Key, key = new KeyTruth(write.Key));
                key.Add(write);
            }

            foreach (KeyTruth key in _keys.Values) key.Sort();
        }

        public KeyTruth? Find(string key) => _keys.GetValueOrDefault(key);

        public KeyTruth[] Under(string prefix)
        {
            if (!_byPrefix.TryGetValue(prefix, out KeyTruth[]? keys)) _byPrefix.Add(prefix, keys = [.. _keys.Values.Where(key => key.Key.StartsWith(prefix, StringComparison.Ordinal))]);
            return keys;
        }
    }
}
