namespace RaftKv.Checking;

/// <summary>
/// Looks for an order of one object's operations that respects real time and that the model accepts: Wing &amp; Gong's
/// depth-first search with Lowe's memory of visited configurations. Deterministic: no clock, thread or randomness.
/// </summary>
/// <remarks>
/// <para>Wing &amp; Gong 1993, "Testing and verifying concurrent objects"; Lowe 2017; Horn &amp; Kroening, arXiv
/// 1504.00204. A call in front of the first remaining return may be linearized next. When only that return is left in
/// front, its operation should have been linearized earlier: turn back.</para>
/// <para>A required operation must be placed; the search ends when all are. An optional one (unknown outcome) may be
/// placed anywhere after its call, or never.</para>
/// <para>Required operations are tried before optional ones: most unknown writes explain nothing, and trying each of them
/// first, everywhere, would cost their square at each position.</para>
/// <para>Observations go first: if an operation is possible now and leaves the state as it is, then in any linearization
/// of the rest it can be moved to the front, where it stands between the same neighbours of real time and changes
/// nothing. So no alternative to it is tried.</para>
/// <para>Of twins the one called first goes first: in a linearization that says otherwise the two can be exchanged.</para>
/// <para>Invariants: the stack holds exactly the operations that are in <see cref="_placed"/> and not in
/// <see cref="_list"/>; requiredLeft counts the returns in the list. One use per instance; not thread-safe.</para>
/// </remarks>
public sealed class LinearizationSearch<TModel, TState>
    where TModel : struct, IModel<TState>
    where TState : unmanaged, IEquatable<TState>
{
    private readonly TModel _model;
    private readonly long _maxSteps;
    private readonly Interval[] _intervals;
    private readonly EventList _list;
    private readonly LinearizedSet _placed;
    private readonly ConfigurationCache<TState> _visited = new();
    private readonly int[] _optional;
    private readonly ulong[] _unavailable;
    private readonly Frame[] _stack;
    private readonly int[] _longest;
    private TState _state;
    private long _modelSteps;
    private int _depth;
    private int _requiredLeft;

    /// <summary>The first entries of _longest and of the stack are known to be equal up to here.</summary>
    private int _sharedDepth;
    private int _longestDepth;
    private int _fewestLeft = int.MaxValue;

    /// <param name="intervals">When operation n can have taken effect, for each n the model knows.</param>
    /// <param name="maxSteps">The <see cref="Steps"/> after which the search gives up; the scan that crosses the line is finished.</param>
    public LinearizationSearch(ReadOnlySpan<Interval> intervals, TModel model, long maxSteps)
    {
        _intervals = intervals.ToArray();
        foreach (Interval interval in _intervals)
        {
            bool isOrdered = !interval.Required || interval.Call <= interval.Return;
            if (!isOrdered) throw new ArgumentException($"returns before its call: {interval}", nameof(intervals));
        }

        _model = model;
        _maxSteps = maxSteps;
        _list = new EventList(intervals);
        List<(int Operation, bool Required)> byCall = OperationsByCall();
        _placed = new LinearizedSet(byCall);
        _optional = [.. byCall.Where(operation => !operation.Required).Select(operation => operation.Operation)];
        _unavailable = new ulong[_placed.Optional.Length];
        _stack = new Frame[intervals.Length];
        _longest = new int[intervals.Length];
        _requiredLeft = _intervals.Count(interval => interval.Required);
    }

    /// <summary>Operations tried on a state, and remembered configurations compared: the measure of work.</summary>
    public long Steps => _modelSteps + _visited.Comparisons;

    /// <summary>After Linearizable a witness; else the order found that places the most required operations.</summary>
    public ReadOnlySpan<int> LongestPrefix => _longest.AsSpan(0, _longestDepth);

    /// <summary>After NotLinearizable, the operation whose return no continuation of the longest prefix can pass; else -1.</summary>
    public int Misfit { get; private set; } = -1;

    public Verdict Run()
    {
        Verdict verdict = Search();
        if (verdict != Verdict.NotLinearizable) Misfit = -1;
        return verdict;
    }

    private Verdict Search()
    {
        _state = _model.Initial;
        Candidate candidate = FirstCandidate();
        while (_requiredLeft > 0)
        {
            if (Steps >= _maxSteps) return Verdict.Unknown;
            if (_list.IsCall(candidate.Node))
            {
                candidate = TryPlace(candidate) ? FirstCandidate() : candidate with { Node = _list.Next(candidate.Node) };
            }
            else if (!candidate.IsOptional)
            {
                candidate = new Candidate(_list.First, IsOptional: true);
            }
            else
            {
                KeepIfLongest(candidate.Node);
                if (!TryTurnBack(out candidate)) return Verdict.NotLinearizable;
            }
        }

        KeepIfLongest(EventList.End);
        return Verdict.Linearizable;
    }

    /// <summary>In a configuration just reached: places what changes nothing, then starts with the choices that remain.</summary>
    private Candidate FirstCandidate()
    {
        bool mayObserveMore = true;
        while (mayObserveMore && Steps < _maxSteps) mayObserveMore = TryObserve();
        return new Candidate(_list.First, IsOptional: false);
    }

    private bool TryObserve()
    {
        for (int node = _list.First; _list.IsCall(node); node = _list.Next(node))
        {
            if (!_intervals[_list.OperationOf(node)].Required) continue;
            if (!TryStep(node, out TState next) || !next.Equals(_state)) continue;
            Push(node, next, isOnlyChoice: true);
            return true;
        }

        return false;
    }

    /// <summary>Places the candidate, if it is of the kind to try, possible now, and leads somewhere new.</summary>
    private bool TryPlace(Candidate candidate)
    {
        int operation = _list.OperationOf(candidate.Node);
        Interval interval = _intervals[operation];
        if (interval.Required == candidate.IsOptional) return false;
        if (interval.Twin >= 0 && !_placed.Contains(interval.Twin)) return false;
        if (!TryStep(candidate.Node, out TState next)) return false;
        _placed.Add(operation);
        bool isNew = _visited.TryAdd(_placed, Unavailable(next), next, _model.Hash(next));
        _placed.Remove(operation);
        if (isNew) Push(candidate.Node, next, isOnlyChoice: false);
        return isNew;
    }

    /// <summary>The optional operations that cannot be placed any more: placed already, or spent in this state.</summary>
    private ReadOnlySpan<ulong> Unavailable(in TState state)
    {
        _placed.Optional.CopyTo(_unavailable);
        for (int i = 0; i < _optional.Length; i++)
        {
            if (_model.IsSpent(state, _optional[i])) _unavailable[i / 64] |= 1UL << (i % 64);
        }

        return _unavailable;
    }

    private bool TryStep(int node, out TState next)
    {
        _modelSteps++;
        return _model.TryStep(_state, _list.OperationOf(node), out next);
    }

    private void Push(int node, in TState next, bool isOnlyChoice)
    {
        int operation = _list.OperationOf(node);
        _stack[_depth++] = new Frame(node, _state, isOnlyChoice);
        _placed.Add(operation);
        _list.Lift(node);
        if (_intervals[operation].Required) _requiredLeft--;
        _state = next;
    }

    /// <summary>Undoes placements up to the latest that had an alternative, and names the next one.</summary>
    private bool TryTurnBack(out Candidate next)
    {
        while (_depth > 0)
        {
            Frame frame = _stack[--_depth];
            int operation = _list.OperationOf(frame.Node);
            _state = frame.Before;
            if (_intervals[operation].Required) _requiredLeft++;
            _list.Unlift(frame.Node);
            _placed.Remove(operation);
            if (frame.IsOnlyChoice) continue;
            _sharedDepth = Math.Min(_sharedDepth, _depth);
            next = new Candidate(_list.Next(frame.Node), IsOptional: !_intervals[operation].Required);
            return true;
        }

        next = default;
        return false;
    }

    /// <summary>
    /// Remembers the stack if it places more required operations than any before, or as many with fewer optional ones.
    /// Only what differs is copied.
    /// </summary>
    private void KeepIfLongest(int blockedAt)
    {
        if ((_requiredLeft, _depth).CompareTo((_fewestLeft, _longestDepth)) >= 0) return;
        _fewestLeft = _requiredLeft;
        for (int i = _sharedDepth; i < _depth; i++) _longest[i] = _list.OperationOf(_stack[i].Node);
        _sharedDepth = _longestDepth = _depth;
        Misfit = _list.OperationOf(blockedAt);
    }

    private List<(int Operation, bool Required)> OperationsByCall()
    {
        List<(int, bool)> operations = [];
        for (int node = _list.First; node != EventList.End; node = _list.Next(node))
        {
            int operation = _list.OperationOf(node);
            if (_list.IsCall(node)) operations.Add((operation, _intervals[operation].Required));
        }

        return operations;
    }

    /// <summary>The event to look at next, in the pass over required calls or in the one over optional calls.</summary>
    private readonly record struct Candidate(int Node, bool IsOptional);

    /// <summary>One placement: the call, the state before it, and whether nothing else needs trying in its stead.</summary>
    private readonly record struct Frame(int Node, TState Before, bool IsOnlyChoice);
}
