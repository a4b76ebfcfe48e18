namespace RaftKv.Checking.Append;

/// <summary>A cycle: Edges[i] is the number of the edge from Nodes[i] to the next of them.</summary>
internal sealed record Cycle(int[] Nodes, int[] Edges);

/// <summary>Finds a short cycle by the fewest kinds of edges that make one, so that it is named by what is least allowed.</summary>
/// <remarks>
/// Elle §5: components by growing sets of edges, then breadth-first search within one. First cycles are looked for that have one read-write edge (G-single), then
/// any. The work is bounded: then the shortest of those seen is told.
/// </remarks>
internal sealed class CycleSearch
{
    private const long MostVisits = 20_000_000;

    private static readonly Dependencies[] s_growing =
    [
        Dependencies.WriteWrite,
        Dependencies.WriteWrite | Dependencies.WriteRead,
        Dependencies.WriteWrite | Dependencies.WriteRead | Dependencies.ReadWrite,
    ];

    private readonly DependencyGraph _graph;
    private readonly int[] _reachedBy;
    private readonly int[] _reachedIn;
    private int _search;
    private long _visits;

    private CycleSearch(DependencyGraph graph)
    {
        _graph = graph;
        (_reachedBy, _reachedIn) = (new int[graph.Nodes], new int[graph.Nodes]);
    }

    /// <summary>Null if there is no cycle at all.</summary>
    public static Cycle? Find(DependencyGraph graph)
    {
        const Dependencies All = Dependencies.WriteWrite | Dependencies.WriteRead | Dependencies.ReadWrite | Dependencies.Process | Dependencies.RealTime;
        if (StrongComponents.Of(graph, All).InCycles.Count == 0) return null;
        CycleSearch search = new(graph);
        foreach (Dependencies order in new[] { Dependencies.None, Dependencies.Process, Dependencies.Process | Dependencies.RealTime })
        {
            foreach (Dependencies kinds in s_growing)
            {
                StrongComponents components = StrongComponents.Of(graph, kinds | order);
                if (components.InCycles.Count > 0) return search.Shortest(components, kinds | order);
            }
        }

        throw new InvalidOperationException("the components of all edges have a cycle, and those of no set of them");
    }

    private Cycle Shortest(StrongComponents components, Dependencies kinds)
    {
        Cycle? shortest = null;
        if ((kinds & Dependencies.ReadWrite) != 0)
        {
            foreach (int node in components.InCycles)
            {
                for (int edge = _graph.First[node]; edge < _graph.First[node + 1]; edge++)
                {
                    if (_graph.Kinds[edge] != Dependencies.ReadWrite || IsSpent(shortest)) continue;
                    Keep(ref shortest, Through(components, node, edge, kinds & ~Dependencies.ReadWrite));
                }
            }
        }

        if (shortest is not null) return shortest;
        foreach (int node in components.InCycles)
        {
            for (int edge = _graph.First[node]; edge < _graph.First[node + 1]; edge++)
            {
                if ((_graph.Kinds[edge] & kinds) == 0 || IsSpent(shortest)) continue;
                Keep(ref shortest, Through(components, node, edge, kinds));
            }
        }

        return shortest!;
    }

    /// <summary>Nothing shorter can be, or enough was looked at.</summary>
    private bool IsSpent(Cycle? shortest) => shortest is { Nodes.Length: 2 } || (_visits > MostVisits && shortest is not null);

    private static void Keep(ref Cycle? shortest, Cycle? found)
    {
        if (found is not null && (shortest is null || found.Nodes.Length < shortest.Nodes.Length)) shortest = found;
    }

    /// <summary>The shortest cycle that begins with an edge and goes on by edges of these kinds; null if none does.</summary>
    private Cycle? Through(StrongComponents components, int from, int first, Dependencies kinds)
    {
        int start = _graph.Targets[first];
        int component = components.ComponentOf[from];
        if (components.ComponentOf[start] != component) return null;
        _search++;
        Queue<int> waiting = new([start]);
        (_reachedIn[start], _reachedBy[start]) = (_search, -1);
        while (waiting.TryDequeue(out int node))
        {
            for (int edge = _graph.First[node]; edge < _graph.First[node + 1]; edge++)
            {
                _visits++;
                int target = _graph.Targets[edge];
                if ((_graph.Kinds[edge] & kinds) == 0 || components.ComponentOf[target] != component || _reachedIn[target] == _search) continue;
                (_reachedIn[target], _reachedBy[target]) = (_search, edge);
                if (target == from) return Back(from, first);
                waiting.Enqueue(target);
            }
        }

        return null;
    }

    private Cycle Back(int from, int first)
    {
        List<int> edges = [];
        List<int> nodes = [];
        for (int node = from; _reachedBy[node] >= 0; node = SourceOf(_reachedBy[node]))
        {
            edges.Add(_reachedBy[node]);
            nodes.Add(SourceOf(_reachedBy[node]));
        }

        edges.Add(first);
        nodes.Add(from);
        edges.Reverse();
        nodes.Reverse();
        // It is told from the transaction that was called first.
        int start = nodes.IndexOf(nodes.Min());
        return new Cycle([.. nodes[start..], .. nodes[..start]], [.. edges[start..], .. edges[..start]]);
    }

    private int SourceOf(int edge)
    {
        int found = Array.BinarySearch(_graph.First, edge);
        if (found < 0) return ~found - 1;
        while (_graph.First[found + 1] == edge) found++; // Nodes without edges begin where the next does.
        return found;
    }
}
