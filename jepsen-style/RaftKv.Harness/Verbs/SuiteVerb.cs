using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Reports;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style tour</c> and <c>jepsen-style matrix</c>: many runs, a table at the end.</summary>
internal static class SuiteVerb
{
    public static Command CreateTour(Screen screen)
    {
        Option<int> seed = new("--seed") { Description = "Of all runs.", HelpName = "N", DefaultValueFactory = _ => 1 };
        Option<string> output = Output("out/tour");
        Command command = new("tour", "Every workload once, under the main faults: some ten minutes.") { seed, output };
        command.SetAction((result, _) => RunAsync(screen, Suite.Tour(result.GetValue(seed)), result.GetValue(output)!, resumes: false));
        return command;
    }

    public static Command CreateMatrix(Screen screen)
    {
        Option<int> seed = new("--seed") { Description = "Of all runs.", HelpName = "N", DefaultValueFactory = _ => 1 };
        Option<double> seconds = new("--seconds") { Description = "Of each run.", HelpName = "N", DefaultValueFactory = _ => 20 };
        Option<string> output = Output("out/matrix");
        Command command = new("matrix", "Every workload under every fault: some five hours. Goes on where it was stopped, as long as the nodes' build is the same.") { seed, seconds, output };
        command.SetAction((result, _) => RunAsync(screen, Suite.Matrix(result.GetValue(seed), result.GetValue(seconds)), result.GetValue(output)!, resumes: true));
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, IReadOnlyList<(string Name, RunPlan Plan)> plans, string output, bool resumes)
    {
        string program = NodeProgramFile.Find(Environment.GetEnvironmentVariable(NodeProgramFile.Variable));
        string build = await NodeBuild.OfAsync(program);
        Directory.CreateDirectory(output);
        string file = Path.Combine(output, "results.jsonl");
        Dictionary<string, SuiteEntry> done = resumes ? Suite.ReadDone(file, build) : [];
        if (done.Count > 0) screen.Line($"{done.Count} of {plans.Count} runs of build {build} were done before");
        using StopSignals signals = new();
        List<SuiteEntry> entries = [];
        foreach (var (name, plan) in plans)
        {
            if (done.TryGetValue(name, out SuiteEntry? before))
            {
                entries.Add(before);
                continue;
            }

            if (plan.Faults.Select(fault => FaultCatalog.MissingFor(FaultCatalog.Named(fault))).FirstOrDefault(why => why is not null) is { } missing)
            {
                entries.Add(new SuiteEntry(name, build, "unknown", [$"not run: {missing}"], 0, 0, 0, ""));
                continue;
            }

            string directory = Path.GetFullPath(Path.Combine(output, string.Create(CultureInfo.InvariantCulture, $"{name.Replace(' ', '-')}-{plan.Seed}")));
            if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
            Stopwatch watch = Stopwatch.StartNew();
            try
            {
                RunResult result = await screen.WithSpinnerAsync($"{entries.Count + 1} of {plans.Count}: {name}", _ => new Run(plan, program, directory, _ => { }).RunAsync(signals.Stop));
                ReportFiles.Write(result, directory);
                if (result.Verdict == RunVerdict.Valid) RunFiles.DeleteData(directory);
                SuiteEntry entry = new(name, build, result.Verdict.ToString().ToLowerInvariant(), result.Reasons, result.History.Count, result.Faults.Count, Math.Round(watch.Elapsed.TotalSeconds, 1), directory);
                entries.Add(entry);
                Suite.Append(file, entry);
                screen.Line(string.Create(CultureInfo.InvariantCulture, $"{entries.Count,3} of {plans.Count}  {entry.Verdict,-8} {name}  ({entry.Calls} calls, {entry.Faults} faults, {entry.Seconds:F0} s){(result.Reasons.IsEmpty ? "" : $": {result.Reasons[0]}")}"),
                    result.Verdict switch { RunVerdict.Valid => "green", RunVerdict.Invalid => "bold red", _ => "yellow" });
            }
            catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
            {
                screen.Line($"stopped; {(resumes ? "the same command goes on from here" : "nothing is left running")}", "yellow");
                break;
            }
        }

        SummaryPage.Write(Path.Combine(output, "summary.html"), build, plans.Count, entries);
        return Close(screen, plans.Count, entries, build, output);
    }

    private static int Close(Screen screen, int planned, List<SuiteEntry> entries, string build, string output)
    {
        screen.Line();
        screen.Table(["run", "verdict", "calls", "faults", "why"], [.. entries.Select(entry => (Cell[])
        [
            new(entry.Name, "bold"), entry.Verdict switch { "valid" => new Cell("valid", "green"), "invalid" => new Cell("INVALID", "red"), _ => new Cell("unknown", "yellow") },
            entry.Calls.ToString(CultureInfo.InvariantCulture), entry.Faults.ToString(CultureInfo.InvariantCulture), entry.Reasons.IsEmpty ? "" : entry.Reasons[0],
        ])], "why");
        int invalid = entries.Count(entry => entry.Verdict == "invalid");
        int valid = entries.Count(entry => entry.Verdict == "valid");
        screen.Line();
        screen.Line(string.Create(CultureInfo.InvariantCulture, $"build {build}: {valid} valid, {invalid} invalid, {entries.Count - valid - invalid} unknown of {planned} runs; {entries.Sum(entry => entry.Calls)} calls, {entries.Sum(entry => entry.Faults)} faults; reports in {output}, all of them in {Path.Combine(output, "summary.html")}"),
            invalid > 0 ? "bold red" : valid == planned ? "bold green" : "bold yellow");
        return invalid > 0 ? ExitCode.Invalid : valid == planned ? ExitCode.Valid : ExitCode.Unknown;
    }

    private static Option<string> Output(string directory) => new("--out") { Description = "Where its runs are kept.", HelpName = "DIR", DefaultValueFactory = _ => directory };
}
