using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Shardctl.Bench.Servers;

namespace RaftKv.Shardctl.Bench.Suites;

/// <summary>Puts to 64 shards beside puts to one, both from clients that are connected to all nodes, which forward.</summary>
internal static class ShardsSuite
{
    public const string Name = "shards";
    private const int Clients = 256;
    private const int Shards = 64;

    /// <summary>As many to each node.</summary>
    private const int FewConnections = 9;
    private const double Goal = 0.85;

    public static async Task<BenchOutput> RunAsync(CompareSettings settings, StepProgress progress, CancellationToken cancellation)
    {
        await using RaftKvCluster one = settings.NewRaftKv(1, "1 shard");
        await using RaftKvCluster many = settings.NewRaftKv(Shards, $"{Shards} shards");
        BenchRounds rounds = new(settings, progress, cancellation);
        await rounds.StartAsync(one, many);
        BenchCase oneOwn = new($"{Clients} clients, a connection each", one, Loads.Own(LoadProtocol.RaftKvHttp1, Clients), IsSpread: true);
        BenchCase oneShared = new($"{Clients} clients, {FewConnections} connections", one, Loads.Shared(LoadProtocol.RaftKvHttp2, Clients, FewConnections), IsSpread: true);
        ImmutableArray<CaseOutput> cases = await rounds.RunAsync([oneOwn, oneOwn with { Cluster = many, ComparedWith = oneOwn }, oneShared with { Cluster = many, ComparedWith = oneShared }, oneShared]);
        return new BenchOutput(Name, $"puts to {Shards} shards and to one, clients at all nodes", [.. cases.Where(one => one.ComparedWith is not null).Select(one => Findings.Throughput(one, Goal))], cases);
    }
}
