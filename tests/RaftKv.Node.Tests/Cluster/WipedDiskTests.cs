using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>A disk is an identity: a node that lost its own may not come back under its name and vote again (design §7).</summary>
public sealed class WipedDiskTests
{
    [Fact]
    public async Task A_node_with_another_disk_is_refused_by_all_and_ends_and_the_others_go_on()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[0].Url, "kept", "value"));
        NodeUnderTest wiped = cluster.Nodes[2];
        await wiped.KillAsync();
        Directory.Delete(wiped.Directory, recursive: true);
        wiped.Start();
        Assert.Equal(1, await wiped.WaitForExitAsync());
        await ToldAsync(wiped);

        foreach (NodeUnderTest other in cluster.Others(wiped)) Assert.Contains("may not vote again", other.Output, StringComparison.Ordinal);
        foreach (NodeUnderTest other in cluster.Others(wiped)) Assert.Equal("value", await Client.GetAsync(other.Url, "kept"));
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[1].Url, "after", "it goes on"));
    }

    [Fact]
    public async Task A_node_with_a_swapped_directory_is_refused_and_ends_and_does_not_take_the_others_with_it()
    {
        // The directories of two clusters with the same names: it knows the others by other disks, and denies them as they deny it.
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        await using TestCluster other = await TestCluster.StartAsync(3);
        NodeUnderTest swapped = cluster.Nodes[0];
        await swapped.KillAsync();
        await other.Nodes[0].KillAsync();
        Directory.Delete(swapped.Directory, recursive: true);
        Directory.Move(other.Nodes[0].Directory, swapped.Directory);
        swapped.Start();
        Assert.Equal(1, await swapped.WaitForExitAsync());
        await ToldAsync(swapped);
        foreach (NodeUnderTest node in cluster.Others(swapped)) Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, "after", "it goes on"));
    }

    /// <summary>One clear line on standard error.</summary>
    private static Task ToldAsync(NodeUnderTest node) => Wait.UntilAsync(
        "it says why", () => Task.FromResult(node.Output.Split('\n').Count(line => line.StartsWith("raftkv-node: ", StringComparison.Ordinal) && line.Contains("the data directory was lost or swapped", StringComparison.Ordinal)) == 1), () => node.Output);
}
