using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Logs that are cut under load on real disks, and a node that comes back too late for them (design §7; faults.md F71).</summary>
public sealed class SnapshotTests
{
    private static readonly string[] s_smallLogs = ["--snapshot-entries", "200", "--catch-up-entries", "20", "--segment-bytes", "1048576"];

    [Fact(Explicit = true)]
    public async Task A_node_that_comes_back_after_the_log_was_cut_gets_a_snapshot_and_serves_everything()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 1, s_smallLogs);
        NodeUnderTest leader = await cluster.LeaderAsync();
        NodeUnderTest away = cluster.Others(leader).First();
        NodeUnderTest other = cluster.Others(leader).Last();
        WriteLoad before = new(cluster.Nodes, prefix: "before");
        await before.MoreAppliedAsync(100);
        await before.StopAsync();
        ulong had = Group(await StatusAsync(away)).GetProperty("last").GetUInt64();
        await away.KillAsync();

        WriteLoad load = new([leader, other], prefix: "meanwhile");
        await load.MoreAppliedAsync(2_000);
        await Wait.UntilAsync("the log is cut beyond what the node has", async () => Group(await StatusAsync(leader)).GetProperty("snapshotIndex").GetUInt64() > had);
        away.Start();
        await Wait.UntilAsync("a snapshot is installed", async () => Snapshots(await StatusAsync(away), "installed") == 1, () => away.Output);
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await Wait.UntilAsync("it has everything", async () =>
            Group(await StatusAsync(away)).GetProperty("applied").GetUInt64() == (await Task.WhenAll(cluster.Nodes.Select(StatusAsync))).Max(status => Group(status).GetProperty("commit").GetUInt64()));
        Assert.True(Group(await StatusAsync(away)).GetProperty("snapshotIndex").GetUInt64() > had);
        await Wait.UntilAsync("the sender has heard of it", async () => (await Task.WhenAll(cluster.Nodes.Select(StatusAsync))).Sum(status => Snapshots(status, "sent")) == 1);
        await Wait.UntilAsync("both sides log it", () => Task.FromResult(
            away.Output.Contains("Shard 1: installed a snapshot, term ", StringComparison.Ordinal)
            && cluster.Nodes.Any(node => node.Output.Contains("has installed a snapshot from here, term ", StringComparison.Ordinal))));
        // One live generation in each directory, and no checkpoint left.
        await Wait.UntilAsync("what was replaced is gone", () => Task.FromResult(cluster.Nodes.All(node => Directory.GetDirectories(Path.Combine(node.Directory, "shards", "1")).Length == 1)));

        await leader.KillAsync();
        await away.WaitReadyAsync();
        await before.CheckAsync(away, other);
        await load.CheckAsync(away, other);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(away.Url, "after", "it goes on"));

        // And again from its own disk: the commit point names the installed generation.
        await away.KillAsync();
        away.Start();
        await cluster.Nodes.Except([leader]).Last().WaitReadyAsync();
        await away.WaitReadyAsync();
        await before.CheckAsync(away);
        await load.CheckAsync(away);
    }

    // S3, S10: cuts and flushes under load, and a kill of everybody at any moment of it.
    [Fact(Explicit = true)]
    public async Task When_all_nodes_are_killed_while_their_logs_are_cut_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 2, "--snapshot-entries", "20", "--catch-up-entries", "0", "--segment-bytes", "65536");
        WriteLoad load = new(cluster.Nodes);
        for (int round = 0; round < 3; round++)
        {
            await load.MoreAppliedAsync(300);
            await Task.WhenAll(cluster.Nodes.Select(node => node.KillAsync()));
            foreach (NodeUnderTest node in cluster.Nodes) node.Start();
            await cluster.WaitReadyAsync();
        }

        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await load.CheckAsync(cluster.Nodes);
        foreach (NodeUnderTest node in cluster.Nodes)
            Assert.True(Group(await StatusAsync(node)).GetProperty("snapshotIndex").GetUInt64() > 10);
    }

    private static Task<JsonElement> StatusAsync(NodeUnderTest node) => Client.GetJsonAsync(node.Url, "/v1/status");

    private static JsonElement Group(JsonElement status) => status.GetProperty("groups")[0];

    private static long Snapshots(JsonElement status, string what) => status.GetProperty("snapshots").GetProperty(what).GetInt64();
}
