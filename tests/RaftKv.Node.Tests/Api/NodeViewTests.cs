using System.Text.Json;
using RaftKv.Node.Http;
using RaftKv.Node.Tests.Support;
using RaftKv.Raft;

namespace RaftKv.Node.Tests.Api;

/// <summary>What a node says of itself, its shards and its limits.</summary>
[Collection(nameof(SingleNode))]
public sealed class NodeViewTests(SingleNode single)
{
    [Fact]
    public async Task Status_shows_every_local_group()
    {
        await single.SendAsync("PUT", "/v1/kv/status", [1]);
        JsonElement status = (await single.SendAsync("GET", "/v1/status")).Json;
        Assert.Equal("n1", status.GetProperty("node").GetString());
        Assert.All((string[])["nodeId", "diskId", "bootId", "clusterId"], id => Assert.Matches("^[0-9a-f]{16}$", status.GetProperty(id).GetString()));
        Assert.Equal(2, status.GetProperty("groups").GetArrayLength());
        foreach (JsonElement group in status.GetProperty("groups").EnumerateArray())
        {
            Assert.Equal(("leader", "n1", "1"), (group.GetProperty("role").GetString(), group.GetProperty("leader").GetString(), group.GetProperty("replicaId").GetString()));
            Assert.True(group.GetProperty("term").GetUInt64() > 5);
            ulong[] indexes = [.. ((string[])["snapshotIndex", "applied", "commit", "last"]).Select(name => group.GetProperty(name).GetUInt64())];
            Assert.Equal(indexes.Order(), indexes);
        }

        JsonElement snapshots = status.GetProperty("snapshots");
        Assert.Equal((0, 0, 0), (snapshots.GetProperty("sent").GetInt32(), snapshots.GetProperty("installed").GetInt32(), snapshots.GetProperty("failed").GetInt32()));
        Assert.Contains(status.GetProperty("groups").EnumerateArray(), group => group.GetProperty("revision").GetUInt64() > 0);
    }

