using System.Collections.Immutable;
using System.Text.Json.Serialization;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Runs;

/// <summary>One run of a suite, as its file remembers it.</summary>
/// <param name="Name">Within the suite.</param>
/// <param name="Build">Of the nodes: results of another build are not taken over.</param>
/// <param name="Faults">Carried out.</param>
internal sealed record SuiteEntry(string Name, string Build, string Verdict, ImmutableArray<string> Reasons, long Calls, int Faults, double Seconds, string Directory);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SuiteEntry))]
internal sealed partial class SuiteJson : JsonSerializerContext;

/// <summary>Many runs, one after the other. What is done is written down, so that a suite that was stopped goes on.</summary>
internal static class Suite
{
    /// <summary>Every workload once, each with faults of its own: some ten minutes.</summary>
    public static IReadOnlyList<(string Name, RunPlan Plan)> Tour(int seed)
    {
        string[][] faults =
        [
            ["kill-leader", "partition"], ["pause-leader", "one-way"], ["kill-all", "isolate-leader"], ["crash-loop", "flapping"], ["stop", "transfer-storm"],
            ["kill-majority", "reset"], ["pause", "slow-links"], ["isolate-leader", "kill"], ["kill-all", "corrupt"], ["kill-leader", "bridge"],
        ];
        return [.. WorkloadCatalog.All.Select((row, i) => (row.Name, (new RunPlan(row.Name, Seconds: 45, Seed: Seeds.Of(seed, i)) with { Faults = [.. faults[i % faults.Length]] }).Complete()))];
    }

    /// <summary>Every workload under every fault.</summary>
    public static IReadOnlyList<(string Name, RunPlan Plan)> Matrix(int seed, double seconds)
    {
        List<(string, RunPlan)> plans = [];
        foreach (Fault fault in FaultCatalog.All)
        {
            foreach (var (workload, _) in WorkloadCatalog.All)
            {
                int nodes = Enumerable.Range(3, RunPlan.MaxNodes - 2).First(count => fault.UnfitFor(count) is null);
                plans.Add(($"{workload} under {fault.Name}", (new RunPlan(workload, nodes, Seconds: seconds, Seed: Seeds.Of(seed, plans.Count)) with { Faults = [fault.Name] }).Complete()));
            }
        }

        return plans;
    }

    /// <summary>Those of an earlier start with the same build.</summary>
    public static Dictionary<string, SuiteEntry> ReadDone(string file, string build)
    {
        Dictionary<string, SuiteEntry> done = new(StringComparer.Ordinal);
        foreach (SuiteEntry entry in JsonLines.Read(file, SuiteJson.Default.SuiteEntry))
            if (entry.Build == build) done[entry.Name] = entry;
        return done;
    }

    public static void Append(string file, SuiteEntry entry) => JsonLines.Append(file, entry, SuiteJson.Default.SuiteEntry);
}
