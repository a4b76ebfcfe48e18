using System.Diagnostics;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Starting;

/// <summary>A node ends within 10 s of SIGTERM, also one that has not got through its start (issue 2, "Starting nodes").</summary>
public sealed class StopDuringStartTests
{
    [Fact(Explicit = true)]
    public async Task A_node_whose_start_hangs_ends_in_time_and_loses_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest node = cluster.Nodes[0];
        Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, "key", "value"));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        string current = Path.Combine(node.Directory, "shards", "1", "1", "CURRENT");
        File.Move(current, current + ".away");
        Posix.MakePipe(current); // RocksDB reads it first of all, and nobody writes there.
        node.Start();
        await WaitForProcessIdAsync(node);
        Stopwatch watch = Stopwatch.StartNew();
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
        Assert.DoesNotContain("starts with", node.Output[node.Output.LastIndexOf("flushed", StringComparison.Ordinal)..], StringComparison.Ordinal);

        File.Move(current + ".away", current, overwrite: true);
        node.Start();
        await node.WaitReadyAsync();
        Assert.Equal("value", await Client.GetAsync(node.Url, "key"));
    }

    [Fact]
    public async Task A_node_that_gets_through_its_start_then_ends_in_good_order()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start();
        await WaitForProcessIdAsync(node);
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.Contains("the stores are flushed", node.Output, StringComparison.Ordinal);
    }

    /// <summary>The node writes it when it begins to look at what the directory holds.</summary>
    private static Task WaitForProcessIdAsync(NodeUnderTest node) =>
        Wait.UntilAsync("the node has begun to start", () => Task.FromResult(File.ReadAllText(Path.Combine(node.Directory, "node.pid")).EndsWith('\n')));
}
