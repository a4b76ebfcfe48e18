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
}
