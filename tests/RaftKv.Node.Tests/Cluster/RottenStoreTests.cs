using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Rot in a shard store stops the replica that has it, naming the file, and nothing else (design §3.5).</summary>
public sealed class RottenStoreTests
{
    private const int Value = 500_000;

    [Theory]
    [InlineData(false, Explicit = true)]
    [InlineData(true)]
    public async Task A_replica_with_a_rotten_store_stops_and_the_nodes_others_go_on(bool isManifest)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 2);
        NodeUnderTest rotten = cluster.Nodes[0];
        string[] keys = [.. Enumerable.Range(0, 20).Select(i => $"key-{i}")];
        string value = new('v', Value);
        foreach (string key in keys) Assert.Equal(Outcome.Applied, await Client.PutAsync(rotten.Url, key, value));
        rotten.Signal(Posix.Terminate); // A clean stop flushes the stores.
        Assert.Equal(0, await rotten.WaitForExitAsync());
        string store = Directory.GetDirectories(Path.Combine(rotten.Directory, "shards", "1")).Single();
        string file = isManifest
            ? Path.Combine(store, (await File.ReadAllTextAsync(Path.Combine(store, "CURRENT"))).Trim())
            : Directory.GetFiles(store, "*.sst").OrderByDescending(path => new FileInfo(path).Length).First();
        Rot(file, isManifest ? 20 : new FileInfo(file).Length / 2);
        rotten.Start();

        // Reading as it is finds the rot; whoever asks is answered by others.
        await Wait.UntilAsync("replica 1 of shard 1 is stopped", async () =>
        {
            foreach (string key in keys) await Client.Http.GetAsync(new Uri(rotten.Url, $"/v1/kv/{key}?consistency=stale"));
            return (await StoppedAsync(rotten)).Length == 1;
        }, () => rotten.Output);
        JsonElement stopped = (await StoppedAsync(rotten)).Single();
        Assert.Equal(1, stopped.GetProperty("shard").GetInt32());
        Assert.Contains(store, stopped.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("its store is damaged", rotten.Output, StringComparison.Ordinal);
        foreach (string key in keys) Assert.Equal(value, await Client.GetAsync(rotten.Url, key));
        foreach (string key in keys) Assert.Equal(Outcome.Applied, await Client.PutAsync(rotten.Url, key, "it goes on"));
        Assert.Equal(["2"], (await Client.GetJsonAsync(rotten.Url, "/v1/status")).GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("shard").ToString()));
    }

    // A sector that cannot be read is damage too, also if it is a compaction that meets it: then the next write to the store is refused with what the compaction was told.
    [Theory]
    [InlineData(false)]
    [InlineData(true, Explicit = true)]
    public async Task A_replica_whose_table_files_cannot_be_read_stops_and_the_nodes_others_go_on(bool isMetByCompaction)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, 2, "--snapshot-entries", "20", "--catch-up-entries", "0");
        NodeUnderTest broken = cluster.Nodes[0];
        string[] keys = [.. Enumerable.Range(0, 8).Select(i => $"key-{i}")];
        string store = Directory.GetDirectories(Path.Combine(broken.Directory, "shards", "1")).Single();
        string[] tables = [];
        int rounds = 0;
        while (tables.Length != 3) // Four are compacted. The first is of the store's birth, small and in the block cache.
        {
            broken.Signal(Posix.Continue);
            foreach (string key in keys) Assert.Equal(Outcome.Applied, await Client.PutAsync(broken.Url, $"{key}-{rounds}", new string('v', 50_000)));
            rounds++;
            broken.Signal(Posix.Stop);
            tables = [.. Directory.GetFiles(store, "*.sst").Order(StringComparer.Ordinal)];
        }

        // Only a compaction reads an old table for what the newest has as well.
        await Strace.AttachAsync(Path.Combine(cluster.DirectoryPath, "strace.txt"), broken, new FailingCall("pread64", "EIO", 1, isMetByCompaction ? tables[..2] : tables));
        broken.Signal(Posix.Continue);
        await Wait.UntilAsync("replica 1 of shard 1 is stopped", async () =>
        {
            if (isMetByCompaction) foreach (string key in keys) await Client.PutAsync(broken.Url, key, "again");
            else foreach (string key in keys.SelectMany(key => Enumerable.Range(0, rounds).Select(round => $"{key}-{round}"))) await Client.Http.GetAsync(new Uri(broken.Url, $"/v1/kv/{key}?consistency=stale"));
            return (await StoppedAsync(broken)).Length == 1;
        }, () => broken.Output);
        JsonElement stopped = (await StoppedAsync(broken)).Single();
        Assert.Equal(1, stopped.GetProperty("shard").GetInt32());
        string asked = isMetByCompaction ? "(write|flush|background work)" : "(get|scan)";
        Assert.Matches($"^store {store}: {asked} failed: IO error: While pread .*: Input/output error$", stopped.GetProperty("reason").GetString());
        foreach (string key in keys) Assert.Equal(Outcome.Applied, await Client.PutAsync(broken.Url, key, "it goes on"));
        foreach (string key in keys) Assert.Equal("it goes on", await Client.GetAsync(broken.Url, key));
        Assert.Equal(["2"], (await Client.GetJsonAsync(broken.Url, "/v1/status")).GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("shard").ToString()));
        Assert.False(broken.HasEnded);
    }

    // RocksDB reads what it has flushed once. Damage that shows when a node stops is no reason to stop less cleanly.
    [Fact]
    public async Task Damage_that_is_met_when_a_node_stops_keeps_no_other_store_from_being_flushed()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, 2);
        NodeUnderTest node = cluster.Nodes[0];
        string[] keys = [.. Enumerable.Range(0, 20).Select(i => $"key-{i}")];
        foreach (string key in keys) Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, key, "value"));
        await Strace.AttachAsync(Path.Combine(cluster.DirectoryPath, "strace.txt"), node, new FailingCall("pread64", "EIO", 1, "shards/1/1/######.sst"));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.Matches("Shard 1: not flushed, for its store is damaged: store .*: flush failed: IO error: While pread", node.Output);
        Assert.DoesNotContain("Shard 2: not flushed", node.Output, StringComparison.Ordinal);
        Assert.Contains("Stopped", node.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(node.Directory, "node.pid")));

        node.Start(); // The log still has it, and the disk reads again.
        await node.WaitReadyAsync();
        foreach (string key in keys) Assert.Equal("value", await Client.GetAsync(node.Url, key));
    }

    private static async Task<JsonElement[]> StoppedAsync(NodeUnderTest node) =>
        [.. (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("stopped").EnumerateArray()];

    private static void Rot(string file, long at)
    {
        byte[] bytes = File.ReadAllBytes(file);
        for (long i = at; i < Math.Min(bytes.Length, at + 64); i++) bytes[i] ^= 0x5A;
        File.WriteAllBytes(file, bytes);
    }
}
