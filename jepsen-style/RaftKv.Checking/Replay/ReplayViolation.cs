using System.Text;

namespace RaftKv.Checking.Replay;

/// <summary>What the positions and answers of a history contradict.</summary>
public enum ReplayFault : byte
{
    /// <summary>An answer is not what the shard's earlier operations lead to: a lost write, a write applied twice, a phantom, a wrong condition.</summary>
    Answer,

    /// <summary>An operation stands in the order before one that had returned when it was called: a stale read, or a write before its time.</summary>
    RealTime,

    /// <summary>Two writes claim one place in the log.</summary>
    PositionTaken,

    /// <summary>A later write of the shard has no later revision.</summary>
    RevisionOrder,
}

/// <summary>The first contradiction found, with what a person needs to see it.</summary>
/// <param name="Sentence">What is wrong, in one sentence.</param>
/// <param name="Culprit">The operation whose answer cannot be.</param>
/// <param name="Before">The last operations on its key that stand before it, in the order of their positions; for a fault of real time the one that had returned.</param>
public sealed record ReplayViolation(ReplayFault Fault, string Sentence, Operation Culprit, IReadOnlyList<Operation> Before)
{
    /// <summary>The sentence, then a line for each operation, the culprit marked.</summary>
    public string ToText()
    {
        StringBuilder text = new();
        text.Append(Sentence).Append('\n');
        foreach (Operation operation in Before) text.Append("     ").Append(Line(operation)).Append('\n');
        text.Append("  >> ").Append(Line(Culprit)).Append('\n');
        return text.ToString();
    }

    public override string ToString() => ToText();

    private static string Line(Operation operation) =>
        $"p{operation.Process}  {operation.Call}..{(operation.LatestEffect == Operation.Never ? "" : operation.LatestEffect)}  {operation.Position}  \"{operation.Key}\" {operation}";
}
