using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Append;

/// <summary>A cycle as a person follows it: T1 &lt; T2, because …; however T2 &lt; T1, because …: a contradiction.</summary>
internal sealed class CycleText(AppendHistory history, DependencyGraph graph, Cycle cycle)
{
    public Finding Finding()
    {
        string[] steps = [.. Enumerable.Range(0, cycle.Nodes.Length).Select(Step)];
        string sentence = $"{string.Join("; ", steps[..^1])}; however {steps[^1]}: a contradiction ({NameOf()})";
        string detail = string.Concat(cycle.Nodes.Select((node, i) => $"T{i + 1} = {CallText.Of(history.Requests[node].Answer)}\n"));
        return new Finding(AppendChecker.Name, sentence, [.. cycle.Nodes.Select(node => history.Requests[node].Answer).OrderBy(call => call.Call)], detail);
    }

    /// <summary>By Adya's names: what kinds of edges it has.</summary>
    private string NameOf()
    {
        Dependencies[] kinds = [.. cycle.Edges.Select(edge => graph.Kinds[edge])];
        int readWrites = kinds.Count(kind => kind == Dependencies.ReadWrite);
        bool areAdjacent = Enumerable.Range(0, kinds.Length).Any(i => kinds[i] == Dependencies.ReadWrite && kinds[(i + 1) % kinds.Length] == Dependencies.ReadWrite);
        string name = readWrites switch
        {
            0 => kinds.Contains(Dependencies.WriteRead) ? "G1c" : "G0",
            1 => "G-single",
            _ => areAdjacent ? "G2-item" : "G-nonadjacent",
        };
        return kinds.Contains(Dependencies.RealTime) ? $"{name}-realtime" : kinds.Contains(Dependencies.Process) ? $"{name}-process" : name;
    }

    private string Step(int i)
    {
        int next = (i + 1) % cycle.Nodes.Length;
        return $"T{i + 1} < T{next + 1}, because {Reason(i, next)}";
    }

    private string Reason(int i, int next)
    {
        (int from, int to) = (cycle.Nodes[i], cycle.Nodes[next]);
        (string first, string second) = ($"T{i + 1}", $"T{next + 1}");
        switch (graph.Kinds[cycle.Edges[i]])
        {
            case Dependencies.Process: return $"process {history.Requests[from].Answer.Process} did {first} first";
            case Dependencies.RealTime: return $"{first} had returned {CallText.For(history.Requests[to].Call - history.Requests[from].Return)} before {second} was called";
            case Dependencies.WriteWrite:
                {
                    (ListVersion mine, ListVersion its) = Versions(from, to, static (mine, its) => mine.IsAppend && its.IsAppend, 1);
                    return $"{first} appended {mine.Last} to {Name(mine)} and {second} appended {its.Last} behind it";
                }
            case Dependencies.WriteRead:
                {
                    (ListVersion mine, ListVersion its) = Versions(from, to, static (mine, its) => mine.IsAppend && !its.IsAppend, 0);
                    return $"{first} appended {mine.Last} to {Name(mine)} and {second} read {its}";
                }
            default:
                {
                    (ListVersion mine, ListVersion its) = Versions(from, to, static (mine, its) => !mine.IsAppend && its.IsAppend, 1);
                    return $"{first} read {mine} of {Name(mine)} and {second} appended {its.Last} behind that";
                }
        }
    }

    private string Name(in ListVersion version) => CallText.Quoted(history.Keys[version.Key]);

    /// <summary>The steps on one list that make an edge of this kind, the second longer by so many elements.</summary>
    private (ListVersion Mine, ListVersion Its) Versions(int from, int to, Func<ListStep, ListStep, bool> isOfKind, int longerBy)
    {
        foreach (ListStep mine in history.StepsOf(from))
        {
            foreach (ListStep its in history.StepsOf(to))
            {
                if (mine.Key == its.Key && isOfKind(mine, its) && history.Versions[its.Version].Length == history.Versions[mine.Version].Length + longerBy)
                    return (history.Versions[mine.Version], history.Versions[its.Version]);
            }
        }

        throw new InvalidOperationException("an edge without the steps that made it");
    }
}
