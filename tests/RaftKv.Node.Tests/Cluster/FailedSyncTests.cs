using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>A failed sync ends the process before anything more is acknowledged, and is never tried again (design §3.5; testing/faults.md, A1).</summary>
public sealed class FailedSyncTests
{
    private const int Fatal = 86;

    /// <summary>strace counts calls per thread: the log's syncs all come from PERSIST, which makes hardly any before the first write.</summary>
    private const int GoodSyncs = 40;

    [Fact]
    public async Task A_node_whose_sync_fails_is_dead_before_any_further_acknowledgement()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(before: Strace(cluster));
        await node.WaitReadyAsync();
        WriteLoad load = new([node], clients: 1);
        Assert.Equal(Fatal, await node.WaitForExitAsync());
        int applied = load.Applied;
        await load.StopAsync();

        // One client writes one after the other, each write one sync: none after the failed one was acknowledged.
        Assert.Equal(applied, load.Applied);
        Assert.InRange(applied, 10, GoodSyncs);
        string[] injected = [.. File.ReadAllLines(TraceFile(cluster)).Where(line => line.Contains("INJECTED", StringComparison.Ordinal))];
        Assert.Single(injected);
        Assert.Matches("fatal: PERSIST: DiskFailedException: .*0000000000000001.log: fdatasync failed: Input/output error", node.Output);

        node.Start();
        await node.WaitReadyAsync();
        await load.CheckAsync(node);
    }

    [Fact]
    public async Task When_one_nodes_sync_fails_the_others_go_on_and_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = TestCluster.Make(3);
        NodeUnderTest broken = cluster.Nodes[0];
        broken.Start(before: Strace(cluster));
        foreach (NodeUnderTest other in cluster.Others(broken)) other.Start();
        await cluster.WaitReadyAsync();
        WriteLoad load = new(cluster.Nodes);
        Assert.Equal(Fatal, await broken.WaitForExitAsync());
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await load.CheckAsync([.. cluster.Others(broken)]);

        broken.Start();
        await broken.WaitReadyAsync();
        await load.CheckAsync(broken);
    }

    private static string TraceFile(TestCluster cluster) => Path.Combine(cluster.DirectoryPath, "strace.txt");

    private static string[] Strace(TestCluster cluster)
    {
        string? strace = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(directory => Path.Combine(directory, "strace")).FirstOrDefault(File.Exists);
        if (strace is null) Assert.Skip("strace is not installed");
        return [strace, "-f", "--seccomp-bpf", "-qq", "-o", TraceFile(cluster), "-e", "trace=fdatasync", "-e", $"inject=fdatasync:error=EIO:when={GoodSyncs + 1}+"];
    }
}
