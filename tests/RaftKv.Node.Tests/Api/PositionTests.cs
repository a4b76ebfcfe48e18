using System.Text;
using System.Text.Json;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>Which response says which node, shard, epoch, term, index and revision it is of (issue 2, "The HTTP API"; HTTP-API.md has the table).</summary>
[Collection(nameof(SingleNode))]
public sealed class PositionTests(SingleNode single)
{
    private const string All = "Node Shard Epoch Term Index Revision";
    private const string OfShard = "Node Shard Epoch";
    private static readonly ShardMap Map = ShardMap.Initial(["n1"], 2, 1);

    [Theory]
    [InlineData("GET", "/v1/kv/placed?ttl=1", "", OfShard, 400)]
    [InlineData("GET", "/v1/kv/placed?consistency=x", "", OfShard, 400)]
    [InlineData("GET", "/v1/kv/placed?revision=9223372036854775807", "", All, 400)]
    [InlineData("GET", "/v1/kv/placed", "RaftKv-Timeout: 0", OfShard, 400)]
    [InlineData("GET", "/v1/kv/placed", "If-None-Match: x", OfShard, 400)]
    [InlineData("GET", "/v1/kv/placed", "", All, 404)]
    [InlineData("HEAD", "/v1/kv/placed", "", All, 404)]
    [InlineData("PUT", "/v1/kv/placed?ttl=0", "", OfShard, 400)]
    [InlineData("PUT", "/v1/kv/placed", "Idempotency-Key: a b", OfShard, 400)]
    [InlineData("PUT", "/v1/kv/placed", "If-Match: \"99\"", All, 412)]
    [InlineData("DELETE", "/v1/kv/placed", "", All, 200)]
    [InlineData("DELETE", "/v1/kv?key64=cGxhY2Vk", "If-None-Match: *", OfShard, 400)]
    [InlineData("POST", "/v1/kv/placed", "", "Node", 405)]
    [InlineData("GET", "/v1/kv/", "", "Node", 400)]
    [InlineData("GET", "/v1/kv/%zz", "", "Node", 400)]
    [InlineData("GET", "/v1/kv?prefix=placed", "", "Node", 200)]
    [InlineData("GET", "/v1/status", "", "Node", 200)]
    [InlineData("GET", "/nowhere", "", "Node", 404)]
    public async Task A_response_about_a_key_says_its_shard_also_when_it_is_refused(string method, string target, string header, string carried, int status)
    {
        (string, string)[] headers = header.Length == 0 ? [] : [(header.Split(": ")[0], header.Split(": ")[1])];
        RawResponse answer = await single.SendAsync(method, target, method == "PUT" ? [1] : null, headers);
        Assert.Equal((status, carried), (answer.Status, CarriedBy(answer)));
        if (carried != "Node") Assert.Equal(($"{Map.ByKey("placed"u8).Id}", "1.1"), (answer.Headers["RaftKv-Shard"], answer.Headers["RaftKv-Epoch"]));
    }

    [Fact]
    public async Task A_value_that_is_too_large_or_does_not_come_says_its_shard_too()
    {
        RawResponse tooLarge = await single.SendAsync("PUT", "/v1/kv/placed", new byte[SingleNode.MaxValueBytes + 1]);
        Assert.Equal((413, OfShard), (tooLarge.Status, CarriedBy(tooLarge)));
        using RawHttp connection = new(single.Node.ClientPort);
        RawResponse broken = await connection.SendRawAsync("PUT /v1/kv/placed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        Assert.Equal((400, OfShard), (broken.Status, CarriedBy(broken)));
    }

    [Fact]
    public async Task A_transfer_says_its_shard_and_the_term_of_the_leadership()
    {
        Assert.Equal("Node Shard Epoch", CarriedBy(await single.PostAsync("/v1/admin/shards/2/transfer-leader", "{\"to\":\"n9\"}")));
        RawResponse done = await single.PostAsync("/v1/admin/shards/2/transfer-leader", "{\"to\":\"n1\"}");
        Assert.Equal((200, "Node Shard Epoch Term", "2"), (done.Status, CarriedBy(done), done.Headers["RaftKv-Shard"]));
        Assert.Equal(done.Headers["RaftKv-Term"], $"{done.Json.GetProperty("term").GetUInt64()}");
    }

    [Fact]
    public async Task Without_a_leader_every_answer_still_says_which_shard_it_is_about()
    {
        await using TestCluster cluster = TestCluster.Make(3, shards: 2);
        NodeUnderTest alone = cluster.Nodes[0];
        alone.Start();
        await Wait.UntilAsync("it answers", async () => (await Client.Http.GetAsync(new Uri(alone.Url, "/livez"))).IsSuccessStatusCode);

        string shard = $"{ShardMap.Initial(["n1", "n2", "n3"], 2, 3).ByKey("placed"u8).Id}";
        RawResponse put = await AskAsync("PUT", "/v1/kv/placed", "x");
        Assert.Equal((503, "no-leader", OfShard, shard), (put.Status, put.Code, CarriedBy(put), put.Headers["RaftKv-Shard"]));
        RawResponse txn = await AskAsync("POST", "/v1/txn", """{"then":[{"op":"put","key":"placed","value":"x"}]}""");
        Assert.Equal((503, OfShard, shard), (txn.Status, CarriedBy(txn), txn.Headers["RaftKv-Shard"]));
        RawResponse list = await AskAsync("GET", "/v1/kv");
        Assert.Equal((503, OfShard), (list.Status, CarriedBy(list)));
        RawResponse batch = await AskAsync("POST", "/v1/batch", """{"operations":[{"op":"get","key":"placed"},{"op":"put","key":"placed","value":"x"}]}""");
        Assert.Equal((200, "Node"), (batch.Status, CarriedBy(batch)));
        foreach (JsonElement item in batch.Json.GetProperty("results").EnumerateArray())
        {
            Assert.Equal((503, "n1", shard, "1.1"), (item.GetProperty("status").GetInt32(), item.GetProperty("node").GetString(), $"{item.GetProperty("shard").GetUInt64()}", item.GetProperty("epoch").GetString()));
            Assert.False(item.TryGetProperty("index", out _));
        }

        Task<RawResponse> AskAsync(string method, string target, string? body = null) =>
            RawHttp.OnceAsync(alone.ClientPort, method, target, body is null ? null : Encoding.UTF8.GetBytes(body), ("RaftKv-Timeout", "200"));
    }

    private static string CarriedBy(RawResponse answer) =>
        string.Join(' ', All.Split(' ').Where(name => answer.Headers.ContainsKey($"RaftKv-{name}")));
}
