using System.Text;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Shardctl.Tests;

/// <summary>
/// What three real nodes of each release left on their disks: today's build inspects, verifies and starts on it, and serves what it holds (design §12).
/// </summary>
public sealed class DataDirectoryGoldenTests
{
    /// <summary>Names of fixtures, one for each format that was released. None is ever changed.</summary>
    public static TheoryData<string> Fixtures => ["data-v1"];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task Directories_of_a_release_verify_and_hold_what_they_held(string fixture)
    {
        await using TestCluster cluster = TestCluster.Make(3);
        DataDirectoryFixture.Extract(fixture, cluster.DirectoryPath);
        foreach (NodeUnderTest node in cluster.Nodes)
        {
            Shardctl.Ended verified = await Shardctl.RunAsync("verify", node.Directory);
            Assert.True(verified.ExitCode == ExitCode.Ok, verified.Out + verified.Error);
        }

        Assert.Equal(DataDirectoryFixture.Text(fixture + ".inspect.txt"), await DataDirectoryFixture.InspectAsync(cluster));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task Nodes_start_on_the_directories_of_a_release_and_serve_what_they_hold(string fixture)
    {
        await using TestCluster cluster = TestCluster.Make(3);
        DataDirectoryFixture.Extract(fixture, cluster.DirectoryPath);
        foreach (NodeUnderTest node in cluster.Nodes) node.Start();
        await cluster.WaitReadyAsync();

        string keys = DataDirectoryFixture.Text(fixture + ".keys.txt");
        foreach (NodeUnderTest node in cluster.Nodes) Assert.Equal(keys, await DataDirectoryFixture.KeysAsync(node));
        RawResponse replayed = await PutKeyedAsync(cluster.Nodes[0]);
        Assert.Equal((200, "true"), (replayed.Status, replayed.Headers.GetValueOrDefault("Idempotency-Replayed")));
        RawResponse past = await SendAsync(cluster.Nodes[1], "GET", $"/v1/kv/rewritten?revision={replayed.Headers["RaftKv-Revision"]}");
        Assert.Equal((200, "{rewritten} 2"), (past.Status, past.Text));
        Assert.Equal(200, (await SendAsync(cluster.Nodes[2], "PUT", "/v1/kv/rewritten", "today")).Status);
    }

    /// <summary>Makes the fixture of a format that has none yet: run it with <c>-explicit only</c>, name it, and add it to the list.</summary>
    [Fact(Explicit = true)]
    public async Task Make_a_fixture()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, shards: 2, "--segment-bytes", "65536", "--snapshot-entries", "40", "--catch-up-entries", "0");
        NodeUnderTest node = cluster.Nodes[0];
        await WriteSomethingOfEverythingAsync(node);
        await StopAsync(cluster.Nodes[2]);
        for (int i = 0; i < 100; i++) await SendAsync(node, "PUT", $"/v1/kv/many/{i % 10}", $"value {i}"); // n3 misses what the others cut.
        cluster.Nodes[2].Start();
        await cluster.WaitReadyAsync();
        await Wait.UntilAsync("n3 has got snapshots", async () => (await SendAsync(cluster.Nodes[2], "GET", "/v1/status")).Json.GetProperty("snapshots").GetProperty("installed").GetInt32() == 2);
        for (int i = 0; i < 10; i++) await SendAsync(node, "PUT", $"/v1/kv/last/{i}", $"value {i}");
        await cluster.WaitLevelAsync();
        string keys = await DataDirectoryFixture.KeysAsync(node);
        await Task.WhenAll(cluster.Nodes.Select(StopAsync));
        await DataDirectoryFixture.WriteAsync("data-vNEXT", cluster, keys);
    }

    /// <summary>Keys rewritten, deleted, with a ttl, of any bytes and without a value; idempotency records of single writes, a batch and a transaction.</summary>
    private static async Task WriteSomethingOfEverythingAsync(NodeUnderTest node)
    {
        for (int i = 1; i <= 2; i++) Assert.Equal(200, (await SendAsync(node, "PUT", "/v1/kv/rewritten", $"{{rewritten}} {i}")).Status);
        Assert.Equal(200, (await PutKeyedAsync(node)).Status);
        Assert.Equal(200, (await SendAsync(node, "PUT", "/v1/kv/rewritten", "{rewritten} 3")).Status);
        foreach (string key in (string[])["gone", "empty", "mortal?ttl=3000000000", "%01%FF%C3"])
            Assert.Equal(200, (await SendAsync(node, "PUT", "/v1/kv/" + key, key == "empty" ? "" : "x")).Status);
        Assert.Equal(200, (await SendAsync(node, "DELETE", "/v1/kv/gone")).Status);
        (string, string) name = ("Idempotency-Key", "opaque");
        Assert.Equal(412, (await SendAsync(node, "PUT", "/v1/kv/refused", "x", name, ("If-Match", "\"99\""))).Status);
        string operations = """[{"op":"put","key":"{both}/a","value":"1"},{"op":"put","key":"{both}/b","valueBase64":"/w=="},{"op":"delete","key":"{both}/none"}]""";
        Assert.Equal(200, (await SendAsync(node, "POST", "/v1/batch", $$"""{"operations":{{operations}}}""", name)).Status);
        Assert.Equal(200, (await SendAsync(node, "POST", "/v1/txn", $$"""{"compare":[{"key":"{both}/a","value":"1"}],"then":{{operations}}}""", ("Idempotency-Key", "opaque-too"))).Status);
        Assert.Equal(200, (await SendAsync(node, "PUT", "/v1/kv/large", new string('x', 2_000))).Status);
    }

    private static Task<RawResponse> PutKeyedAsync(NodeUnderTest node) =>
        SendAsync(node, "PUT", "/v1/kv/" + DataDirectoryFixture.KeyedKey, "once", ("Idempotency-Key", DataDirectoryFixture.IdempotencyKey));

    private static Task<RawResponse> SendAsync(NodeUnderTest node, string method, string target, string? body = null, params (string, string)[] headers) =>
        RawHttp.OnceAsync(node.ClientPort, method, target, body is null ? null : Encoding.UTF8.GetBytes(body), headers);

    private static async Task StopAsync(NodeUnderTest node)
    {
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
    }
}
