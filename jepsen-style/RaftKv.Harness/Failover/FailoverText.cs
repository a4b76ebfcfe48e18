using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RaftKv.Harness.Failover;

/// <summary>What one fault did to one system.</summary>
/// <param name="QuietP99Millis">The same gap of the second before each fault.</param>
/// <param name="Refused">Writes that were definitely not applied, all repetitions together, by reason.</param>
/// <param name="Unknown">Likewise: writes that may have been applied.</param>
internal sealed record FailoverRow(
    string Fault, string System, int Repetitions, double P50Millis, double P99Millis, double MaxMillis, double QuietP99Millis, int RepetitionsWithFailures,
    ImmutableSortedDictionary<string, long> Refused, ImmutableSortedDictionary<string, long> Unknown)
{
    public static FailoverRow Of(string fault, string system, IReadOnlyList<FailoverResult> results)
    {
        double[] gaps = [.. results.Select(result => result.GapMillis)];
        return new FailoverRow(
            fault, system, results.Count, Quantile.Of(gaps, 0.5), Quantile.Of(gaps, 0.99), gaps.Max(), Quantile.Of(results.Select(result => result.QuietGapMillis), 0.99),
            results.Count(result => result.Failed > 0), Sum(results.Select(result => result.Refused)), Sum(results.Select(result => result.Unknown)));
    }

    private static ImmutableSortedDictionary<string, long> Sum(IEnumerable<ImmutableSortedDictionary<string, long>> counts) =>
        counts.SelectMany(each => each).GroupBy(count => count.Key).ToImmutableSortedDictionary(group => group.Key, group => group.Sum(count => count.Value), StringComparer.Ordinal);
}

/// <summary>What RaftKv wants to reach; etcd beside it has no goals.</summary>
/// <param name="Figure">What of, as in the table.</param>
internal sealed record FailoverGoal(string Fault, string Figure, double AtMost, Func<FailoverRow, double> Of)
{
    public static IReadOnlyList<FailoverGoal> All { get; } =
    [
        new("kill", "p50 ms", 600, row => row.P50Millis), new("kill", "p99 ms", 1_200, row => row.P99Millis),
        new("stop", "p99 ms", 50, row => row.P99Millis), new("stop", "failed or unknown", 0, row => row.Refused.Values.Sum() + row.Unknown.Values.Sum()),
        new("hang", "p99 ms", 2_000, row => row.P99Millis),
    ];
}

/// <summary>What failover -o json writes.</summary>
internal sealed record FailoverOutput(string Build, string? Etcd, int Shards, ImmutableArray<FailoverRow> Rows, ImmutableArray<GoalOutput> Goals);

/// <summary>A goal, and what was reached.</summary>
internal sealed record GoalOutput(string Fault, string Figure, double AtMost, double Reached, bool IsMet);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(FailoverOutput))]
internal sealed partial class FailoverOutputJson : JsonSerializerContext;

/// <summary>All repetitions in one table, and the goals beside.</summary>
internal static class FailoverText
{
    public static FailoverOutput Summarise(string build, string? etcd, int shards, IReadOnlyList<FailoverResult> results)
    {
        ImmutableArray<FailoverRow> rows = [.. results.GroupBy(result => (result.Fault, result.System)).Select(group => FailoverRow.Of(group.Key.Fault, group.Key.System, [.. group]))];
        return new FailoverOutput(build, etcd, shards, [.. rows.OrderBy(row => Array.IndexOf([.. LeaderFault.Names], row.Fault)).ThenByDescending(row => row.System, StringComparer.Ordinal)], [.. rows.SelectMany(GoalsOf)]);
    }

    public static void Show(Screen screen, FailoverOutput output, string file, bool isJson)
    {
        if (isJson)
        {
            screen.Line(JsonSerializer.Serialize(output, FailoverOutputJson.Default.FailoverOutput));
            return;
        }

        screen.Line($"raftkv {output.Build}{(output.Etcd is null ? "" : $"; {output.Etcd}")}; {Number(output.Shards)} shard{(output.Shards == 1 ? "" : "s")}; longest write gap around the fault");
        screen.Table(
            ["fault", "system", "reps", "p50 ms", "p99 ms", "max ms", "failed", "unknown", "reps with either", "p99 before", "goal"],
            [.. output.Rows.Select(row => Row(row, [.. output.Goals.Where(goal => goal.Fault == row.Fault && row.System == RaftKvFailover.Name)]))], "p99 before", "reps with either");
        foreach (FailoverRow row in output.Rows.Where(row => row.Refused.Count + row.Unknown.Count > 0))
            screen.Line($"{row.Fault}, {row.System}: {string.Join(", ", [.. row.Refused.Select(count => $"{Number(count.Value)} failed: {count.Key}"), .. row.Unknown.Select(count => $"{Number(count.Value)} unknown: {count.Key}")])}", "grey");
        screen.Line($"every repetition: {file}");
    }

    private static IEnumerable<GoalOutput> GoalsOf(FailoverRow row) => row.System != RaftKvFailover.Name ? [] :
        FailoverGoal.All.Where(goal => goal.Fault == row.Fault).Select(goal => new GoalOutput(goal.Fault, goal.Figure, goal.AtMost, goal.Of(row), goal.Of(row) <= goal.AtMost));

    private static Cell[] Row(FailoverRow row, IReadOnlyList<GoalOutput> goals) =>
    [
        new(row.Fault, "bold"), row.System, Number(row.Repetitions), Number(row.P50Millis), Number(row.P99Millis), Number(row.MaxMillis), Number(row.Refused.Values.Sum()), Number(row.Unknown.Values.Sum()),
        Number(row.RepetitionsWithFailures), Number(row.QuietP99Millis),
        goals.Count == 0 ? "" : new Cell(string.Join(", ", goals.Select(goal => $"{goal.Figure} ≤ {Number(goal.AtMost)}{(goal.IsMet ? "" : " MISSED")}")), goals.All(goal => goal.IsMet) ? "green" : "yellow"),
    ];

    private static string Number(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);
}
