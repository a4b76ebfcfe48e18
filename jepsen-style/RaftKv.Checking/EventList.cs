namespace RaftKv.Checking;

/// <summary>
/// The calls and returns of the operations not yet linearized, in time order: a doubly linked list over int arrays. A
/// call sorts before a return of the same time, so equal times are concurrent. An optional operation has a call only.
/// Invariants: a call stands before its return; node <see cref="End"/> closes the ring; lifts and unlifts nest.
/// </summary>
/// <remarks>Wing &amp; Gong 1993; the list and its lifting: Lowe 2017, "Testing for linearizability". Owned by one search.</remarks>
internal sealed class EventList
{
    /// <summary>The node before the first event and after the last.</summary>
    public const int End = 0;

    private const int None = -1;

    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int[] _operation;

    /// <summary>The return of a call; <see cref="None"/> on returns, <see cref="End"/> on the call of an optional operation.</summary>
    private readonly int[] _return;

    public EventList(ReadOnlySpan<Interval> intervals)
    {
        List<(long Time, bool IsReturn, int Operation)> events = [];
        for (int i = 0; i < intervals.Length; i++)
        {
            events.Add((intervals[i].Call, false, i));
            if (intervals[i].Required) events.Add((intervals[i].Return, true, i));
        }

        events.Sort();
        int nodes = events.Count + 1;
        (_next, _previous, _operation, _return) = (new int[nodes], new int[nodes], new int[nodes], new int[nodes]);
        int[] calls = new int[intervals.Length];
        for (int node = 1; node < nodes; node++)
        {
            (_, bool isReturn, int operation) = events[node - 1];
            _operation[node] = operation;
            _return[node] = isReturn ? None : End;
            if (isReturn) _return[calls[operation]] = node;
            else calls[operation] = node;
        }

        for (int node = 0; node < nodes; node++)
        {
            _next[node] = (node + 1) % nodes;
            _previous[_next[node]] = node;
        }
    }

    public int First => _next[End];

    public int Next(int node) => _next[node];

    public bool IsCall(int node) => node != End && _return[node] != None;

    public int OperationOf(int node) => _operation[node];

    /// <summary>Takes a call and its return out of the list.</summary>
    public void Lift(int call)
    {
        Unlink(call);
        if (_return[call] != End) Unlink(_return[call]);
    }

    /// <summary>Puts back what the latest <see cref="Lift"/> not yet undone took out.</summary>
    public void Unlift(int call)
    {
        if (_return[call] != End) Relink(_return[call]);
        Relink(call);
    }

    private void Unlink(int node)
    {
        _next[_previous[node]] = _next[node];
        _previous[_next[node]] = _previous[node];
    }

    private void Relink(int node)
    {
        _next[_previous[node]] = node;
        _previous[_next[node]] = node;
    }
}
