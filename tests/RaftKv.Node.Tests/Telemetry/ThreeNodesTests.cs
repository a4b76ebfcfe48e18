using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Telemetry;

/// <summary>What three nodes say of each other: readiness, followers, leaders, links.</summary>
public sealed class ThreeNodesTests
{
    [Fact]
    public async Task A_node_says_why_it_is_not_ready_until_it_is()
    {
        await using TestCluster cluster = TestCluster.Make(3, 2);
        NodeUnderTest first = cluster.Nodes[0];
        first.Start();
        await Wait.UntilAsync("the node answers", async () => (await Client.Http.GetAsync(new Uri(first.Url, "/livez"))).IsSuccessStatusCode);
        RawResponse answer = await RawHttp.OnceAsync(first.ClientPort, "GET", "/readyz");
        Assert.Equal((503, "text/plain"), (answer.Status, answer.Headers["Content-Type"]));
        Assert.Matches("^not ready\nshard 1: no leader is known in term 5\nshard 2: no leader is known in term 5\n$", answer.Text);

        foreach (NodeUnderTest other in cluster.Others(first)) other.Start();
        await cluster.WaitReadyAsync();
        answer = await RawHttp.OnceAsync(first.ClientPort, "GET", "/readyz");
        Assert.Equal((200, "ready\n"), (answer.Status, answer.Text));
    }

    [Fact]
    public async Task The_leader_knows_how_far_its_followers_are_and_a_new_one_says_how_it_came_to_lead()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        Assert.Equal(Outcome.Applied, await Client.PutAsync(leader.Url, "a", "1"));
        JsonElement group = default;
        await Wait.UntilAsync("both followers have everything", async () =>
        {
            group = await Client.GetJsonAsync(leader.Url, "/debug/groups/1");
            ulong last = group.GetProperty("last").GetUInt64();
            return group.GetProperty("followers").EnumerateArray().All(follower => follower.GetProperty("match").GetUInt64() == last);
        });
        string[] others = [.. cluster.Others(leader).Select(node => node.Name)];
        Assert.Equal(others, group.GetProperty("followers").EnumerateArray().Select(follower => follower.GetProperty("node").GetString()).Order());
        Assert.All(group.GetProperty("followers").EnumerateArray(), follower => Assert.Equal("replicate", follower.GetProperty("state").GetString()));
        Assert.Equal(["n1", "n2", "n3"], group.GetProperty("configuration").GetProperty("voters").EnumerateArray().Select(voter => voter.GetProperty("node").GetString()).Order());
        await CheckLinksAsync(leader, others);

        await leader.KillAsync();
        await Wait.UntilAsync("another leads", async () =>
        {
            foreach (NodeUnderTest node in cluster.Others(leader))
            {
                JsonElement seen = await Client.GetJsonAsync(node.Url, "/debug/groups/1");
                if (seen.GetProperty("role").GetString() != "leader") continue;
                JsonElement last = seen.GetProperty("roleChanges").EnumerateArray().Last();
                Assert.Equal(("leader", "election-won"), (last.GetProperty("to").GetString(), last.GetProperty("reason").GetString()));
                Assert.True(last.GetProperty("term").GetUInt64() > group.GetProperty("term").GetUInt64());
                Assert.True((await MetricsText.OfAsync(node))["raftkv_group_leader_changes_total"] >= 2);
                return true;
            }

            return false;
        });
    }

    private static async Task CheckLinksAsync(NodeUnderTest node, string[] peers)
    {
        MetricsText metrics = await MetricsText.OfAsync(node);
        foreach (string peer in peers)
            foreach (string counter in (string[])["frames_sent", "bytes_sent", "frames_received", "bytes_received"])
                Assert.True(metrics[$"raftkv_transport_{counter}_total{{channel=\"messages\",peer=\"{peer}\"}}"] > 0, $"{counter} of {peer}");
    }
}
