using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>Puts to one shard, at its leader, beside etcd's; and what an idempotency key costs, which etcd does not have.</summary>
internal static class PutsSuite
{
    public const string Name = "puts";
    private const string WithKeys = ", with idempotency keys";

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using EtcdCluster etcd = settings.NewEtcd();
        await using RaftKvCluster raftKv = settings.NewRaftKv(shards: 1);
        BenchRounds rounds = new(settings, progress, cancellation);
        await rounds.StartAsync(etcd, raftKv);
        ImmutableArray<CaseOutput> cases = await rounds.RunAsync([.. CasesOf(etcd, raftKv, 64), .. CasesOf(etcd, raftKv, 256)]);
        return new BenchOutput(Name, "puts, one shard, at the leader", [.. cases.Where(one => one.ComparedWith is not null && !one.Rounds[0].IdempotencyKeys).SelectMany(Findings.ThroughputAndTail)], cases);
    }

    private static BenchCase[] CasesOf(BenchCluster etcd, BenchCluster raftKv, int clients)
    {
        BenchCase etcdOwn = new($"{clients} clients, a connection each", etcd, Loads.Own(LoadProtocol.EtcdGrpc, clients));
        BenchCase own = new(etcdOwn.Load, raftKv, Loads.Own(LoadProtocol.RaftKvHttp1, clients)) { ComparedWith = etcdOwn };
        BenchCase etcdShared = new($"{clients} clients, {Loads.FewConnections} connections", etcd, Loads.Shared(LoadProtocol.EtcdGrpc, clients));
        BenchCase shared = new(etcdShared.Load, raftKv, Loads.Shared(LoadProtocol.RaftKvHttp2, clients)) { ComparedWith = etcdShared };
        return [etcdOwn, own, Keyed(own), Keyed(shared), shared, etcdShared];
    }

    private static BenchCase Keyed(BenchCase plain) => plain with { Load = plain.Load + WithKeys, Plan = plain.Plan with { HasIdempotencyKeys = true }, ComparedWith = plain };
}
