namespace RaftKv.Checking.Append;

/// <summary>The strongly connected components of a graph by edges of some kinds: Tarjan's algorithm with a stack of its own, since a path may be as long as a run.</summary>
/// <remarks>Tarjan 1972, "Depth-first search and linear graph algorithms".</remarks>
internal sealed class StrongComponents
{
    private const int Unseen = 0;

    private StrongComponents(int[] componentOf, List<int> members)
    {
        ComponentOf = componentOf;
        InCycles = members;
    }

    /// <summary>Equal for two nodes exactly if each reaches the other.</summary>
    public int[] ComponentOf { get; }

    /// <summary>The nodes of components of more than one, component by component.</summary>
    public List<int> InCycles { get; }

    public static StrongComponents Of(DependencyGraph graph, Dependencies kinds)
    {
        int[] index = new int[graph.Nodes];
        int[] low = new int[graph.Nodes];
        int[] componentOf = new int[graph.Nodes];
        int[] nextEdge = graph.First[..graph.Nodes];
        Array.Fill(componentOf, -1);
        int[] path = new int[graph.Nodes];
        int[] stack = new int[graph.Nodes];
        List<int> inCycles = [];
        (int pathLength, int stackLength, int counter, int components) = (0, 0, 0, 0);
        for (int root = 0; root < graph.Nodes; root++)
        {
            if (index[root] != Unseen) continue;
            Enter(root);
            while (pathLength > 0)
            {
                int node = path[pathLength - 1];
                if (nextEdge[node] < graph.First[node + 1])
                {
                    int edge = nextEdge[node]++;
                    if ((graph.Kinds[edge] & kinds) == 0) continue;
                    int target = graph.Targets[edge];
                    if (index[target] == Unseen) Enter(target);
                    else if (componentOf[target] < 0) low[node] = Math.Min(low[node], index[target]);
                    continue;
                }

                pathLength--;
                if (pathLength > 0) low[path[pathLength - 1]] = Math.Min(low[path[pathLength - 1]], low[node]);
                if (low[node] == index[node]) Close(node);
            }
        }

        return new StrongComponents(componentOf, inCycles);

        void Enter(int node)
        {
            index[node] = low[node] = ++counter;
            path[pathLength++] = node;
            stack[stackLength++] = node;
        }

        void Close(int node)
        {
            bool isAlone = stack[stackLength - 1] == node;
            int member;
            do
            {
                member = stack[--stackLength];
                componentOf[member] = components;
                if (!isAlone) inCycles.Add(member);
            }
            while (member != node);
            components++;
        }
    }
}
