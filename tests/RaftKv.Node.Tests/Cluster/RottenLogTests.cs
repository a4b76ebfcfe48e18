using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Rot in the raft log that shows only while the node runs: it stops, naming file and offset, and the other nodes go on.</summary>
public sealed class RottenLogTests
{
    private const int Value = 1_000_000;

    [Fact]
    public async Task A_leader_that_reads_rot_back_for_a_follower_stops_and_names_it()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        NodeUnderTest behind = cluster.Others(leader).First();
        NodeUnderTest third = cluster.Others(leader).Last();
        await behind.KillAsync();
        // More than a leader keeps in memory: what the follower lacks has to be read back.
        string value = new('x', Value);
        for (int i = 0; i < 12; i++) Assert.Equal(Outcome.Applied, await Client.PutAsync(leader.Url, $"large-{i}", value));
        string segment = Directory.GetFiles(Path.Combine(leader.Directory, "log"), "*.log").Order(StringComparer.Ordinal).First();
        Rot(segment, at: 2 * Value);
        behind.Start();

        Assert.Equal(1, await leader.WaitForExitAsync());
        await Wait.UntilAsync("it says why", () => Task.FromResult(leader.Output.Split('\n').Any(line => line.StartsWith($"raftkv-node: raft log {Path.GetFileName(segment)} at offset ", StringComparison.Ordinal))), () => leader.Output);
        await behind.WaitReadyAsync();
        Assert.Equal(value, await Client.GetAsync(third.Url, "large-1"));
        Assert.Equal(Outcome.Applied, await Client.PutAsync(third.Url, "after", "it goes on"));

        // Nor does it start on it.
        leader.Start();
        Assert.Equal(1, await leader.WaitForExitAsync());
    }

    /// <summary>In place: the node has the file open.</summary>
    private static void Rot(string file, long at)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        stream.Position = at;
        int old = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(old ^ 0x10));
    }
}
