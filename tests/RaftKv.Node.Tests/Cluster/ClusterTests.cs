using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Three processes, real sockets, real disks: what is acknowledged stays, whoever dies or pauses (design §3.2).</summary>
public sealed class ClusterTests
{
    [Fact]
    public async Task A_write_at_one_node_is_read_at_every_node()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 8);
        for (int i = 0; i < 24; i++)
        {
            string key = $"key-{i}";
            Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[i % 3].Url, key, $"value-{i}"));
            foreach (NodeUnderTest node in cluster.Nodes) Assert.Equal($"value-{i}", await Client.GetAsync(node.Url, key));
        }

        // All eight shards were written and have the same leader in everybody's eyes.
        string[] maps = await Task.WhenAll(cluster.Nodes.Select(node => Client.Http.GetStringAsync(new Uri(node.Url, "/v1/shards"))));
        Assert.Single(maps.Distinct());
    }

    [Fact]
    public async Task Every_node_knows_where_clients_reach_the_others()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        string[] urls = [.. cluster.Nodes.Select(node => node.Url.ToString().TrimEnd('/'))];
        foreach (NodeUnderTest node in cluster.Nodes)
            await Wait.UntilAsync("it has met the others", async () =>
                urls.SequenceEqual((await Client.GetJsonAsync(node.Url, "/v1/nodes")).GetProperty("nodes").EnumerateArray().Select(other => other.TryGetProperty("clientUrl", out var url) ? url.GetString() : null)));
    }

    [Fact]
    public async Task When_the_leader_is_killed_under_load_the_others_go_on_and_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        WriteLoad load = new(cluster.Nodes);
        await load.MoreAppliedAsync(100);
        NodeUnderTest leader = await cluster.LeaderAsync();
        await leader.KillAsync();
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await load.CheckAsync([.. cluster.Others(leader)]);

        leader.Start();
        await leader.WaitReadyAsync();
        await load.CheckAsync(leader);
    }

    [Fact]
    public async Task When_all_nodes_are_killed_under_load_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 2);
        WriteLoad load = new(cluster.Nodes);
        await load.MoreAppliedAsync(200);
        await Task.WhenAll(cluster.Nodes.Select(node => node.KillAsync()));
        await load.StopAsync();

        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        await load.CheckAsync(cluster.Nodes);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[0].Url, "after", "it goes on"));
    }

    [Fact]
    public async Task When_the_leader_is_paused_the_others_go_on_and_it_follows_when_it_wakes()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        WriteLoad load = new(cluster.Others(leader));
        await load.MoreAppliedAsync(50);
        leader.Signal(Posix.Stop);
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        leader.Signal(Posix.Continue);

        // The first reads go to a node that still believes that it leads: it must not answer from its own state.
        await load.CheckAsync(leader);
        await Wait.UntilAsync("the paused leader follows", async () =>
            (await Client.GetJsonAsync(leader.Url, "/v1/status")).GetProperty("groups")[0].GetProperty("role").GetString() == "follower");
        await load.CheckAsync([.. cluster.Others(leader)]);
    }

    [Fact]
    public async Task Without_a_majority_a_node_says_so_within_the_deadline_and_is_not_ready()
    {
        await using TestCluster cluster = TestCluster.Make(3, shards: 2);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start();
        await Wait.UntilAsync("the node answers", async () => (await Client.Http.GetAsync(new Uri(node.Url, "/livez"))).IsSuccessStatusCode);

        RawResponse ready = await RawHttp.OnceAsync(node.ClientPort, "GET", "/readyz");
        Assert.Equal(503, ready.Status);
        Assert.Matches("^not ready\nshard 1: no leader is known in term [0-9]+\nshard 2: no leader is known in term [0-9]+\n$", ready.Text);
        foreach (string method in (string[])["PUT", "GET", "DELETE"])
        {
            RawResponse answer = await RawHttp.OnceAsync(node.ClientPort, method, "/v1/kv/a", method == "PUT" ? [1] : null, ("RaftKv-Timeout", "200"));
            Assert.Equal((503, "no-leader", "not-applied", true), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString(), answer.Json.GetProperty("retryable").GetBoolean()));
            Assert.Equal(("n1", "1.1"), (answer.Headers["RaftKv-Node"], answer.Headers["RaftKv-Epoch"]));
            Assert.Matches("^[12]$", answer.Headers["RaftKv-Shard"]);
        }

        foreach (var (method, target, body) in new[] { ("GET", "/v1/kv?prefix=a", ""), ("GET", "/v1/kv?countOnly", ""), ("POST", "/v1/txn", """{"then":[{"op":"delete","key":"a"}]}""") })
        {
            RawResponse answer = await RawHttp.OnceAsync(node.ClientPort, method, target, body.Length == 0 ? null : System.Text.Encoding.UTF8.GetBytes(body), ("RaftKv-Timeout", "200"));
            Assert.Equal((503, "no-leader"), (answer.Status, answer.Code));
        }

        RawResponse batch = await RawHttp.OnceAsync(node.ClientPort, "POST", "/v1/batch", """{"operations":[{"op":"put","key":"a","value":"1"},{"op":"get","key":"b"}]}"""u8.ToArray(), ("RaftKv-Timeout", "200"));
        Assert.Equal(200, batch.Status);
        Assert.All(batch.Json.GetProperty("results").EnumerateArray(), result => Assert.Equal((503, "no-leader", "not-applied"), (result.GetProperty("status").GetInt32(), result.GetProperty("error").GetProperty("code").GetString(), result.GetProperty("error").GetProperty("outcome").GetString())));
    }

    [Fact]
    public async Task Any_node_lists_batches_and_transacts_over_all_shards_also_when_one_is_gone()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 8);
        string[] keys = [.. Enumerable.Range(0, 60).Select(i => $"many/{i:d2}")];
        string puts = string.Join(',', keys.Select(key => $$"""{"op":"put","key":"{{key}}","value":"1"}"""));
        RawResponse batch = await PostAsync(cluster.Nodes[0], "/v1/batch", $$"""{"operations":[{{puts}}]}""");
        Assert.All(batch.Json.GetProperty("results").EnumerateArray(), result => Assert.Equal(200, result.GetProperty("status").GetInt32()));
        foreach (NodeUnderTest node in cluster.Nodes) Assert.Equal(keys, await ListAsync(node));

        await cluster.Nodes[0].KillAsync();
        foreach (NodeUnderTest node in cluster.Others(cluster.Nodes[0]))
        {
            await Wait.UntilAsync("every shard has a leader again", async () => (await Client.Http.GetAsync(new Uri(node.Url, "/v1/kv?countOnly"))).IsSuccessStatusCode);
            Assert.Equal(keys, await ListAsync(node));
            string gets = string.Join(',', keys.Select(key => $$"""{"op":"get","key":"{{key}}"}"""));
            RawResponse read = await PostAsync(node, "/v1/batch", $$"""{"operations":[{{gets}}]}""");
            Assert.All(read.Json.GetProperty("results").EnumerateArray(), result => Assert.Equal("1", result.GetProperty("value").GetString()));
            RawResponse txn = await PostAsync(node, "/v1/txn", """{"compare":[{"key":"many/00","exists":true}],"then":[{"op":"get","key":"many/00"}]}""");
            Assert.True(txn.Json.GetProperty("succeeded").GetBoolean());
        }

        static Task<RawResponse> PostAsync(NodeUnderTest node, string path, string json) => RawHttp.OnceAsync(node.ClientPort, "POST", path, System.Text.Encoding.UTF8.GetBytes(json));
        static async Task<string[]> ListAsync(NodeUnderTest node) =>
            [.. (await RawHttp.OnceAsync(node.ClientPort, "GET", "/v1/kv?prefix=many/")).Json.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("key").GetString()!)];
    }

    [Fact]
    public async Task Stale_reads_go_on_without_a_majority_and_say_how_old_they_are()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 2);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(cluster.Nodes[0].Url, "a", "kept"));
        NodeUnderTest last = cluster.Nodes[0];
        await Wait.UntilAsync("it is applied there", async () => (await Stale()).Status == 200);
        foreach (NodeUnderTest other in cluster.Others(last)) await other.KillAsync();
        RawResponse linearizable = await RawHttp.OnceAsync(last.ClientPort, "GET", "/v1/kv/a", null, ("RaftKv-Timeout", "200"));
        Assert.Contains(linearizable.Status, (int[])[503, 504]); // Whether it takes another to lead still, or knows better by then.
        RawResponse stale = await Stale();
        Assert.Equal((200, "kept", "n1", "stale"), (stale.Status, stale.Text, stale.Headers["RaftKv-Node"], stale.Headers["RaftKv-Consistency"]));
        // Nobody has said anything while the linearizable read waited in vain.
        Assert.InRange(long.Parse(stale.Headers["RaftKv-Age-Ms"]), 200, 60_000);

        last.Signal(Posix.Terminate);
        Assert.Equal(0, await last.WaitForExitAsync());
        last.Start();
        await Wait.UntilAsync("it answers again", async () => (await Client.Http.GetAsync(new Uri(last.Url, "/livez"))).IsSuccessStatusCode);
        RawResponse restarted = await Stale();
        Assert.Equal((200, "kept", "unknown"), (restarted.Status, restarted.Text, restarted.Headers["RaftKv-Age-Ms"]));

        Task<RawResponse> Stale() => RawHttp.OnceAsync(last.ClientPort, "GET", "/v1/kv/a?consistency=stale");
    }

    [Fact]
    public async Task A_leader_that_loses_its_majority_calls_a_write_unknown_that_it_may_have_appended()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        foreach (NodeUnderTest other in cluster.Others(leader)) other.Signal(Posix.Stop);
        RawResponse answer = await RawHttp.OnceAsync(leader.ClientPort, "PUT", "/v1/kv/a", [1], ("RaftKv-Timeout", "200"));
        Assert.Equal((504, "outcome-unknown", "unknown"), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString()));
        foreach (NodeUnderTest other in cluster.Others(leader)) other.Signal(Posix.Continue);
        await cluster.WaitReadyAsync();
        Assert.Equal(Outcome.Applied, await Client.PutAsync(leader.Url, "b", "2"));
    }

    [Fact]
    public async Task A_write_forwarded_to_a_leader_that_fell_silent_is_called_unknown_once_another_leads()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        NodeUnderTest leader = await cluster.LeaderAsync();
        leader.Signal(Posix.Stop);
        // Its own deadline is beyond what the test waits for.
        RawResponse answer = await RawHttp.OnceAsync(cluster.Others(leader).First().ClientPort, "PUT", "/v1/kv/a", [1], ("RaftKv-Timeout", "60000"));
        Assert.Equal((504, "outcome-unknown"), (answer.Status, answer.Code));
        Assert.Contains("no longer leads", answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        leader.Signal(Posix.Continue);
    }

    [Fact]
    public async Task A_terminated_node_exits_cleanly_and_restarts_without_initial_flags()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, shards: 2);
        NodeUnderTest node = cluster.Nodes[0];
        await Client.PutAsync(node.Url, "a", "1");
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.False(File.Exists(Path.Combine(node.Directory, "node.pid")));

        node.Start(arguments: ["--name", "n1", "--data-dir", node.Directory, "--listen-client", $"127.0.0.1:{node.ClientPort}", "--listen-peer", $"127.0.0.1:{node.PeerPort}"]);
        await node.WaitReadyAsync();
        Assert.Equal("1", await Client.GetAsync(node.Url, "a"));
        Assert.Equal(2, (await Client.GetJsonAsync(node.Url, "/v1/shards")).GetProperty("shards").GetArrayLength());
    }
}
