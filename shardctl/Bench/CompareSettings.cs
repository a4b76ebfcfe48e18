using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench;

/// <summary>How a comparison is to be made.</summary>
/// <param name="Rounds">Of each load; ≥ 1.</param>
/// <param name="Duration">Each load is measured for so long in each round, after <paramref name="WarmUp"/>.</param>
/// <param name="Kills">Of leaders, of each system; ≥ 1.</param>
/// <param name="IdleTime">An idle cluster is watched for so long, after having been left alone for as long.</param>
/// <param name="AllocationTime">For so long allocations are counted.</param>
/// <param name="Directory">Absolute; everything is kept below it, and goes at the end.</param>
/// <param name="NodeProgram">raftkv-node.</param>
/// <param name="Etcd">The program.</param>
internal sealed record CompareSettings(
    int Rounds, TimeSpan Duration, TimeSpan WarmUp, int Kills, TimeSpan IdleTime, TimeSpan AllocationTime, int Seed, string Directory, string NodeProgram, string Etcd)
{
    public const string RaftKv = "raftkv";
    public const string EtcdName = "etcd";

    /// <param name="name">Of the cluster, as shown; unique.</param>
    public RaftKvCluster NewRaftKv(int shards, string name = RaftKv) => new(name, NodeProgram, Path.Combine(Directory, name.Replace(' ', '-')), shards);

    public EtcdCluster NewEtcd() => new(EtcdName, Etcd, Path.Combine(Directory, EtcdName));
}
