using RaftKv.Checking;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Workloads;

/// <summary>Every workload by its name.</summary>
internal static class WorkloadCatalog
{
    private static readonly RunPlan s_any = new("any");

    /// <summary>Those of the issue that the API does not carry yet, and what is missing.</summary>
    public static IReadOnlyList<(string Name, string Missing)> Unsupported { get; } = [("watch", "watch API"), ("leases", "lease API"), ("locks", "leases")];

    /// <summary>Name and summary of each.</summary>
    public static IEnumerable<(string Name, string Summary)> All => Kinds(s_any, ClockError.None).Select(workload => (workload.Name, workload.Summary));

    /// <summary>A fresh one for a run. Throws <see cref="CommandException"/> that names what there is.</summary>
    /// <param name="clocks">What faults do to the nodes'; null for nothing.</param>
    public static Workload Make(RunPlan plan, ClockError? clocks = null) => Kinds(plan, clocks ?? ClockError.None).FirstOrDefault(workload => workload.Name == plan.Workload)
        ?? throw new CommandException(ExitCode.Usage, Unsupported.FirstOrDefault(row => row.Name == plan.Workload) is { Missing: { } missing } ? $"workload '{plan.Workload}': unsupported, RaftKv has no {missing} yet" : $"there is no workload '{plan.Workload}'; there are {string.Join(", ", All.Select(row => row.Name))}");

    private static IEnumerable<Workload> Kinds(RunPlan plan, ClockError clocks) =>
    [
        new RegisterWorkload(plan.Shards), new AppendWorkload(plan.Shards), new BankWorkload(plan.Shards), new BatchWorkload(plan.Shards), new CounterWorkload(), new RetryWorkload(plan.Shards), new ListWorkload(),
        new MonotonicWorkload(plan.Shards, clocks), new SetWorkload(), new TtlWorkload(clocks),
    ];
}
