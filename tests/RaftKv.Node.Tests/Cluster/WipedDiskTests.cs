using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>A disk is an identity: a node that lost its own may not come back under its name and vote again (design §7).</summary>
public sealed class WipedDiskTests
{
    [Fact]
    public async Task A_node_with_another_disk_is_refused_by_all_and_the_others_go_on()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[0].Url, "kept", "value"));
        NodeUnderTest wiped = cluster.Nodes[2];
        await wiped.KillAsync();
        Directory.Delete(wiped.Directory, recursive: true);
        wiped.Start();

        foreach (NodeUnderTest other in cluster.Others(wiped))
            await Wait.UntilAsync($"{other.Name} refuses {wiped.Name}", () => Task.FromResult(other.Output.Contains("may not vote again", StringComparison.Ordinal)), () => other.Output);
        foreach (NodeUnderTest other in cluster.Others(wiped)) Assert.Equal("value", await Client.GetAsync(other.Url, "kept"));
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[1].Url, "after", "it goes on"));
    }
}
