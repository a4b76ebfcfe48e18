using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using RaftKv.CommandLine.Native;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>A node is started again under strace, which makes its syncs fail, late, or its last; afterwards once more without.</summary>
/// <param name="injection">What strace is told of fdatasync; the number of the sync at which it begins is put in place of <c>N</c>.</param>
/// <param name="isExpected">Whether the node's end fits: its exit code, null while it runs.</param>
internal sealed class SyncFault(string name, string summary, string injection, string expected, Func<int?, bool> isExpected) : Fault(name, FaultTrack.Process, summary, FaultNeeds.Strace)
{
    private const int Killed = 128 + 9;

    /// <summary>strace counts for each thread. The one that starts the node syncs fewer times than the first of these; the log's own reaches them under load.</summary>
    private const int EarliestSync = 13;
    private const int LatestSync = 40;

    /// <summary>Where the node must end, so much longer than planned it may take until it has synced so often.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        int sync = scene.Random.Next(EarliestSync, LatestSync);
        string log = Path.Combine(node.Directory, "strace.log");
        int? exitCode = null;
        try
        {
            await node.KillAsync();
            // -D: strace is the grandchild, so the process that we know is the node.
            // --seccomp-bpf spares the other calls, but with it strace 6.1 injects no signal.
            string[] spare = injection.StartsWith("signal", StringComparison.Ordinal) ? [] : ["--seccomp-bpf"];
            node.Start(["strace", "-D", "-f", .. spare, "-qq", "-o", log, "-e", "trace=fdatasync", "-e", $"inject=fdatasync:{injection.Replace("N", $"{sync}", StringComparison.Ordinal)}"]);
            node.MayEnd();
            await Task.WhenAny(node.WaitForExitAsync(), HoldAsync(isExpected(null) ? duration : duration + s_patience, stop));
            exitCode = node.ExitCode;
        }
        finally
        {
            if (node.IsRunning) await node.KillAsync();
            node.Start();
        }

        // A call that its thread does not live to see the end of stands nowhere: the node's end tells of it.
        int injected = exitCode == Killed ? 1 : File.Exists(log) ? File.ReadLines(log).Count(line => line.Contains("(INJECTED", StringComparison.Ordinal) || line.Contains("(DELAYED", StringComparison.Ordinal)) : 0;
        return FaultBite.Of($"{node.Name} from its sync {sync} on; expected: {expected}", injected > 0 && isExpected(exitCode), ("syncs hit", injected), ("exit code", exitCode ?? -1));
    }
}

/// <summary>
/// The syncs of the node that leads most shards do not return: strace takes hold of it as it runs, and keeps every thread that comes to a sync. It must give up its leaderships, or end.
/// When strace goes, what it kept goes on.
/// </summary>
internal sealed class HungDiskFault() : Fault("hung-disk", FaultTrack.Process, "the syncs of the busiest leader do not return: it must give up its leaderships", FaultNeeds.Strace)
{
    private const int CannotSync = 86;
    private const int LeastNodes = 3;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_leastHung = TimeSpan.FromSeconds(1);

    /// <summary>So much longer it may take until it has given up its leaderships.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(8);

