using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>A failed sync ends the process before anything more is acknowledged, and is never tried again (design §3.5; testing/faults.md, A1).</summary>
public sealed class FailedSyncTests
{
    private const int Fatal = 86;
    private const int Refused = 1;

    /// <summary>Segments roll after 16 batches, the store is flushed and the log cut after some 20 writes.</summary>
    private static readonly string[] s_busy = ["--segment-bytes", "65536", "--snapshot-entries", "20", "--catch-up-entries", "0"];

    private static readonly FailingCall[] s_firstStart =
    [
        new("fsync", "EIO", 1, ""),
        new("fdatasync", "EIO", 1, "log/segment.new"),
        new("fsync", "EIO", 1, "log"),
        new("fdatasync", "EIO", 1, "log/0000000000000001.log"), // recovery, of what the start before has left
        new("fdatasync", "EIO", 1, "shards/1/1/MANIFEST-######"),
        new("fsync", "EIO", 1, "shards/1/1"),
        new("fsync", "EIO", 1, "shards/1"),
        new("fsync", "EIO", 1, "shards"),
        new("fsync", "EIO", 2, ""), // where shards lies
        new("fdatasync", "EIO", 2, "log/0000000000000001.log"), // the birth record
        new("fdatasync", "EIO", 1, "peer-disks"),
        new("fsync", "EIO", 2, ""), // where peer-disks lies
    ];

    private static readonly FailingCall[] s_underLoad =
    [
        new("fdatasync", "EIO", 1, "log/segment.new"),
        new("fsync", "EIO", 3, "log"),
        new("rename", "EIO", 1, "log/segment.new"),
        new("pwrite64", "EIO", 10, "log/0000000000000002.log", "log/0000000000000003.log", "log/0000000000000004.log"),
        new("pwrite64", "ENOSPC", 10, "log/0000000000000003.log", "log/0000000000000004.log", "log/0000000000000005.log"),
        new("fdatasync", "EIO", 1, "shards/1/1/######.sst"),
        new("write", "ENOSPC", 1, "shards/1/1/######.sst"),
        new("fsync", "EIO", 3, "shards/1/1"),
        new("fdatasync", "EIO", 2, "shards/1/1/MANIFEST-######"),
    ];

    /// <summary>strace counts calls per thread: the log's syncs all come from PERSIST, which makes hardly any before the first write.</summary>
    private const int GoodSyncs = 40;

    [Fact]
    public async Task A_node_whose_sync_fails_is_dead_before_any_further_acknowledgement()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(before: FailingSyncs(cluster));
        await node.WaitReadyAsync();
        WriteLoad load = new([node], clients: 1);
        Assert.Equal(Fatal, await node.WaitForExitAsync());
        int applied = load.Applied;
        await load.StopAsync();

        // One client writes one after the other, each write one sync: none after the failed one was acknowledged.
        Assert.Equal(applied, load.Applied);
        Assert.InRange(applied, 10, GoodSyncs);
        string[] injected = [.. File.ReadAllLines(TraceFile(cluster)).Where(line => line.Contains("INJECTED", StringComparison.Ordinal))];
        Assert.Single(injected);
        Assert.Matches("fatal: PERSIST: DiskFailedException: .*0000000000000001.log: fdatasync failed: Input/output error", node.Output);

