using System.Globalization;
using System.Text;

namespace RaftKv.Checking;

/// <summary>
/// Why a key is not linearizable: the order found that places the most answered operations, and the one that cannot
/// follow it although it must have taken effect before anything else returns.
/// </summary>
/// <param name="Operations">All operations on the key that were checked, in the order of their calls.</param>
/// <param name="LongestPrefix">Operations in the order of their effects; each fits after the ones before it.</param>
/// <param name="Misfit">The operation that fits nowhere.</param>
/// <param name="State">The key after the longest prefix, in words.</param>
public sealed record Counterexample(
    string Key,
    IReadOnlyList<Operation> Operations,
    IReadOnlyList<Operation> LongestPrefix,
    Operation Misfit,
    string State)
{
    private const string Marker = ">>";

    /// <summary>One line per operation; of a long history, at most <paramref name="maxLines"/> around the misfit.</summary>
    public string ToText(int maxLines = 80)
    {
        StringBuilder text = new();
        text.Append($"key \"{Key}\" is not linearizable: {LongestPrefix.Count} of {Operations.Count} operations fit in the order numbered,\n");
        text.Append($"after which {State}, and the one marked {Marker} fits nowhere\n");

        (int start, int end) = Excerpt(maxLines);
        if (start > 0) text.Append($"  … {start} earlier operations\n");
        foreach (string line in Lines(start, end)) text.Append(line).Append('\n');
        if (end < Operations.Count) text.Append($"  … {Operations.Count - end} later operations\n");
        return text.ToString();
    }

    public override string ToString() => ToText();

    private IEnumerable<string> Lines(int start, int end)
    {
        Dictionary<Operation, string> places = new(ReferenceEqualityComparer.Instance) { [Misfit] = Marker };
        for (int i = 0; i < LongestPrefix.Count; i++) places[LongestPrefix[i]] = (i + 1).ToString(CultureInfo.InvariantCulture);

        Operation[] shown = [.. Operations.Skip(start).Take(end - start)];
        int placeWidth = shown.Max(operation => places.GetValueOrDefault(operation, "").Length);
        int processWidth = shown.Max(operation => Process(operation).Length);
        int intervalWidth = shown.Max(operation => Interval(operation).Length);
        return shown.Select(operation =>
            $"  {places.GetValueOrDefault(operation, "").PadLeft(placeWidth)}  {Process(operation).PadRight(processWidth)}"
            + $"  {Interval(operation).PadLeft(intervalWidth)}  {operation}");
    }

    /// <summary>The window [start, end) of operations to show: two thirds of it before the misfit.</summary>
    private (int Start, int End) Excerpt(int maxLines)
    {
        int misfit = 0;
        while (!ReferenceEquals(Operations[misfit], Misfit)) misfit++;
        int start = Math.Max(0, Math.Min(misfit - maxLines * 2 / 3, Operations.Count - maxLines));
        return (start, Math.Min(Operations.Count, start + maxLines));
    }

    private static string Process(Operation operation) => $"p{operation.Process}";

    private static string Interval(Operation operation) =>
        $"{operation.Call}..{(operation.LatestEffect == Operation.Never ? "" : operation.LatestEffect)}";
}
