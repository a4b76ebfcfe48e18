using System.Text.RegularExpressions;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>
/// Every sync and every write to a file that a node makes in its first minutes, made to fail in a life of its own (make faults): <see cref="FailedSyncTests"/> has those
/// that stand for the others.
/// </summary>
public sealed partial class FaultSweepTests(ITestOutputHelper output)
{
    private const int Writes = 150;
    private static readonly string[] s_calls = ["fdatasync", "fsync", "pwrite64", "write", "rename"];
    private static readonly int[] s_from = [1, 2, 3, 5, 9];

    /// <summary>
    /// What RocksDB does without, or ends the process for in its own way (Debian's build has its assertions on): its log, and options as text. A store
    /// opens without them.
    /// </summary>
    private static readonly string[] s_dispensable = ["/LOG", "/OPTIONS-"];
    private const int Aborted = 134;
    private const int Killed = 137;

    [Fact(Explicit = true)]
    public async Task Whatever_fails_the_node_ends_and_nothing_acknowledged_is_lost()
    {
        List<string> findings = [];
        FailingCall[] all = await CallsOfALifeAsync();
        Assert.True(all.Length > 60, $"only {all.Length} calls seen");
        foreach (FailingCall failing in all)
        {
            string what = await LiveAsync(failing);
            output.WriteLine($"{failing}: {what}");
            if (what.StartsWith("BAD", StringComparison.Ordinal)) findings.Add($"{failing}: {what}");
        }

        Assert.True(findings.Count == 0, string.Join('\n', findings));
    }

    private static TestCluster Make() => TestCluster.Make(1, 1, "--segment-bytes", "65536", "--snapshot-entries", "20", "--catch-up-entries", "0");

    /// <summary>Each kind of call on each kind of file, from the first, the second, … on, as far as one thread got in a life without faults.</summary>
    private static async Task<FailingCall[]> CallsOfALifeAsync()
    {
        await using TestCluster cluster = Make();
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(before: Strace.Before(TraceFile(cluster), $"trace={string.Join(',', s_calls)}"));
        await node.WaitReadyAsync();
        WriteLoad load = new([node], clients: 1);
        await load.MoreAppliedAsync(Writes);
        await load.StopAsync();
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        string parent = Path.GetDirectoryName(node.Directory)!;
        return
        [
            .. Strace.Read(TraceFile(cluster))
                .Where(call => call.Path == parent || call.Path == node.Directory || call.Path.StartsWith(node.Directory + "/", StringComparison.Ordinal))
                .Select(call => (call.Name, File: NumberPattern().Replace(Path.GetRelativePath(node.Directory, call.Path), number => new string('#', number.Length)), Thread: call.Line.Split(' ')[0]))
                .GroupBy(call => (call.Name, call.File))
                .SelectMany(calls => s_from.Where(from => from <= calls.GroupBy(call => call.Thread).Max(thread => thread.Count()))
                    .Select(from => new FailingCall(calls.Key.Name, calls.Key.Name is "fdatasync" or "fsync" or "rename" ? "EIO" : "ENOSPC", from, calls.Key.File))),
        ];
    }

    /// <summary>A life in which the call fails, and another one after it. What came of it, beginning with BAD if it must not be.</summary>
    private static async Task<string> LiveAsync(FailingCall failing)
    {
        await using TestCluster cluster = Make();
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(before: Strace.Before(TraceFile(cluster), node, failing));
        await node.WaitReadyOrEndedAsync();
        WriteLoad load = new([node], clients: 1);
        await Task.WhenAny(node.EndedAsync(), load.MoreAppliedAsync(Writes));
        await load.StopAsync();
        bool isDispensable = s_dispensable.Any(name => failing.Files[0].Contains(name, StringComparison.Ordinal));
        if (!node.HasEnded && (isDispensable || Strace.InjectedAt(TraceFile(cluster)).Length == 0)) node.Signal(Posix.Kill);
        int code = await node.WaitForExitAsync();
        DateTime[] injected = Strace.InjectedAt(TraceFile(cluster));

        int before = node.Output.Length;
        node.Start();
        await node.WaitReadyAsync();
        await load.CheckAsync(node);
        if (code == Killed) return injected.Length == 0 ? "did not come to it" : "did without";
        bool isRefused = code == 2 && failing.Files[0] == ".."; // Nothing was created.
        if (code is not (1 or 86) && !isRefused && !(isDispensable && code == Aborted)) return $"BAD: ended with {code}\n{node.Output[..before]}";
        int late = failing.Files[0].StartsWith("shards/", StringComparison.Ordinal) ? 0 : load.AppliedOfThoseBegunAfter(injected[0]);
        return late == 0 ? $"ended with {code}" : $"BAD: {late} writes were acknowledged that began after it";
    }

    private static string TraceFile(TestCluster cluster) => Path.Combine(cluster.DirectoryPath, "strace.txt");

    [GeneratedRegex(@"(?<=shards/1/1/\D*)\d{6}|(?<=log/(spare-)?)[0-9a-f]{16}")]
    private static partial Regex NumberPattern();
}
