using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>What the kernel sees of a write: log written, log synced, then the answer; a new segment's name is synced before anything counts on it.</summary>
public sealed class SyscallOrderTests
{
    private const int Writes = 40;

    [Fact]
    public async Task No_answer_leaves_before_the_log_and_its_directory_are_synced()
    {
        // Segments of 16 batches, so that the forty writes cross two boundaries.
        await using TestCluster cluster = TestCluster.Make(1, 1, "--segment-bytes", "65536");
        NodeUnderTest node = cluster.Nodes[0];
        string trace = Path.Combine(cluster.DirectoryPath, "strace.txt");
        node.Start(before: Strace.Before(trace, "trace=pwrite64,fdatasync,fsync,rename,sendto,sendmsg"));
        await node.WaitReadyAsync();
        for (int i = 0; i < Writes; i++) Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, $"key-{i}", "value"));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        string log = Path.Combine(node.Directory, "log");
        HashSet<string> unsynced = [];
        int answers = 0;
        int syncs = 0;
        int renames = 0;
        foreach (SystemCall call in Strace.Read(trace))
        {
            bool isOfLog = call.Path.StartsWith(log, StringComparison.Ordinal);
            switch (call.Name)
            {
                case "pwrite64" when isOfLog:
                    unsynced.Add(call.Path);
                    break;
                case "fdatasync" when isOfLog:
                    syncs++;
                    unsynced.Remove(call.Path);
                    break;
                case "rename" when isOfLog:
                    renames++;
                    Assert.True(unsynced.Add(log) && !unsynced.Contains(call.Path), $"renamed before it was synced: {call.Line}");
                    break;
                case "fsync" when call.Path == log:
                    unsynced.Remove(log);
                    break;
                case "sendto" or "sendmsg" when call.Line.Contains("HTTP/1.1 200", StringComparison.Ordinal):
                    answers++;
                    Assert.True(unsynced.Count == 0, $"answered before {string.Join(", ", unsynced)} was synced: {call.Line}");
                    break;
            }
        }

        Assert.True(answers > Writes, $"{answers} answers seen");
        Assert.True(syncs > Writes, $"{syncs} syncs seen");
        Assert.True(renames >= 3, $"{renames} segments seen");
    }

    [Fact]
    public async Task Each_level_of_a_data_directory_is_durable_before_there_is_anything_in_it()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        string[] levels = [cluster.DirectoryPath, Path.Combine(cluster.DirectoryPath, "a"), Path.Combine(cluster.DirectoryPath, "a", "b"), Path.Combine(cluster.DirectoryPath, "a", "b", "n1"), Path.Combine(cluster.DirectoryPath, "a", "b", "n1", "log")];
        (int client, int peer) = (FreePorts.Next(), FreePorts.Next());
        await using NodeUnderTest node = new("n1", levels[3] + "/", $"n1=127.0.0.1:{peer}", client, peer, ["--initial-shards", "1"]);
        string trace = Path.Combine(cluster.DirectoryPath, "strace.txt");
        node.Start(before: Strace.Before(trace, "trace=mkdir,fsync"));
        await node.WaitReadyAsync();
        await node.KillAsync();
        SystemCall[] calls = [.. Strace.Read(trace)];
        int done = -1;
        for (int level = 1; level < levels.Length; level++)
        {
            int made = Array.FindIndex(calls, call => call.Name == "mkdir" && call.Path == levels[level]);
            int synced = Array.FindIndex(calls, made + 1, call => call.Name == "fsync" && call.Path == levels[level - 1]);
            Assert.True(done < made && made < synced, $"{levels[level]}: {done}, {made}, {synced}");
            done = synced;
        }
    }

    // Files, then their directories, then the record that names them, and only then does the store before it go (design §7; bugs.md S10).
    [Fact]
    public async Task A_snapshots_files_and_directories_are_synced_before_the_log_names_them_and_the_old_store_goes_after_that()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3, 1, "--snapshot-entries", "20", "--catch-up-entries", "0");
        NodeUnderTest leader = await cluster.LeaderAsync();
        NodeUnderTest node = cluster.Others(leader).First();
        await node.KillAsync();
        for (int i = 0; i < 5 * Writes; i++) Assert.Equal(Outcome.Applied, await Client.PutAsync(leader.Url, $"key-{i}", "value"));
        await Wait.UntilAsync("the leader's log is cut", async () => (await Client.GetJsonAsync(leader.Url, "/v1/status")).GetProperty("groups")[0].GetProperty("snapshotIndex").GetUInt64() > 30);
        string trace = Path.Combine(cluster.DirectoryPath, "strace.txt");
        node.Start(before: Strace.Before(trace, "trace=pwrite64,fdatasync,fsync,rmdir"));
        string shard = Path.Combine(node.Directory, "shards", "1");
        await Wait.UntilAsync("a snapshot is installed", () => Task.FromResult(Directory.Exists(Path.Combine(shard, "2")) && !Directory.Exists(Path.Combine(shard, "1"))), () => node.Output);
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        SystemCall[] calls = [.. Strace.Read(trace)];
        string staged = Path.Combine(shard, "2");
        int[] written = PositionsOf("pwrite64", call => call.Path.StartsWith(staged + "/", StringComparison.Ordinal));
        Assert.True(written.Select(position => calls[position].Path).Distinct().Count() >= 3, "at least a table, a manifest and CURRENT");
        foreach (int position in written)
            Assert.True(LastOf("fdatasync", calls[position].Path) > position, $"written and not synced: {calls[position].Line}");
        int files = written.Select(position => LastOf("fdatasync", calls[position].Path)).Max();
        int directory = PositionsOf("fsync", call => call.Path == staged).First(position => position > files);
        int parents = ((string[])[shard, Path.Combine(node.Directory, "shards"), node.Directory]).Max(path => PositionsOf("fsync", call => call.Path == path).First(position => position > directory));
        int named = PositionsOf("fdatasync", call => call.Path.StartsWith(Path.Combine(node.Directory, "log"), StringComparison.Ordinal)).First(position => position > parents);
        int gone = PositionsOf("rmdir", call => call.Path == Path.Combine(shard, "1")).First();
        Assert.True(gone > named, $"{calls[gone].Line} before {calls[named].Line}");

        int[] PositionsOf(string name, Func<SystemCall, bool> which) => [.. Enumerable.Range(0, calls.Length).Where(position => calls[position].Name == name && which(calls[position]))];

        int LastOf(string name, string path) => PositionsOf(name, call => call.Path == path).DefaultIfEmpty(-1).Last();
    }
}
