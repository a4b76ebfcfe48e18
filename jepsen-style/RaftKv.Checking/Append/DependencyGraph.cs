using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Append;

/// <summary>Why one transaction comes before another; as a set, one bit each.</summary>
[Flags]
internal enum Dependencies : byte
{
    None = 0,

    /// <summary>The other appended behind what this one had appended.</summary>
    WriteWrite = 1,

    /// <summary>The other read what this one had appended.</summary>
    WriteRead = 2,

    /// <summary>This one read the list without what the other appended.</summary>
    ReadWrite = 4,

    /// <summary>One process did both, this one first.</summary>
    Process = 8,

    /// <summary>This one had returned when the other was called.</summary>
    RealTime = 16,
}

/// <summary>
/// Which transaction comes before which. Nodes are the transactions of the history; the edges from node n are [First[n], First[n + 1]) of Targets and Kinds.
/// </summary>
/// <remarks>
/// Real time is given by its transitive reduction: of the transactions that had returned, those after which none of the others was called (the frontier) come before the
/// next one called. At most as many as there are clients, so edges are linear in transactions.
/// </remarks>
internal sealed class DependencyGraph
{
    private readonly AppendHistory _history;
    private readonly ListOrders _orders;
    private readonly GrowingArray<int> _from = new();
    private readonly GrowingArray<int> _to = new();
    private readonly GrowingArray<Dependencies> _kinds = new();

    public DependencyGraph(AppendHistory history, ListOrders orders)
    {
        (_history, _orders) = (history, orders);
        for (int txn = 0; txn < history.Requests.Count; txn++)
            if (IsCommitted(txn)) AddListEdges(txn);
        AddProcessEdges();
        AddRealTimeEdges();
        (First, Targets, Kinds) = Compressed();
    }

    public int Nodes => _history.Requests.Count;

    public int[] First { get; }

    public int[] Targets { get; }

    public Dependencies[] Kinds { get; }

    private bool IsCommitted(int txn) => _history.Commitments[txn] == Commitment.Committed;

    private void AddListEdges(int txn)
    {
        ReadOnlySpan<ListStep> steps = _history.StepsOf(txn);
        for (int i = 0; i < steps.Length; i++)
        {
            int key = steps[i].Key;
            int length = _history.Versions[steps[i].Version].Length;
            if (steps[i].IsAppend)
            {
                if (length > 1) Add(_orders.WriterAt(key, length - 2), txn, Dependencies.WriteWrite);
            }
            else if (!WroteBefore(steps[..i], key))
            {
                if (length > 0) Add(_orders.WriterAt(key, length - 1), txn, Dependencies.WriteRead);
                if (length < _orders.LengthOf(key)) Add(txn, _orders.WriterAt(key, length), Dependencies.ReadWrite);
            }
        }
    }

    private static bool WroteBefore(ReadOnlySpan<ListStep> steps, int key)
    {
        foreach (ListStep step in steps)
            if (step.IsAppend && step.Key == key) return true;
        return false;
    }

    /// <summary>A write that was repeated belongs to no process: nobody knows whose attempt did it.</summary>
    private void AddProcessEdges()
    {
        Dictionary<int, int> last = [];
        for (int txn = 0; txn < Nodes; txn++)
        {
            LogicalRequest request = _history.Requests[txn];
            if (!IsCommitted(txn) || request.Attempts.Count > 1 || request.Outcome != OutcomeKind.Ok) continue;
            if (last.TryGetValue(request.Answer.Process, out int before)) Add(before, txn, Dependencies.Process);
            last[request.Answer.Process] = txn;
        }
    }

    private void AddRealTimeEdges()
    {
        int[] returns = [.. Enumerable.Range(0, Nodes).Where(txn => IsCommitted(txn) && _history.Requests[txn].Return != Operation.Never)];
        long[] times = [.. returns.Select(txn => _history.Requests[txn].Return)];
        Array.Sort(times, returns);
        List<int> frontier = [];
        int returned = 0;
        for (int txn = 0; txn < Nodes; txn++)
        {
            if (!IsCommitted(txn)) continue;
            long call = _history.Requests[txn].Call;
            for (; returned < returns.Length && times[returned] < call; returned++)
            {
                long itsCall = _history.Requests[returns[returned]].Call;
                int kept = 0;
                for (int i = 0; i < frontier.Count; i++)
                    if (_history.Requests[frontier[i]].Return >= itsCall) frontier[kept++] = frontier[i];
                frontier.RemoveRange(kept, frontier.Count - kept);
                frontier.Add(returns[returned]);
            }

            foreach (int before in frontier) Add(before, txn, Dependencies.RealTime);
        }
    }

    private void Add(int from, int to, Dependencies kind)
    {
        if (from == to) return;
        _from.Add(from);
        _to.Add(to);
        _kinds.Add(kind);
    }

    private (int[] First, int[] Targets, Dependencies[] Kinds) Compressed()
    {
        int[] first = new int[Nodes + 1];
        foreach (int from in _from.Span) first[from + 1]++;
        for (int node = 0; node < Nodes; node++) first[node + 1] += first[node];
        int[] next = first[..Nodes];
        int[] targets = new int[_to.Span.Length];
        Dependencies[] kinds = new Dependencies[targets.Length];
        for (int edge = 0; edge < targets.Length; edge++)
        {
            int place = next[_from.Span[edge]]++;
            targets[place] = _to.Span[edge];
            kinds[place] = _kinds.Span[edge];
        }

        _from.Clear();
        _to.Clear();
        _kinds.Clear();
        return (first, targets, kinds);
    }

    /// <summary>A list without checks, that can be let go.</summary>
    private sealed class GrowingArray<T>
    {
        private T[] _items = new T[1024];
        private int _count;

        public ReadOnlySpan<T> Span => _items.AsSpan(0, _count);

        public void Add(T item)
        {
            if (_count == _items.Length) Array.Resize(ref _items, 2 * _count);
            _items[_count++] = item;
        }

        public void Clear() => (_items, _count) = ([], 0);
    }
}
