using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Reports;

/// <summary>report.json, and what the page shows. Times are seconds of the run, latencies milliseconds. Members may be added, none is renamed or removed.</summary>
internal sealed record ReportData(
    string Verdict, string Sentence, ImmutableArray<string> Reasons, string Command, RunPlan Plan, DateTimeOffset Began, double Seconds, ImmutableArray<CheckRow> Checks, ImmutableArray<FindingData> Findings,
    ImmutableArray<CallRow> Calls, ImmutableArray<ErrorRow> Errors, ImmutableArray<SecondRow> Timeline, ImmutableArray<FaultRow> Faults, ImmutableArray<LeaderRow> Leaders)
{
    /// <summary>After a fault's end so long is still looked at for its longest gap.</summary>
    private const long AftermathMicros = 5_000_000;

    /// <summary>Pure.</summary>
    public static ReportData Of(RunResult result)
    {
        IReadOnlyList<ClientCall> history = result.History;
        ClientCall[] writes = [.. history.Where(call => call is { IsWrite: true, Outcome: OutcomeKind.Ok }).OrderBy(call => call.Return)];
        return new ReportData(
            result.Verdict.ToString().ToLowerInvariant(), RunText.Sentence(result), result.Reasons, result.Plan.CommandLine(), result.Plan, result.Began, result.EndedMicros / 1e6,
            [.. result.Checks.Select(check => new CheckRow(check.Checker, Word(check), check.Checked, check.Finding?.Sentence ?? check.Unknown))],
            [.. result.Checks.Where(check => check.Finding is not null).Select(check => FindingData.Of(check.Finding!))],
            [.. history.GroupBy(call => call.Kind).OrderBy(group => group.Key).Select(CallRow.Of)],
            [.. history.Where(call => call.Error.Length > 0 && call.Outcome is OutcomeKind.Failed or OutcomeKind.Unknown).GroupBy(call => (call.Error, call.Outcome)).OrderByDescending(group => group.Count())
                .Select(group => new ErrorRow(group.Key.Error, group.Key.Outcome.ToString().ToLowerInvariant(), group.Count()))],
            TimelineOf(history, result.EndedMicros), [.. result.Faults.Select(fault => FaultRow.Of(fault, writes, AftermathMicros))],
            [.. result.Leaders.Select(change => new LeaderRow(change.AtMicros / 1e6, change.Shard, change.Leader, change.Term))]);
    }

    public static string Word(CheckVerdict check) => check.Verdict switch { Checking.Verdict.Linearizable => "valid", Checking.Verdict.NotLinearizable => "invalid", _ => "unknown" };

    /// <summary>The value below which a share of the sorted values lies; 0 of none.</summary>
    internal static double Percentile(IReadOnlyList<double> sorted, double share) => sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(share * sorted.Count))];

    private static ImmutableArray<SecondRow> TimelineOf(IReadOnlyList<ClientCall> history, long endMicros)
    {
        int seconds = (int)(endMicros / 1_000_000) + 1;
        List<double>[] latencies = [.. Enumerable.Range(0, seconds).Select(_ => new List<double>())];
        int[] failed = new int[seconds];
        int[] unknown = new int[seconds];
        foreach (ClientCall call in history)
        {
            if (call.Outcome == OutcomeKind.Unknown)
            {
                unknown[Math.Min(seconds - 1, (int)(call.Call / 1_000_000))]++;
                continue;
            }

            int second = Math.Min(seconds - 1, (int)(call.Return / 1_000_000));
            if (call.Outcome == OutcomeKind.Failed) failed[second]++;
            else latencies[second].Add((call.Return - call.Call) / 1e3);
        }

        foreach (List<double> second in latencies) second.Sort();
        return [.. latencies.Select((second, at) => new SecondRow(at, second.Count, failed[at], unknown[at], Percentile(second, 0.5), Percentile(second, 0.99), second.Count == 0 ? 0 : second[^1]))];
    }
}

/// <summary>What a checker says. <c>Why</c>: the finding's sentence, or why it is unknown.</summary>
internal sealed record CheckRow(string Checker, string Verdict, long Checked, string? Why);

/// <summary>What is wrong, with the few calls that show it.</summary>
internal sealed record FindingData(string Checker, string Sentence, string Detail, ImmutableArray<CallData> Calls)
{
    public static FindingData Of(Finding finding) => new(finding.Checker, finding.Sentence, finding.Detail, [.. finding.Calls.Select(call => new CallData(call.Process, call.Call, call.Return == Operation.Never ? null : call.Return, CallText.Of(call)))]);
}

