using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Reports;

/// <summary>A run's result on the screen.</summary>
internal static class RunText
{
    public static void Show(Screen screen, RunResult result, string directory)
    {
        screen.Line();
        if (result.Faults.Count > 0)
        {
            screen.Table(["fault", "from", "to", "target", "bit", "evidence"], [.. result.Faults.Select(Row)], "evidence");
            screen.Line();
        }

        screen.Table(["calls", "ok", "refused", "failed", "unknown"], [.. result.History.GroupBy(call => call.Kind).OrderBy(group => group.Key).Select(Row)]);
        screen.Line();
        ShowChecks(screen, result.Checks);
        screen.Line(Sentence(result), result.Verdict switch { RunVerdict.Valid => "bold green", RunVerdict.Invalid => "bold red", _ => "bold yellow" });
        foreach (string reason in result.Reasons) screen.Line($"  {reason}");
        screen.Line($"history, node logs and report: {directory}");
        screen.Line($"again: {result.Plan.CommandLine()}");
    }

    public static void ShowChecks(Screen screen, IReadOnlyList<CheckVerdict> checks)
    {
        screen.Table(["checker", "verdict", "looked at"], [.. checks.Select(Row)]);
        screen.Line();
        foreach (CheckVerdict check in checks.Where(check => check.Finding is not null)) ShowFinding(screen, check.Finding!);
    }

    /// <summary>The verdict in a sentence.</summary>
    public static string Sentence(RunResult result)
    {
        string what = string.Create(CultureInfo.InvariantCulture, $"{result.History.Count} calls of {result.Plan.Workload} on {result.Plan.Nodes} nodes with {result.Plan.Shards} shards, {result.Faults.Count} faults");
        return result.Verdict switch
        {
            RunVerdict.Valid => $"VALID: {what}; nothing contradicts itself",
            RunVerdict.Invalid => $"INVALID: {what}",
            _ => $"UNKNOWN: {what}; not enough to say that it is valid",
        };
    }

    private static void ShowFinding(Screen screen, Finding finding)
    {
        screen.Line($"{finding.Checker}: {finding.Sentence}", "bold red");
        foreach (ClientCall call in finding.Calls) screen.Line($"  {CallText.Of(call)}");
        if (finding.Detail.Length > 0) screen.Line(finding.Detail);
        screen.Line();
    }

    private static Cell[] Row(FaultRecord fault) =>
    [
        new(fault.Name, "bold"), Seconds(fault.StartMicros), Seconds(fault.EndMicros), fault.Bite.Target, fault.Bite.HasBitten ? new Cell("yes", "green") : new Cell("NO", "red"),
        string.Join(", ", fault.Bite.Evidence.Select(count => string.Create(CultureInfo.InvariantCulture, $"{count.Value} {count.Key}"))),
    ];

    private static Cell[] Row(IGrouping<CallKind, ClientCall> calls)
    {
        string Count(OutcomeKind outcome) => calls.Count(call => call.Outcome == outcome).ToString(CultureInfo.InvariantCulture);
        return [new(calls.Key.ToString().ToLowerInvariant(), "bold"), Count(OutcomeKind.Ok), Count(OutcomeKind.Refused), Count(OutcomeKind.Failed), Count(OutcomeKind.Unknown)];
    }

    private static Cell[] Row(CheckVerdict check) =>
    [
        new(check.Checker, "bold"),
        check.Verdict switch { Verdict.Linearizable => new Cell("valid", "green"), Verdict.NotLinearizable => new Cell("INVALID", "red"), _ => new Cell("unknown", "yellow") },
        check.Checked.ToString(CultureInfo.InvariantCulture),
    ];

    private static string Seconds(long micros) => (micros / 1e6).ToString("F1", CultureInfo.InvariantCulture) + " s";
}
