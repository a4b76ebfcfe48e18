using System.Net;
using System.Text;
using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Leadership handed over on real processes: because somebody asks, and because a node stops.</summary>
public sealed class HandOverTests
{
    [Fact]
    public async Task Any_node_takes_a_transfer_and_answers_when_the_new_leader_leads()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        foreach (NodeUnderTest asked in cluster.Nodes)
        {
            NodeUnderTest leader = await cluster.LeaderAsync();
            NodeUnderTest next = cluster.Others(leader).First();
            var (status, answer) = await TransferAsync(asked, 1, $$"""{"to":"{{next.Name}}"}""");
            Assert.True(status == HttpStatusCode.OK, $"{answer}");
            Assert.Equal((1, next.Name), (answer.GetProperty("shard").GetInt32(), answer.GetProperty("leader").GetString()));
            Assert.Equal(next, await cluster.LeaderAsync());
            Assert.Equal(HttpStatusCode.OK, (await TransferAsync(asked, 1, $$"""{"to":"{{next.Name}}"}""")).Status); // It leads already.
        }

        NodeUnderTest last = await cluster.LeaderAsync();
        var (best, chosen) = await TransferAsync(last, 1, "");
        Assert.Equal(HttpStatusCode.OK, best);
        Assert.NotEqual(last.Name, chosen.GetProperty("leader").GetString());
    }

    [Theory]
    [InlineData("9", """{"to":"n1"}""", 404, "no-such-shard")]
    [InlineData("1", """{"to":"n9"}""", 404, "no-such-node")]
    [InlineData("1", """{"to":"n4"}""", 404, "no-such-node")]
    [InlineData("one", """{"to":"n1"}""", 400, "bad-argument")]
    [InlineData("1", """{"too":"n1"}""", 400, "bad-argument")]
    public async Task What_cannot_be_done_is_refused_definitely(string shard, string body, int status, string code)
    {
        // n4 is a member, and holds no replica of shard 1.
        await using TestCluster cluster = await TestCluster.StartAsync(4);
        using HttpResponseMessage answer = await Client.Http.PostAsync(new Uri(cluster.Nodes[0].Url, $"/v1/admin/shards/{shard}/transfer-leader"), new StringContent(body, Encoding.UTF8, "application/json"));
        JsonElement problem = await Client.ReadJsonAsync(answer);
        Assert.Equal((status, code, "not-applied"), ((int)answer.StatusCode, problem.GetProperty("code").GetString(), problem.GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task A_node_that_is_told_to_stop_hands_over_first_and_no_write_fails()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 4);
        NodeUnderTest stopped = cluster.Nodes[0];
        for (int shard = 1; shard <= 4; shard++) Assert.Equal(HttpStatusCode.OK, (await TransferAsync(cluster.Nodes[1], shard, """{"to":"n1"}""")).Status);
        WriteLoad load = new(cluster.Others(stopped));
        await load.MoreAppliedAsync(100);
        stopped.Signal(Posix.Terminate);
        Assert.Equal(0, await stopped.WaitForExitAsync());
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        Assert.Equal(0, load.NotAcknowledged);
        await load.CheckAsync([.. cluster.Others(stopped)]);
        Assert.DoesNotContain("not handed over in time", stopped.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_idle_group_is_handed_over_and_not_left_to_an_election()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        ulong term = await TermAsync(leader);
        leader.Signal(Posix.Terminate);
        Assert.Equal(0, await leader.WaitForExitAsync());
        // Handed over, not lost: the very next term has its leader.
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Others(leader).First().Url, "key", "value"));
        foreach (NodeUnderTest other in cluster.Others(leader)) Assert.Equal(term + 1, await TermAsync(other));
    }

    [Fact]
    public async Task All_nodes_told_to_stop_at_once_end_in_good_order()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 4);
        foreach (NodeUnderTest node in cluster.Nodes) node.Signal(Posix.Terminate);
        foreach (NodeUnderTest node in cluster.Nodes) Assert.Equal(0, await node.WaitForExitAsync());
        foreach (NodeUnderTest node in cluster.Nodes) Assert.Contains("the stores are flushed", node.Output, StringComparison.Ordinal);
    }

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> TransferAsync(NodeUnderTest node, int shard, string body)
    {
        using HttpResponseMessage answer = await Client.Http.PostAsync(new Uri(node.Url, $"/v1/admin/shards/{shard}/transfer-leader"), new StringContent(body, Encoding.UTF8, "application/json"));
        return (answer.StatusCode, await Client.ReadJsonAsync(answer));
    }

    private static async Task<ulong> TermAsync(NodeUnderTest node) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("groups")[0].GetProperty("term").GetUInt64();
}
