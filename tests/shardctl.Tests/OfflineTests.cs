using System.Security.Cryptography;
using System.Text.Json;
using RaftKv.Client;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;
using RaftKv.Shardctl.Offline;

namespace RaftKv.Shardctl.Tests;

/// <summary>inspect and verify on what a real node leaves: not a byte changes, and every kind of file that rots is named.</summary>
public sealed class OfflineTests(StoppedNodeFixture stopped) : IClassFixture<StoppedNodeFixture>, IDisposable
{
    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("offline-").FullName;

    public void Dispose() => System.IO.Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_healthy_directory_verifies_and_neither_verb_changes_a_byte()
    {
        string before = HashOf(stopped.Directory);
        Shardctl.Ended verified = await Shardctl.RunAsync("verify", stopped.Directory);
        Assert.Equal((0, ""), (verified.ExitCode, verified.Error));
        Assert.Contains("all good: ", verified.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await Shardctl.RunAsync("inspect", stopped.Directory)).ExitCode);
        Assert.Equal(before, HashOf(stopped.Directory));
    }

    [Fact]
    public async Task Inspect_tells_who_the_node_is_and_what_its_log_and_groups_hold()
    {
        Shardctl.Ended ended = await Shardctl.RunAsync("inspect", stopped.Directory, "-o", "json");
        JsonElement root = JsonDocument.Parse(ended.Out).RootElement;
        Assert.Equal("n1", root.GetProperty("identity").GetProperty("node").GetString());
        Assert.Equal(3, root.GetProperty("peers").GetArrayLength());
        Assert.Equal(2, root.GetProperty("peerDisks").GetArrayLength());
        JsonElement[] log = [.. root.GetProperty("log").EnumerateArray()];
        Assert.Equal(StoppedNodeFixture.Segments(stopped.Directory).Select(Path.GetFileName), log.Where(file => file.GetProperty("kind").GetString() == "segment").Select(file => file.GetProperty("file").GetString()));
        Assert.All(log.Where(file => file.GetProperty("kind").GetString() == "segment"), file => Assert.True(file.GetProperty("batches").GetInt64() > 0));
        JsonElement[] groups = [.. root.GetProperty("groups").EnumerateArray()];
        Assert.Equal([1, 2], groups.Select(group => group.GetProperty("shard").GetInt32()));
        Assert.Equal(["0000000000000000", "8000000000000000"], groups.Select(group => group.GetProperty("start").GetString()));
        Assert.All(groups, group =>
        {
            Assert.True(group.GetProperty("revision").GetInt64() > 0);
            // Stopped in good order: what was committed is flushed. The last entry may be the no-op of a leader that took over at the end.
            Assert.InRange(group.GetProperty("flushed").GetInt64(), group.GetProperty("commit").GetInt64(), group.GetProperty("lastIndex").GetInt64());
        });
    }

    [Fact]
    public void A_directory_that_a_node_runs_on_is_refused_with_its_process()
    {
        Shardctl.Complained(stopped.InspectedWhileRunning, ExitCode.Error, $"{stopped.Directory} is in use by process {stopped.ProcessId}; stop that node first");
        Shardctl.Complained(stopped.VerifiedWhileRunning, ExitCode.Error, $"is in use by process {stopped.ProcessId}");
    }

    [Fact]
    public async Task What_is_no_nodes_directory_is_refused() =>
        Shardctl.Complained(await Shardctl.RunAsync("verify", _directory), ExitCode.Error, $"{_directory} is not the data directory of a node");

    [Fact]
    public async Task Rot_in_a_closed_segment_names_file_and_offset()
    {
        string segment = Copy(StoppedNodeFixture.Segments)[0];
        Flip(segment, 4096 + 50);
        await FindsAsync($"log/{Path.GetFileName(segment)}", offset: 4096);
        Shardctl.Complained(await Shardctl.RunAsync("inspect", _directory), ExitCode.Error, $"log/{Path.GetFileName(segment)} at offset 4096");
    }

    [Fact]
    public async Task Rot_in_the_middle_of_the_last_segment_names_file_and_offset()
    {
        string segment = Copy(StoppedNodeFixture.Segments)[^1];
        Flip(segment, 4096 + 50);
        await FindsAsync($"log/{Path.GetFileName(segment)}", offset: 4096);
    }

    [Fact]
    public async Task A_torn_end_of_the_log_is_told_and_no_problem_of_the_log()
    {
        string segment = Copy(StoppedNodeFixture.Segments)[^1];
        byte[] bytes = File.ReadAllBytes(segment);
        // By number: the file may have been recycled, and hold batches of its former life behind.
        int last = Enumerable.Range(1, bytes.Length / 4096 - 1).Select(block => block * 4096).Where(offset => bytes.AsSpan(offset, 4).SequenceEqual("RKVB"u8)).MaxBy(offset => BitConverter.ToUInt64(bytes, offset + 8));
        Flip(segment, last + 40);
        Shardctl.Ended ended = await Shardctl.RunAsync("verify", _directory, "-o", "json");
        JsonElement root = JsonDocument.Parse(ended.Out).RootElement;
        Assert.Contains(root.GetProperty("notes").EnumerateArray(), note => note.GetString()!.StartsWith($"log/{Path.GetFileName(segment)} at offset {last}: torn tail, will be cut at start", StringComparison.Ordinal));
        Assert.DoesNotContain(root.GetProperty("problems").EnumerateArray(), problem => problem.GetProperty("file").GetString()!.StartsWith("log/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lost_log_beside_stores_is_a_problem_and_no_place_for_a_first_start()
    {
        foreach (string segment in Copy(StoppedNodeFixture.Segments)) File.Delete(segment);
        foreach (string spare in Directory.GetFiles(Path.Combine(_directory, "log"))) File.Delete(spare);
        Shardctl.Ended ended = await Shardctl.RunAsync("verify", _directory);
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("log: no segment, but shards holds 2 stores: the raft log was lost", ended.Out, StringComparison.Ordinal);
        Shardctl.Complained(await Shardctl.RunAsync("inspect", _directory), ExitCode.Error, "the raft log was lost");
        Directory.Delete(Path.Combine(_directory, "log"));
        Shardctl.Complained(await Shardctl.RunAsync("verify", _directory), ExitCode.Error, "the raft log was lost");
    }

    [Fact]
    public async Task Rot_in_a_table_file_names_it()
    {
        string table = Copy(directory => StoppedNodeFixture.InStore(directory, 1, "*.sst"))[0];
        Flip(table, 200);
        Shardctl.Ended ended = await FindsAsync("shards/1/1");
        Assert.Contains(Path.GetFileName(table), ended.Out, StringComparison.Ordinal);
        Assert.Contains("shards/2/1: ", ended.Out, StringComparison.Ordinal); // The other store is checked all the same.
        Assert.Contains("; what else is in this store was not checked", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rot_in_a_manifest_names_it()
    {
        string manifest = Copy(directory => StoppedNodeFixture.InStore(directory, 2, "MANIFEST-*"))[0];
        Flip(manifest, 20);
        Assert.Contains(Path.GetFileName(manifest), (await FindsAsync("shards/2/1")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_does_not_open_hides_neither_the_log_nor_the_other_groups()
    {
        Flip(Copy(directory => StoppedNodeFixture.InStore(directory, 1, "MANIFEST-*"))[0], 20);
        Shardctl.Ended table = await Shardctl.RunAsync("inspect", _directory);
        Shardctl.Complained(table with { Out = "" }, ExitCode.Unhealthy, $"{_directory}: shards/1/1: ");
        Assert.Contains("8000000000000000-0000000000000000", table.Out, StringComparison.Ordinal);
        Shardctl.Ended json = await Shardctl.RunAsync("inspect", _directory, "-o", "json");
        JsonElement[] groups = [.. JsonDocument.Parse(json.Out).RootElement.GetProperty("groups").EnumerateArray()];
        Assert.StartsWith("shards/1/1: ", groups[0].GetProperty("problem").GetString(), StringComparison.Ordinal);
        Assert.Equal((ExitCode.Unhealthy, JsonValueKind.Null, false), (json.ExitCode, groups[0].GetProperty("revision").ValueKind, groups[1].TryGetProperty("problem", out _)));
        Assert.True(groups[0].GetProperty("lastIndex").GetInt64() > 10);
        Assert.True(groups[1].GetProperty("revision").GetInt64() > 0);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("{}", false)]
    [InlineData("""{"formatVersion":99}""", false)]
    [InlineData(null, true)]
    public void A_shard_map_that_does_not_parse_is_a_finding_and_no_crash(string? map, bool reads) =>
        Assert.Equal(reads, DirectoryCheck.ReadsAsMap(map is null ? ShardMap.Initial(["n1"], 2, 1).ToFile() : System.Text.Encoding.UTF8.GetBytes(map)));

    [Fact]
    public async Task Rot_in_the_file_of_peers_disks_names_it()
    {
        Flip(Copy(directory => [Path.Combine(directory, "peer-disks")])[0], 10);
        await FindsAsync("peer-disks", offset: 0);
    }

    [Fact]
    public async Task A_file_of_peers_that_does_not_parse_is_named()
    {
        File.AppendAllText(Copy(directory => [Path.Combine(directory, "peers")])[0], "n4\n");
        await FindsAsync("peers");
    }

    [Fact]
    public async Task A_store_that_vanished_or_that_the_log_does_not_know_is_named()
    {
        Copy(directory => [directory]);
        System.IO.Directory.Move(Path.Combine(_directory, "shards", "1", "1"), Path.Combine(_directory, "shards", "77"));
        System.IO.Directory.CreateDirectory(Path.Combine(_directory, "shards", "78", "1"));
        await FindsAsync("shards/1/1");
        await FindsAsync("shards/78/1");
    }

    /// <summary>Verify ends with 1 and names the file, in both forms.</summary>
    private async Task<Shardctl.Ended> FindsAsync(string file, long? offset = null)
    {
        Shardctl.Ended table = await Shardctl.RunAsync("verify", _directory);
        Assert.Equal(ExitCode.Error, table.ExitCode);
        Assert.Contains($"problem: {file}{(offset is null ? "" : $" at offset {offset}")}", table.Out, StringComparison.Ordinal);
        JsonElement root = JsonDocument.Parse((await Shardctl.RunAsync("verify", _directory, "-o", "json")).Out).RootElement;
        Assert.False(root.GetProperty("ok").GetBoolean());
        Assert.Contains(root.GetProperty("problems").EnumerateArray(), problem => problem.GetProperty("file").GetString() == file && (offset is null || problem.GetProperty("offset").GetInt64() == offset));
        return table;
    }

    /// <summary>The node's directory, to be damaged.</summary>
    private string[] Copy(Func<string, string[]> files)
    {
        foreach (string directory in System.IO.Directory.GetDirectories(stopped.Directory, "*", SearchOption.AllDirectories)) System.IO.Directory.CreateDirectory(Path.Combine(_directory, Path.GetRelativePath(stopped.Directory, directory)));
        foreach (string file in System.IO.Directory.GetFiles(stopped.Directory, "*", SearchOption.AllDirectories)) File.Copy(file, Path.Combine(_directory, Path.GetRelativePath(stopped.Directory, file)));
        return files(_directory);
    }

    private static void Flip(string file, int offset)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bytes[offset] ^= 0x10;
        File.WriteAllBytes(file, bytes);
    }

    /// <summary>Of every name, size, time and content.</summary>
    private static string HashOf(string directory)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in System.IO.Directory.GetFileSystemEntries(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{path} {File.GetLastWriteTimeUtc(path).Ticks}\n"));
            if (File.Exists(path)) hash.AppendData(File.ReadAllBytes(path));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }
}

/// <summary>The directory of n1 of three nodes that have run, written, and been told to stop; several segments, keys with a ttl, idempotency records.</summary>
public sealed class StoppedNodeFixture : IAsyncLifetime
{
    private const int Writes = 60;
    private TestCluster? _cluster;

    public string Directory => _cluster!.Nodes[0].Directory;

    public int ProcessId { get; private set; }

    internal Shardctl.Ended InspectedWhileRunning { get; private set; } = new(0, "", "");

    internal Shardctl.Ended VerifiedWhileRunning { get; private set; } = new(0, "", "");

    /// <summary>The segments of its raft log, in order.</summary>
    internal static string[] Segments(string directory) => [.. System.IO.Directory.GetFiles(Path.Combine(directory, "log"), "*.log").Order(StringComparer.Ordinal)];

    internal static string[] InStore(string directory, int shard, string pattern) => System.IO.Directory.GetFiles(Path.Combine(directory, "shards", $"{shard}", "1"), pattern);

    public async ValueTask InitializeAsync()
    {
        _cluster = await TestCluster.StartAsync(3, shards: 2, "--segment-bytes", "65536");
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [.. _cluster.Nodes.Select(node => new ClientEndpoint("127.0.0.1", node.ClientPort))] });
        for (int i = 0; i < Writes; i++)
        {
            byte[] key = System.Text.Encoding.UTF8.GetBytes($"key-{i % 20}");
            Assert.Equal(RequestOutcome.Applied, (i % 7 == 6 ? await client.DeleteAsync(key) : await client.PutAsync(key, new byte[100])).Outcome);
        }

        using (HttpResponseMessage put = await Node.Tests.Support.Client.Http.PutAsync(new Uri(_cluster.Nodes[0].Url, "/v1/kv/mortal?ttl=3600"), new StringContent("for an hour"))) put.EnsureSuccessStatusCode();
        ProcessId = _cluster.Nodes[0].ProcessId;
        InspectedWhileRunning = await Shardctl.RunAsync("inspect", Directory);
        VerifiedWhileRunning = await Shardctl.RunAsync("verify", Directory);
        foreach (NodeUnderTest node in _cluster.Nodes) node.Signal(Posix.Terminate);
        foreach (NodeUnderTest node in _cluster.Nodes) Assert.Equal(0, await node.WaitForExitAsync());
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
    }
}
