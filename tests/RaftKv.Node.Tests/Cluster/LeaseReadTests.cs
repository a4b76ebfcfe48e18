using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Leases are the cluster's: an option of its first start, and nodes that would not keep them alike do not talk (design §6).</summary>
public sealed class LeaseReadTests
{
    [Fact]
    public async Task With_leases_a_read_that_asks_for_one_says_whether_it_had_one_through_any_node()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 1, "--lease-reads", "true");
        NodeUnderTest leader = await cluster.LeaderAsync();
        foreach (NodeUnderTest node in cluster.Nodes)
        {
            Assert.Equal(200, (await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/a", System.Text.Encoding.UTF8.GetBytes(node.Name))).Status);
            await Wait.UntilAsync("a read by lease", async () =>
            {
                RawResponse read = await RawHttp.OnceAsync(node.ClientPort, "GET", "/v1/kv/a?consistency=lease");
                Assert.Equal((200, node.Name, leader.Name), (read.Status, read.Text, read.Headers["RaftKv-Node"]));
                return read.Headers["RaftKv-Consistency"] == "lease";
            });
            RawResponse plain = await RawHttp.OnceAsync(node.ClientPort, "GET", "/v1/kv/a");
            Assert.Equal((node.Name, "linearizable", node.Name), (plain.Text, plain.Headers["RaftKv-Consistency"], plain.Headers["RaftKv-Node"]));
        }
    }

    [Fact]
    public async Task With_leases_a_node_of_another_election_timeout_takes_no_part()
    {
        await using TestCluster cluster = TestCluster.Make(3, shards: 1, "--lease-reads", "true");
        cluster.Nodes[0].Start();
        cluster.Nodes[1].Start();
        cluster.Nodes[2].Start(arguments: [.. cluster.Nodes[2].Arguments, "--election-timeout-ms", "900"]);
        await cluster.Nodes[0].WaitReadyAsync();
        NodeUnderTest restarted = cluster.Nodes[1];
        await restarted.KillAsync();
        restarted.Start(arguments: [.. restarted.Arguments, "--time-scale-percent", "40"]);
        Assert.Equal(1, await restarted.WaitForExitAsync());
        Assert.Contains("lease reads, which rely on an election timeout of 500 ms; --election-timeout-ms and --time-scale-percent make it 200 ms", restarted.Output, StringComparison.Ordinal);
        await Wait.UntilAsync("n3 is refused", () => Task.FromResult(cluster.Nodes[0].Output.Contains("for lease reads another election timeout", StringComparison.Ordinal)));
    }
}
