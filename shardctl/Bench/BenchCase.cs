using RaftKv.Bench;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench;

/// <summary>A load, and the cluster it is put on.</summary>
/// <param name="Load">What it is called in the tables.</param>
/// <param name="Plan">But for endpoints and times.</param>
/// <param name="IsSpread">Whether clients are connected to all servers; else to the leader.</param>
internal sealed record BenchCase(string Load, BenchCluster Cluster, LoadPlan Plan, bool IsSpread = false)
{
    /// <summary>What it is compared with, another case of the same rounds.</summary>
    public BenchCase? ComparedWith { get; init; }
}
