namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>The figures of a compared load that have a goal.</summary>
internal static class Findings
{
    /// <summary>How many times etcd's throughput RaftKv is to have.</summary>
    private const double ThroughputGoal = 1.5;

    public static FindingOutput Throughput(CaseOutput one) => Throughput(one, ThroughputGoal);

    public static FindingOutput Throughput(CaseOutput one, double goal) =>
        new($"{one.Load}: ops/s to {one.ComparedWith}", one.Ratio?.Median, $"≥ {goal}", one.Ratio?.Median >= goal);

    public static IEnumerable<FindingOutput> ThroughputAndTail(CaseOutput one) =>
        [Throughput(one), new FindingOutput($"{one.Load}: p99 to {one.ComparedWith}", one.P99Ratio?.Median, "≤ 1", one.P99Ratio?.Median <= 1)];
}
