using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>Linearizable gets from one shard, at its leader, beside etcd's.</summary>
internal static class GetsSuite
{
    public const string Name = "gets";

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using EtcdCluster etcd = settings.NewEtcd();
        await using RaftKvCluster raftKv = settings.NewRaftKv(shards: 1);
        BenchRounds rounds = new(settings, progress, cancellation);
        await rounds.StartAsync(etcd, raftKv);
        BenchCase[] all = [.. CasesOf(etcd, raftKv, 64), .. CasesOf(etcd, raftKv, 256)];
        foreach (BenchCase one in all.DistinctBy(one => one.Cluster)) await rounds.FillAsync(one);
        ImmutableArray<CaseOutput> cases = await rounds.RunAsync(all);
        return new BenchOutput(Name, "linearizable gets, one shard, at the leader", [.. cases.Where(one => one.ComparedWith is not null).Select(one => Findings.Throughput(one))], cases);
    }

    private static BenchCase[] CasesOf(BenchCluster etcd, BenchCluster raftKv, int clients)
    {
        BenchCase etcdOwn = new($"{clients} clients, a connection each", etcd, Reading(Loads.Own(LoadProtocol.EtcdGrpc, clients)));
        BenchCase own = new(etcdOwn.Load, raftKv, Reading(Loads.Own(LoadProtocol.RaftKvHttp1, clients))) { ComparedWith = etcdOwn };
        BenchCase etcdShared = new($"{clients} clients, {Loads.FewConnections} connections", etcd, Reading(Loads.Shared(LoadProtocol.EtcdGrpc, clients)));
        BenchCase shared = new(etcdShared.Load, raftKv, Reading(Loads.Shared(LoadProtocol.RaftKvHttp2, clients))) { ComparedWith = etcdShared };
        return [etcdOwn, own, shared, etcdShared];
    }

    private static LoadPlan Reading(LoadPlan plan) => plan with { ReadShare = 1 };
}