    [Fact]
    public async Task Status_shows_what_each_replicas_store_takes_and_metrics_their_sum()
    {
        long before = await DataBytesAsync();
        byte[] value = new byte[SingleNode.MaxValueBytes];
        for (int i = 0; i < 20; i++)
        {
            new Random(i).NextBytes(value);
            await single.SendAsync("PUT", $"/v1/kv/sized/{i}", value);
        }

        Assert.InRange(await DataBytesAsync() - before, 10 * value.Length, 100 * value.Length); // Memory is taken in steps; the last one may have had room.
        MetricsText metrics = await MetricsText.OfAsync(single.Node);
        Assert.True(metrics["raftkv_store_live_bytes"] + metrics["raftkv_store_memory_bytes"] >= 20 * value.Length);
        Assert.True(metrics["raftkv_store_size_bytes"] >= 0);

        async Task<long> DataBytesAsync()
        {
            JsonElement[] stores = [.. (await single.SendAsync("GET", "/v1/status")).Json.GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("store"))];
            Assert.All(stores, store => Assert.True(store.GetProperty("rows").GetInt64() > 0 && store.GetProperty("fileBytes").GetInt64() >= store.GetProperty("liveBytes").GetInt64()));
            return stores.Sum(store => store.GetProperty("liveBytes").GetInt64() + store.GetProperty("memoryBytes").GetInt64());
        }
    }

    [Fact]
    public async Task Status_counts_what_the_process_uses_and_what_the_raft_log_writes()
    {
        JsonElement before = (await single.SendAsync("GET", "/v1/status")).Json;
        await single.SendAsync("PUT", "/v1/kv/counted", new byte[1000]);
        JsonElement after = (await single.SendAsync("GET", "/v1/status")).Json;

        Assert.Equal(single.Node.ProcessId, after.GetProperty("process").GetProperty("pid").GetInt32());
        Assert.Matches("^(server|workstation), (not )?concurrent$", after.GetProperty("process").GetProperty("gc").GetString());
        Assert.Equal(3, after.GetProperty("process").GetProperty("gcCollections").GetArrayLength());
        Assert.True(after.GetProperty("process").GetProperty("residentBytes").GetInt64() > 1_000_000);
        Assert.True(Growth("process", "allocatedBytes") > 0);
        Assert.True(Growth("process", "cpuMillis") >= 0);
        Assert.True(Growth("process", "gcPauseMillis") >= 0);
        Assert.True(Growth("raftLog", "syncs") >= 1);
        Assert.True(Growth("raftLog", "writtenBytes") >= 1000);

        long Growth(string part, string name) => after.GetProperty(part).GetProperty(name).GetInt64() - before.GetProperty(part).GetProperty(name).GetInt64();
    }

    [Fact]
    public async Task The_shard_map_is_as_the_API_says_and_has_an_ETag()
    {
        RawResponse answer = await single.SendAsync("GET", "/v1/shards");
        Assert.Equal(
            "{\"shards\":[{\"id\":1,\"start\":\"0000000000000000\",\"end\":\"8000000000000000\",\"version\":1,\"confVersion\":1,\"leader\":\"n1\",\"replicas\":[{\"node\":\"n1\",\"replicaId\":\"1\",\"role\":\"voter\"}]},"
            + "{\"id\":2,\"start\":\"8000000000000000\",\"end\":\"0000000000000000\",\"version\":1,\"confVersion\":1,\"leader\":\"n1\",\"replicas\":[{\"node\":\"n1\",\"replicaId\":\"1\",\"role\":\"voter\"}]}]}",
            answer.Text);
        Assert.Equal(304, (await single.SendAsync("GET", "/v1/shards", null, ("If-None-Match", answer.Headers["ETag"]))).Status);
    }

    [Fact]
    public async Task A_node_without_a_replica_says_who_leads_once_it_has_forwarded_a_request()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(4);
        NodeUnderTest outside = cluster.Nodes[3];
        JsonElement shard = await ShardAsync();
        Assert.Equal(JsonValueKind.Null, shard.GetProperty("leader").ValueKind);
        Assert.Equal(["n1", "n2", "n3"], shard.GetProperty("replicas").EnumerateArray().Select(replica => replica.GetProperty("node").GetString()));

        RawResponse put = await RawHttp.OnceAsync(outside.ClientPort, "PUT", "/v1/kv/forwarded", [1]);
        Assert.Equal((200, put.Headers["RaftKv-Node"]), (put.Status, (await ShardAsync()).GetProperty("leader").GetString()));

        async Task<JsonElement> ShardAsync() => Assert.Single((await Client.GetJsonAsync(outside.Url, "/v1/shards")).GetProperty("shards").EnumerateArray());
    }

    [Fact]
    public void Within_a_membership_change_all_members_are_shown_and_whoever_votes_in_a_half_is_a_voter()
    {
        Member[] members = [.. Enumerable.Range(1, 4).Select(i => new Member(new ReplicaId((ulong)i), new NodeId((ulong)i)))];
        Configuration joint = new(new ConfigurationHalf([members[0], members[3]], [members[2]]), new ConfigurationHalf([members[0], members[1]], []));
        Assert.Equal(["n1 1 voter", "n2 2 voter", "n3 3 learner", "n4 4 voter"], NodeView.ReplicasOf(joint, node => $"n{node.Value}").Select(replica => $"{replica.Node} {replica.ReplicaId} {replica.Role}"));
    }

    [Fact]
    public async Task Nodes_and_limits_are_served()
    {
        JsonElement node = Assert.Single((await single.SendAsync("GET", "/v1/nodes")).Json.GetProperty("nodes").EnumerateArray());
        Assert.Equal(("n1", $"127.0.0.1:{single.Node.PeerPort}", single.Node.Url.ToString().TrimEnd('/')), (node.GetProperty("name").GetString(), node.GetProperty("peerAddress").GetString(), node.GetProperty("clientUrl").GetString()));
        JsonElement limits = (await single.SendAsync("GET", "/v1/limits")).Json;
        Assert.Equal((4096, SingleNode.MaxValueBytes), (limits.GetProperty("maxKeyBytes").GetInt32(), limits.GetProperty("maxValueBytes").GetInt32()));
    }

    [Fact]
    public async Task The_node_lives_and_is_ready()
    {
        Assert.Equal((200, "ok\n"), (await single.SendAsync("GET", "/livez")) is var live ? (live.Status, live.Text) : default);
        Assert.Equal((200, "ready\n"), (await single.SendAsync("GET", "/readyz")) is var ready ? (ready.Status, ready.Text) : default);
    }
}
