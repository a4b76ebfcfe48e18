using System.Net;
using System.Text;
using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>A disk that fills up (design §10; lessons L1, L18; testing/faults.md F40).</summary>
public sealed class FullDiskTests
{
    private const long Floor = 40 * 1024 * 1024;
    private static readonly string[] s_options = ["--min-free-disk-bytes", $"{Floor}", "--min-free-disk-percent", "0", "--segment-bytes", "1048576"];
    private static readonly string s_value = Convert.ToHexString(new byte[64 * 1024]);

    [Fact]
    public async Task A_leader_below_the_floor_refuses_puts_and_goes_on_with_all_else_until_there_is_room_again()
    {
        await using TestCluster cluster = TestCluster.Make(3, 1, s_options);
        NodeUnderTest full = cluster.Nodes[0];
        NodeUnderTest other = cluster.Nodes[1];
        using SmallDisk disk = new(full.Directory, mebibytes: 96);
        disk.Fill(mebibytes: 40);
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        await LeadAsync(full);
        Assert.True((await DiskAsync(full)).GetProperty("takesPuts").GetBoolean());

        int stored = await FillByPutsAsync(other);
        foreach (NodeUnderTest asked in cluster.Nodes)
        {
            var (status, problem) = await SendAsync(asked, HttpMethod.Put, "/v1/kv/refused", "value");
            AssertRefused(status, problem);
            (status, JsonElement batch) = await SendAsync(asked, HttpMethod.Post, "/v1/batch", """{"operations":[{"op":"put","key":"refused","value":"v"},{"op":"get","key":"key-0"}]}""");
            Assert.Equal((HttpStatusCode.OK, 507, 200), (status, batch.GetProperty("results")[0].GetProperty("status").GetInt32(), batch.GetProperty("results")[1].GetProperty("status").GetInt32()));
            AssertRefused(HttpStatusCode.InsufficientStorage, batch.GetProperty("results")[0].GetProperty("error"));
            AssertRefused(await SendAsync(asked, HttpMethod.Post, "/v1/txn", """{"then":[{"op":"delete","key":"key-0"}],"else":[{"op":"put","key":"refused","value":"v"}]}"""));
            Assert.Equal(s_value, await Client.GetAsync(asked.Url, "key-0"));
            Assert.Null(await Client.GetAsync(asked.Url, "refused"));
        }

        await AssertSaysSoAsync(full);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(other, HttpMethod.Delete, "/v1/kv/key-1")).Status);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(full, HttpMethod.Get, "/v1/kv?keysOnly=true")).Status);

        // Leadership can be handed over, and where there is room puts go on; this node still follows.
        await LeadAsync(other);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(full.Url, "elsewhere", "1"));
        await LeadAsync(full);
        AssertRefused(await SendAsync(full, HttpMethod.Put, "/v1/kv/refused", "value"));

        disk.Empty();
        await Wait.UntilAsync("puts are taken again", async () => await Client.PutAsync(other.Url, "after", "1") == Outcome.Applied, () => full.Output);
        Assert.Contains("puts are taken again", full.Output, StringComparison.Ordinal);

        foreach (NodeUnderTest node in cluster.Nodes) await node.KillAsync();
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        for (int i = 0; i < stored; i++) Assert.Equal(i == 1 ? null : s_value, await Client.GetAsync(full.Url, $"key-{i}"));
        Assert.Equal(("1", "1", null), (await Client.GetAsync(full.Url, "after"), await Client.GetAsync(full.Url, "elsewhere"), await Client.GetAsync(full.Url, "refused")));
    }

    [Fact]
    public async Task A_follower_whose_disk_is_full_to_the_brim_stops_and_has_everything_when_it_comes_back_with_room()
    {
        await using TestCluster cluster = TestCluster.Make(3, 1, s_options);
        NodeUnderTest full = cluster.Nodes[0];
        using SmallDisk disk = new(full.Directory, mebibytes: 48);
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        await LeadAsync(cluster.Nodes[1]);
        disk.Fill();
        WriteLoad load = new(cluster.Others(full));
        Task<int> ended = full.WaitForExitAsync();
        for (int i = 0; !ended.IsCompleted; i++) await Client.PutAsync(cluster.Nodes[1].Url, $"large-{i}", s_value);
        Assert.Equal(86, await ended);
        Assert.Matches("fatal: PERSIST: DiskFailedException: .*: pwrite of .*: No space left on device", full.Output);
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await load.CheckAsync([.. cluster.Others(full)]);

        disk.Empty();
        full.Start();
        await full.WaitReadyAsync();
        await load.CheckAsync(full);
    }

    // Its log would find no room next, and stop the process.
    [Fact(Explicit = true)]
    public async Task A_snapshot_that_would_leave_less_than_the_floor_waits_until_there_is_room()
    {
        await using TestCluster cluster = TestCluster.Make(3, 1, [.. s_options, "--snapshot-entries", "200", "--catch-up-entries", "20"]);
        NodeUnderTest full = cluster.Nodes[0];
        using SmallDisk disk = new(full.Directory, mebibytes: 96);
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();
        await full.KillAsync();
        WriteLoad load = new(cluster.Others(full));
        await load.MoreAppliedAsync(1_000);
        await Wait.UntilAsync("the log is cut", async () => (await Client.GetJsonAsync(cluster.Nodes[1].Url, "/v1/status")).GetProperty("groups")[0].GetProperty("snapshotIndex").GetUInt64() > 200);
        disk.Fill(mebibytes: 64);
        full.Start();
        await Wait.UntilAsync("a snapshot waits", async () => await SnapshotsAsync(full, "waiting") == 1, () => full.Output);
        await Wait.UntilAsync("it says so", () => Task.FromResult(full.Output.Contains("before the disk has less free than its floor", StringComparison.Ordinal)));
        await load.MoreAppliedAsync(100);
        Assert.Equal((1, 0), (await SnapshotsAsync(full, "waiting"), await SnapshotsAsync(full, "installed")));

        disk.Empty();
        await Wait.UntilAsync("the snapshot is installed", async () => await SnapshotsAsync(full, "installed") == 1, () => full.Output);
        Assert.Equal(0, await SnapshotsAsync(full, "waiting"));
        await load.StopAsync();
        await full.WaitReadyAsync();
        await load.CheckAsync(full);
    }

    private static async Task<int> SnapshotsAsync(NodeUnderTest node, string what) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("snapshots").GetProperty(what).GetInt32();

    /// <summary>Puts until one is refused; returns how many were not.</summary>
    private static async Task<int> FillByPutsAsync(NodeUnderTest asked)
    {
        for (int i = 0; ; i++)
        {
            var (status, problem) = await SendAsync(asked, HttpMethod.Put, $"/v1/kv/key-{i}", s_value);
            if (status == HttpStatusCode.OK) continue;
            AssertRefused(status, problem);
            Assert.True(i > 20, $"refused after {i} puts");
            return i;
        }
    }

    private static void AssertRefused((HttpStatusCode Status, JsonElement Problem) answer) => AssertRefused(answer.Status, answer.Problem);

    private static void AssertRefused(HttpStatusCode status, JsonElement problem)
    {
        Assert.True(status == HttpStatusCode.InsufficientStorage, $"{status}: {problem}");
        Assert.Equal(("out-of-space", "not-applied", Floor), (problem.GetProperty("code").GetString(), problem.GetProperty("outcome").GetString(), problem.GetProperty("limit").GetInt64()));
        Assert.InRange(problem.GetProperty("actual").GetInt64(), 1, Floor - 1);
        Assert.Contains("node n1, which leads shard 1, has ", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private static async Task AssertSaysSoAsync(NodeUnderTest full)
    {
        JsonElement disk = await DiskAsync(full);
        Assert.Equal((false, Floor), (disk.GetProperty("takesPuts").GetBoolean(), disk.GetProperty("floorBytes").GetInt64()));
        Assert.InRange(disk.GetProperty("freeBytes").GetInt64(), 1, Floor - 1);
        MetricsText metrics = await MetricsText.OfAsync(full);
        Assert.Equal((1, Floor), (metrics["raftkv_disk_full"], metrics["raftkv_disk_floor_bytes"]));
        Assert.Contains("puts are refused until there is room", full.Output, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await Client.Http.GetAsync(new Uri(full.Url, "/readyz"))).StatusCode); // It serves all but puts.
    }

    private static async Task<JsonElement> DiskAsync(NodeUnderTest node) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("disk");

    private static async Task LeadAsync(NodeUnderTest next)
    {
        using HttpResponseMessage answer = await Client.Http.PostAsync(new Uri(next.Url, "/v1/admin/shards/1/transfer-leader"), new StringContent($$"""{"to":"{{next.Name}}"}"""));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> SendAsync(NodeUnderTest node, HttpMethod method, string target, string? body = null)
    {
        using HttpRequestMessage request = new(method, new Uri(node.Url, target));
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await Client.Http.SendAsync(request);
        return (response.StatusCode, await Client.ReadJsonAsync(response));
    }
}