        node.Start();
        await node.WaitReadyAsync();
        await load.CheckAsync(node);
    }

    [Fact]
    public async Task When_one_nodes_sync_fails_the_others_go_on_and_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = TestCluster.Make(3);
        NodeUnderTest broken = cluster.Nodes[0];
        broken.Start(before: FailingSyncs(cluster));
        foreach (NodeUnderTest other in cluster.Others(broken)) other.Start();
        await cluster.WaitReadyAsync();
        WriteLoad load = new(cluster.Nodes);
        Assert.Equal(Fatal, await broken.WaitForExitAsync());
        await load.MoreAppliedAsync(100);
        await load.StopAsync();
        await load.CheckAsync([.. cluster.Others(broken)]);

        broken.Start();
        await broken.WaitReadyAsync();
        await load.CheckAsync(broken);
    }

    /// <summary>One start after the other fails somewhere else, each on what the one before has left.</summary>
    [Fact]
    public async Task Whichever_sync_of_a_first_start_fails_it_ends_before_it_serves_and_a_later_start_gets_through()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        foreach (FailingCall failing in s_firstStart)
        {
            node.Start(before: Strace.Before(TraceFile(cluster), node, failing));
            int code = await node.WaitForExitAsync();
            Assert.True(code == Refused, $"{failing}: exit code {code}\n{node.Output}");
            Assert.True(Strace.InjectedAt(TraceFile(cluster)).Length == 1, $"{failing}: not once");
        }

        Assert.DoesNotContain("starts with 1 shards", node.Output, StringComparison.Ordinal);
        node.Start();
        await node.WaitReadyAsync();
        Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, "key", "value"));
    }

    /// <summary>
    /// The node is started again and again, and something else fails under load each time: the next segment, its name, files of the store, a full disk.
    /// </summary>
    [Fact(Explicit = true)]
    public async Task Whichever_sync_or_write_fails_under_load_ends_the_node_and_nothing_acknowledged_is_lost()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, 1, s_busy);
        NodeUnderTest node = cluster.Nodes[0];
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        List<WriteLoad> loads = [];
        foreach (FailingCall failing in s_underLoad)
        {
            node.Start(before: Strace.Before(TraceFile(cluster), node, failing));
            await node.WaitReadyOrEndedAsync(); // A log that is long already is cut at once.
            WriteLoad load = new([node], clients: 1, prefix: $"load-{loads.Count}");
            int code = await node.WaitForExitAsync();
            await load.StopAsync();
            loads.Add(load);
            DateTime[] injected = Strace.InjectedAt(TraceFile(cluster));
            Assert.True(code == Fatal && injected.Length > 0, $"{failing}: exit code {code}, {injected.Length} times\n{node.Output}");
            // What the store could not write is in the log, and may be acknowledged until the failure is noticed.
            if (failing.Files[0].StartsWith("log", StringComparison.Ordinal))
                Assert.True((injected.Length, load.AppliedOfThoseBegunAfter(injected[0])) == (1, 0), $"{failing}: {injected.Length} times, then {load.AppliedOfThoseBegunAfter(injected[0])} acknowledged");
        }

        node.Start();
        await node.WaitReadyAsync();
        foreach (WriteLoad load in loads) await load.CheckAsync(node);
    }

    /// <summary>A snapshot counts only once the log names it: an attempt that fails comes to nothing, and another begins with files of its own.</summary>
    [Theory]
    [InlineData("fsync", "EIO", 1, "shards/1/2")]
    [InlineData("fsync", "EIO", 1, "shards/1", Explicit = true)]
    [InlineData("fdatasync", "EIO", 1, "shards/1/2/CURRENT", Explicit = true)]
    [InlineData("pwrite64", "EIO", 1, "shards/1/2/MANIFEST-######", Explicit = true)]
    [InlineData("pwrite64", "ENOSPC", 1, "shards/1/2/######.sst", Explicit = true)]
    [InlineData("fdatasync", "EIO", 2, "shards/1/2/MANIFEST-######", Explicit = true)] // of the store that is opened on what was staged
    public async Task Whichever_sync_or_write_of_a_snapshot_fails_it_is_not_installed_and_the_next_one_is(string call, string error, int from, string file)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, 1, s_busy);
        NodeUnderTest leader = await cluster.LeaderAsync();
        NodeUnderTest away = cluster.Others(leader).First();
        NodeUnderTest third = cluster.Others(leader).Last();
        await away.KillAsync();
        WriteLoad load = new(cluster.Others(away));
        await load.MoreAppliedAsync(200);
        await load.StopAsync();
        foreach (NodeUnderTest node in cluster.Others(away)) await Wait.UntilAsync("its log is cut", async () => await SnapshotIndexAsync(node) > 100);

        away.Start(before: Strace.Before(TraceFile(cluster), away, new FailingCall(call, error, from, file)));
        await Wait.UntilAsync("a snapshot has failed", async () => await SnapshotsAsync(away, "failed") > 0, () => away.Output);
        Assert.NotEmpty(Strace.InjectedAt(TraceFile(cluster)));
        Assert.Equal((0, 10UL), (await SnapshotsAsync(away, "installed"), await SnapshotIndexAsync(away)));
        await away.KillAsync();

        // Another leader need not wait until the one before has given up.
        using HttpResponseMessage transfer = await Client.Http.PostAsync(new Uri(leader.Url, "/v1/admin/shards/1/transfer-leader"), new StringContent($$"""{"to":"{{third.Name}}"}"""));
        Assert.True(transfer.IsSuccessStatusCode);
        away.Start();
        await away.WaitReadyAsync();
        Assert.Equal(1, await SnapshotsAsync(away, "installed"));
        await load.CheckAsync(away);
    }

    private static async Task<ulong> SnapshotIndexAsync(NodeUnderTest node) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("groups")[0].GetProperty("snapshotIndex").GetUInt64();

    private static async Task<long> SnapshotsAsync(NodeUnderTest node, string what) => (await Client.GetJsonAsync(node.Url, "/v1/status")).GetProperty("snapshots").GetProperty(what).GetInt64();

    private static string TraceFile(TestCluster cluster) => Path.Combine(cluster.DirectoryPath, "strace.txt");

    private static string[] FailingSyncs(TestCluster cluster) => Strace.Before(TraceFile(cluster), "trace=fdatasync", $"inject=fdatasync:error=EIO:when={GoodSyncs + 1}+");
}