    /// <summary>fdatasync's number.</summary>
    private static readonly int s_sync = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 75 : 83;

    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < LeastNodes ? $"{Name} needs {LeastNodes} nodes: the others must elect" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.Leader() is not { } node) return FaultBite.Missed("no node ran");
        int led = scene.Leaders.LedBy(node.Name);
        int left = led;
        TimeSpan hung = TimeSpan.Zero;
        TimeSpan? gaveUp = null;
        int? exitCode;
        node.MayEnd();
        string id = node.ProcessId.ToString(CultureInfo.InvariantCulture);
        using Process strace = node.StartTool("strace", "-f", "-qq", "-o", Path.Combine(node.Directory, "strace.log"), "-p", id, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=3600000000");
        try
        {
            Dictionary<string, TimeSpan> since = [];
            TimeSpan start = scene.Clock.Now;
            while (!stop.IsCancellationRequested && node.IsRunning && scene.Clock.Now - start is var past && (past < duration || ((left > 0 || hung < s_leastHung) && past < duration + s_patience)))
            {
                await HoldAsync(s_look, stop);
                since = ProcessFacts.ThreadsIn(node.ProcessId, s_sync).ToDictionary(thread => thread, thread => since.GetValueOrDefault(thread, scene.Clock.Now));
                foreach (TimeSpan from in since.Values) hung = TimeSpan.FromTicks(Math.Max(hung.Ticks, (scene.Clock.Now - from).Ticks));
                left = scene.Leaders.LedBy(node.Name);
                if (left == 0 && hung > TimeSpan.Zero) gaveUp ??= hung;
            }

            exitCode = node.ExitCode;
        }
        finally
        {
            Signals.SendTerminate(strace.Id);
            await strace.WaitForExitAsync(CancellationToken.None);
            if (node.IsRunning) node.MayNotEnd();
            else node.Start();
        }

        return FaultBite.Of(
            $"{node.Name}; expected: it goes on, or exit code {CannotSync}", hung >= s_leastHung && left == 0 && exitCode is null or CannotSync, ("milliseconds a thread was in one sync", Math.Round(hung.TotalMilliseconds)),
            ("shards it led", led), ("shards it led in the end", left), ("milliseconds until it led none", Math.Round(gaveUp?.TotalMilliseconds ?? -1)), ("exit code", exitCode ?? -1));
    }
}

/// <summary>
/// A node is killed, its directory spoilt, and it is started again: it must refuse, or serve nothing of what was spoilt. Afterwards it gets its directory back as it was when it was
/// killed.
/// </summary>
/// <param name="spoil">Changes the directory; returns what was done, null if there was nothing to spoil.</param>
/// <param name="mustRefuse">The node must end by itself with exit code 1.</param>
internal sealed class SpoiltDirectoryFault(string name, string summary, bool mustRefuse, Func<string, Random, string?> spoil) : Fault(name, FaultTrack.Process, summary)
{
    private const int Refused = 1;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        string data = node.DataDirectory;
        string kept = data + ".kept";
        string? what = null;
        int? exitCode = null;
        await node.KillAsync();
        CopyDirectory(data, kept);
        try
        {
            what = spoil(data, scene.Random);
            if (what is not null)
            {
                node.Start();
                node.MayEnd();
                await Task.WhenAny(node.WaitForExitAsync(), HoldAsync(duration, stop));
                exitCode = node.ExitCode;
            }
        }
        finally
        {
            if (node.IsRunning) await node.KillAsync();
            if (Directory.Exists(data)) Directory.Delete(data, recursive: true);
            Directory.Move(kept, data);
            node.Start();
        }

        bool hasRefused = exitCode == Refused;
        return FaultBite.Of($"{node.Name}: {what ?? "nothing to spoil"}", what is not null && (hasRefused || !mustRefuse), ("refused", hasRefused ? 1 : 0));
    }

    /// <summary>Flips one bit in a file, somewhere in its middle half.</summary>
    public static string? FlipBit(string directory, string pattern, Random random)
    {
        FileInfo[] files = [.. new DirectoryInfo(directory).EnumerateFiles(pattern, SearchOption.AllDirectories).Where(file => file.Length > 64).OrderBy(file => file.FullName, StringComparer.Ordinal)];
        if (files.Length == 0) return null;
        FileInfo file = files[random.Next(files.Length)];
        using FileStream stream = file.Open(FileMode.Open, FileAccess.ReadWrite);
        long at = (file.Length / 4) + random.NextInt64(file.Length / 2);
        stream.Position = at;
        int old = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(old ^ (1 << random.Next(8))));
        return $"a bit flipped in {file.Name} at {at}";
    }

    public static string? DeleteFile(string directory, string pattern, Random random)
    {
        FileInfo[] files = [.. new DirectoryInfo(directory).EnumerateFiles(pattern, SearchOption.AllDirectories).OrderBy(file => file.FullName, StringComparer.Ordinal)];
        if (files.Length == 0) return null;
        FileInfo file = files[random.Next(files.Length)];
        file.Delete();
        return $"{file.Name} deleted";
    }

    public static string? DeleteAll(string directory, Random random)
    {
        Directory.Delete(directory, recursive: true);
        return "everything deleted";
    }

    private static void CopyDirectory(string from, string to)
    {
        if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories)) Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories)) File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
