using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RaftKv.Harness.Plans;

/// <summary>
/// All that decides what a run does. The same plan makes the same choices and the same faults at the same times; what the cluster makes of them is its own.
/// </summary>
/// <param name="Workload">By its name.</param>
/// <param name="Faults">By their names; each bites at least once.</param>
/// <param name="Seconds">How long clients are at work, faults included.</param>
/// <param name="Rate">Calls a second, all clients together.</param>
/// <param name="Concurrency">Clients.</param>
/// <param name="TimeoutMillis">Of each call.</param>
/// <param name="NodeOptions">Further flags of every node, such as <c>--snapshot-entries</c>.</param>
/// <param name="Namespaces">Each node in a network namespace of its own, also if no fault needs that.</param>
internal sealed record RunPlan(
    string Workload, int Nodes = 3, int Shards = 4, ImmutableArray<string> Faults = default, double Seconds = 60, double Rate = 300, int Concurrency = 10, int Seed = 1,
    int TimeoutMillis = 2_000, ImmutableArray<string> NodeOptions = default, bool Namespaces = false)
{
    public const int MaxNodes = 9;
    public const int MaxShards = 256;
    public const int MaxConcurrency = 1_000;

    /// <summary>Reads a plan file. Throws <see cref="CommandException"/> that names what is wrong.</summary>
    public static RunPlan Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), PlanJson.Default.RunPlan)?.Complete() ?? throw new CommandException(ExitCode.Usage, $"{path}: null is no plan");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException(ExitCode.Usage, $"{path}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }

    public RunPlan Complete() => this with { Faults = Faults.IsDefault ? [] : Faults, NodeOptions = NodeOptions.IsDefault ? [] : NodeOptions };

    /// <summary>Throws <see cref="CommandException"/> that names the first member out of its range.</summary>
    public RunPlan Checked()
    {
        Range("nodes", Nodes, 1, MaxNodes);
        Range("shards", Shards, 1, MaxShards);
        Range("concurrency", Concurrency, 1, MaxConcurrency);
        Range("rate", Rate, 1, 1_000_000);
        Range("time", Seconds, 1, 7 * 24 * 3600);
        Range("timeoutMillis", TimeoutMillis, 10, 60_000);
        return this;
    }

    /// <summary>The command that does the same again.</summary>
    public string CommandLine()
    {
        List<string> words = ["bin/jepsen-style run", Workload, $"--nodes {Nodes}", $"--shards {Shards}"];
        if (!Faults.IsEmpty) words.Add($"--faults {string.Join(',', Faults)}");
        words.Add(FormattableString.Invariant($"--time {Seconds}s --rate {Rate} --concurrency {Concurrency} --seed {Seed}"));
        if (TimeoutMillis != 2_000) words.Add(FormattableString.Invariant($"--timeout-ms {TimeoutMillis}"));
        words.AddRange(NodeOptions.Select(option => $"--node-option {option}"));
        if (Namespaces) words.Add("--namespaces");
        return string.Join(' ', words);
    }

    private static void Range(string name, double value, double least, double most)
    {
        if (!(value >= least && value <= most)) throw new CommandException(ExitCode.Usage, FormattableString.Invariant($"{name} {value}: must be from {least} to {most}"));
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, WriteIndented = true, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(RunPlan))]
internal sealed partial class PlanJson : JsonSerializerContext;
