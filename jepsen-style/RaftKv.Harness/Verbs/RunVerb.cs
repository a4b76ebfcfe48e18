using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Reports;
using RaftKv.Harness.Runs;

namespace RaftKv.Harness.Verbs;

/// <summary><c>jepsen-style run</c>: one run, by options or by a plan file.</summary>
internal static class RunVerb
{
    private static readonly RunPlan s_defaults = new("register");

    public static Command Create(Screen screen)
    {
        Argument<string> what = new("workload|plan.json") { Description = "A workload, as list shows them, or a file with a whole plan." };
        Option<int?> nodes = Number("--nodes", $"How many nodes. [default: {s_defaults.Nodes}]");
        Option<int?> shards = Number("--shards", $"How many shards. [default: {s_defaults.Shards}]");
        Option<string?> faults = new("--faults") { Description = "Which faults, as list shows them; each bites at least once. [default: none]", HelpName = "NAME,..." };
        Option<double?> time = new("--time") { Description = FormattableString.Invariant($"How long clients are at work: 90, 90s, 10m, 2h. [default: {s_defaults.Seconds}s]"), HelpName = "TIME", CustomParser = Duration };
        Option<double?> rate = new("--rate") { Description = FormattableString.Invariant($"Calls a second, of all clients together. [default: {s_defaults.Rate}]"), HelpName = "N", CustomParser = Decimal };
        Option<int?> concurrency = Number("--concurrency", $"Clients. [default: {s_defaults.Concurrency}]");
        Option<int?> seed = Number("--seed", "Equal seeds make equal choices. [default: by chance]");
        Option<int?> timeout = Number("--timeout-ms", $"Of each call. [default: {s_defaults.TimeoutMillis}]");
        Option<string[]> nodeOptions = new("--node-option") { Description = "A further flag of every node, such as --snapshot-entries=100. May be given several times.", HelpName = "FLAG=VALUE", AllowMultipleArgumentsPerToken = false };
        Option<bool> namespaces = new("--namespaces") { Description = "Each node in a network namespace of its own, also if no fault needs that. Needs root." };
        Option<string> output = new("--out") { Description = "A directory for the run's is made in it.", HelpName = "DIR", DefaultValueFactory = _ => "out" };
        Option<bool> keep = new("--keep") { Description = "Keep the nodes' data also when the run is valid." };
        Command command = new("run", "Start a cluster, let clients work on it under faults, and check every answer.") { what, nodes, shards, faults, time, rate, concurrency, seed, timeout, nodeOptions, namespaces, output, keep };
        command.SetAction(async (result, _) =>
        {
            RunPlan plan = result.GetValue(what)!.EndsWith(".json", StringComparison.Ordinal) ? RunPlan.Read(result.GetValue(what)!) : (s_defaults with { Workload = result.GetValue(what)!, Seed = Random.Shared.Next(1, 1_000_000) }).Complete();
            plan = plan with
            {
                Nodes = result.GetValue(nodes) ?? plan.Nodes,
                Shards = result.GetValue(shards) ?? plan.Shards,
                Faults = result.GetValue(faults) is { } names ? [.. names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct()] : plan.Faults,
                Seconds = result.GetValue(time) ?? plan.Seconds,
                Rate = result.GetValue(rate) ?? plan.Rate,
                Concurrency = result.GetValue(concurrency) ?? plan.Concurrency,
                Seed = result.GetValue(seed) ?? plan.Seed,
                TimeoutMillis = result.GetValue(timeout) ?? plan.TimeoutMillis,
                NodeOptions = result.GetValue(nodeOptions) is { Length: > 0 } flags ? [.. flags] : plan.NodeOptions,
                Namespaces = result.GetValue(namespaces) || plan.Namespaces,
            };
            return await RunAsync(screen, plan.Checked(), result.GetValue(output)!, result.GetValue(keep));
        });
        return command;
    }

    private static async Task<int> RunAsync(Screen screen, RunPlan plan, string output, bool keep)
    {
        string program = NodeProgramFile.Find(Environment.GetEnvironmentVariable(NodeProgramFile.Variable));
        string directory = Path.GetFullPath(Path.Combine(output, string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyyMMdd-HHmmss}-{plan.Workload}-{plan.Seed}")));
        using StopSignals signals = new();
        screen.Line(plan.CommandLine(), "bold");
        try
        {
            RunResult result = await new Run(plan, program, directory, what => screen.Line(what)).RunAsync(signals.Stop);
            if (result.Verdict == RunVerdict.Valid && !keep) RunFiles.DeleteData(directory);
            ReportFiles.Write(result, directory);
            RunText.Show(screen, result, directory);
            return result.ExitCode;
        }
        catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
        {
            screen.Line($"stopped; nothing is checked. history and node logs: {directory}", "yellow");
            return ExitCode.Unknown;
        }
    }

    internal static Option<int?> Number(string name, string description) => new(name) { Description = description, HelpName = "N", CustomParser = Whole };

    private static int? Whole(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)) return number;
        argument.AddError($"'{text}' is not a whole number.");
        return null;
    }

    private static double? Decimal(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)) return number;
        argument.AddError($"'{text}' is not a number.");
        return null;
    }

    private static double? Duration(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        double factor = text.Length > 0 ? text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3_600, _ => 0 } : 0;
        string number = factor == 0 ? text : text[..^1];
        if (double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)) return value * (factor == 0 ? 1 : factor);
        argument.AddError($"'{text}' is no time such as 90s, 10m or 2h.");
        return null;
    }
}
