using System.Diagnostics;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Time comes to consensus through a clock that tests can bend (design §6): else no clock fault would reach it.</summary>
public sealed class ClockTests
{
    private const int Rate = 4;

    [Fact]
    public async Task The_clock_of_consensus_runs_faster_under_libfaketime()
    {
        string? library = Directory.Exists("/usr/lib") ? Directory.EnumerateDirectories("/usr/lib").Select(directory => Path.Combine(directory, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists) : null;
        if (library is null) Assert.Skip("libfaketime is not installed");
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(before: ["env", "LD_PRELOAD=" + library, $"FAKETIME=+0 x{Rate}"]);
        await node.WaitReadyAsync();

        long before = await UptimeMillisAsync(node);
        Stopwatch real = Stopwatch.StartNew();
        await Wait.UntilAsync("three seconds by the node's clock", async () => await UptimeMillisAsync(node) - before >= 3_000);
        Assert.InRange(real.ElapsedMilliseconds, 1, 2_000);
    }

    private static async Task<long> UptimeMillisAsync(NodeUnderTest node) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("uptimeMillis").GetInt64();
}