/// <param name="Return">Null: never answered. Both in microseconds.</param>
internal sealed record CallData(int Process, long Call, long? Return, string Text);

/// <summary>Calls of one kind.</summary>
internal sealed record CallRow(string Kind, int Ok, int Refused, int Failed, int Unknown, double P50Ms, double P99Ms, double MaxMs)
{
    public static CallRow Of(IGrouping<CallKind, ClientCall> calls)
    {
        List<double> latencies = [.. calls.Where(call => call.Outcome is OutcomeKind.Ok or OutcomeKind.Refused).Select(call => (call.Return - call.Call) / 1e3).Order()];
        return new CallRow(
            calls.Key.ToString().ToLowerInvariant(), Count(OutcomeKind.Ok), Count(OutcomeKind.Refused), Count(OutcomeKind.Failed), Count(OutcomeKind.Unknown),
            ReportData.Percentile(latencies, 0.5), ReportData.Percentile(latencies, 0.99), latencies.Count == 0 ? 0 : latencies[^1]);

        int Count(OutcomeKind outcome) => calls.Count(call => call.Outcome == outcome);
    }
}

internal sealed record ErrorRow(string Code, string Outcome, int Count);

/// <summary>One second: calls that returned in it; those of unknown outcome stand where they were called.</summary>
internal sealed record SecondRow(int At, int Ok, int Failed, int Unknown, double P50Ms, double P99Ms, double MaxMs);

/// <param name="LongestGapMs">The longest time without an acknowledged write that touches the fault or the five seconds after it.</param>
/// <param name="RecoveredMs">From its end until every shard that took writes before had acknowledged one that was called after it; null if one did not any more.</param>
internal sealed record FaultRow(string Name, double Start, double End, string Target, bool HasBitten, ImmutableSortedDictionary<string, double> Evidence, double LongestGapMs, double? RecoveredMs)
{
    /// <param name="writes">Acknowledged, in the order of their returns.</param>
    public static FaultRow Of(FaultRecord fault, ClientCall[] writes, long aftermathMicros)
    {
        long gap = 0;
        for (int i = 1; i < writes.Length; i++)
        {
            (long from, long to) = (writes[i - 1].Return, writes[i].Return);
            if (to >= fault.StartMicros && from <= fault.EndMicros + aftermathMicros) gap = Math.Max(gap, to - from);
        }

        HashSet<ulong> missing = [.. writes.TakeWhile(write => write.Return < fault.StartMicros).SelectMany(ShardsOf)];
        long? recovered = missing.Count == 0 ? 0 : null;
        foreach (ClientCall write in writes.Where(write => write.Call >= fault.EndMicros))
        {
            if (missing.Count == 0) break;
            missing.ExceptWith(ShardsOf(write));
            if (missing.Count == 0) recovered = write.Return - fault.EndMicros;
        }

        return new FaultRow(fault.Name, fault.StartMicros / 1e6, fault.EndMicros / 1e6, fault.Bite.Target, fault.Bite.HasBitten, fault.Bite.Evidence, gap / 1e3, recovered / 1e3);
    }

    private static IEnumerable<ulong> ShardsOf(ClientCall write) => write.Results.Select(result => result.Position).OfType<Position>().Select(position => position.Shard);
}

internal sealed record LeaderRow(double At, ulong Shard, string Leader, ulong Term);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ReportData))]
internal sealed partial class ReportJson : JsonSerializerContext;

/// <summary>Writes report.json and report.html into a run's directory.</summary>
internal static class ReportFiles
{
    private const string Template = "report.html";
    private const string Placeholder = "/*DATA*/null";

    public static void Write(RunResult result, string directory)
    {
        string json = JsonSerializer.Serialize(ReportData.Of(result), ReportJson.Default.ReportData);
        File.WriteAllText(Path.Combine(directory, "report.json"), json + "\n");
        File.WriteAllText(Path.Combine(directory, "report.html"), Page(json));
    }

    /// <summary>The page with its data in it. System.Text.Json escapes &lt; and &gt;, so no value can end the script.</summary>
    internal static string Page(string json)
    {
        using Stream stream = typeof(ReportFiles).Assembly.GetManifestResourceStream(Template)!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd().Replace(Placeholder, json, StringComparison.Ordinal);
    }
}
