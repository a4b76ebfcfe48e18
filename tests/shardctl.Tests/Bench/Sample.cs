using RaftKv.Bench;
using RaftKv.Bench.Meters;
using RaftKv.Client;
using RaftKv.Shardctl.Bench;

namespace RaftKv.Shardctl.Tests.Bench;

/// <summary>Results of loads as the tests of their rendering need them.</summary>
internal static class Sample
{
    public static readonly LoadPlan Plan = new() { Protocol = LoadProtocol.RaftKvHttp1, Endpoints = [new ClientEndpoint("127.0.0.1", 1)], Clients = 64, Connections = 64 };

    /// <summary>A run of ten seconds, in which a put took 2 ms but for one in a hundred, which took 9 ms.</summary>
    public static LoadResult Result(int puts = 1_000, params IReadOnlyList<ServerUse> servers)
    {
        Tally tally = new();
        for (int i = 0; i < puts; i++) tally.Puts.Record(i % 100 == 0 ? 9_000 : 2_000);
        return new LoadResult(tally, TimeSpan.FromSeconds(10), servers, DeviceWrittenBytes: 4_096_000, ClientCpuMicros: 5_000, MachineCpuMicros: 3_005_000, new Dictionary<string, long>(), new Dictionary<string, long>());
    }

    public static ServerUse Server(string name, long cpuMicros = 40_000) => new(name, 7, cpuMicros, 64 * 1024 * 1024, 1_000, 50, 300_000, 2_048_000, 3, 4);

    public static LoadOutput Output(int puts = 1_000, params IReadOnlyList<ServerUse> servers) => LoadOutput.Of(Plan, Result(puts, servers));
}
