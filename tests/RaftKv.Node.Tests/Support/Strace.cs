using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace RaftKv.Node.Tests.Support;

/// <summary>One system call of a traced node, in the order in which they returned; sends in the order in which they began.</summary>
/// <param name="Path">The file, for calls on one.</param>
internal sealed record SystemCall(string Name, string Path, string Line);

/// <summary>A system call that is to fail: the <paramref name="From"/>th that a thread makes on one of the files, and every later one.</summary>
/// <param name="Error">EIO, ENOSPC.</param>
/// <param name="Files">Below the node's directory, "" being that itself; <c>######</c> in a name stands for the numbers that RocksDB puts there, sixteen of
/// them for those of segments.</param>
internal sealed partial record FailingCall(string Call, string Error, int From, params string[] Files)
{
    private const int Numbers = 200;

    public IEnumerable<string> PathsBelow(string directory) => Files
        .SelectMany(file => file.Contains('#', StringComparison.Ordinal) ? Enumerable.Range(1, Numbers).Select(number => WithNumber(file, number)) : [file])
        .Select(file => Path.GetFullPath(Path.Combine(directory, file)));

    private static string WithNumber(string file, int number) => HashesPattern().Replace(file, hashes => number.ToString(hashes.Length == 16 ? "x16" : "D6", CultureInfo.InvariantCulture));

    [GeneratedRegex("#+")]
    private static partial Regex HashesPattern();

    public override string ToString() => $"{Call} of {string.Join(", ", Files)} from the {From}th on: {Error}";
}

/// <summary>strace before a node: to see in which order it writes, syncs and answers, and to make a sync fail.</summary>
internal static partial class Strace
{
    /// <summary>The command that runs a node under strace with these expressions; skips the test when there is no strace.</summary>
    public static string[] Before(string traceFile, params string[] expressions)
    {
        string? program = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(directory => Path.Combine(directory, "strace")).FirstOrDefault(File.Exists);
        if (program is null) Assert.Skip("strace is not installed");
        return [program, "-f", "--seccomp-bpf", "-qq", "-y", "-o", traceFile, .. expressions.SelectMany(expression => (string[])["-e", expression])];
    }

    /// <summary>The command that runs a node whose calls fail so.</summary>
    public static string[] Before(string traceFile, NodeUnderTest node, FailingCall failing)
    {
        IEnumerable<string> paths = failing.PathsBelow(node.Directory).SelectMany(path => (string[])["-P", path]);
        return [.. Before(traceFile, $"trace={failing.Call}", $"inject={failing.Call}:error={failing.Error}:when={failing.From}+"), "-ttt", .. paths];
    }

    /// <summary>Makes the calls of a running node fail so, from now on until the node ends; not all files need be there yet.</summary>
    public static async Task AttachAsync(string traceFile, NodeUnderTest node, FailingCall failing)
    {
        string[] command = [.. Before(traceFile, node, failing).Where(argument => argument is not ("--seccomp-bpf" or "-qq")), "-p", $"{node.ProcessId}"];
        Process strace = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
        string? line;
        do line = await strace.StandardError.ReadLineAsync();
        while (line is not null && !line.Contains("attached", StringComparison.Ordinal));
        Assert.True(line is not null, "strace could not attach");
        _ = DrainAsync(strace);
    }

    private static async Task DrainAsync(Process strace)
    {
        using (strace) await strace.StandardError.ReadToEndAsync();
    }

    /// <summary>When the calls returned that were made to fail.</summary>
    public static DateTime[] InjectedAt(string traceFile) =>
    [
        .. File.ReadLines(traceFile).Where(line => line.Contains("INJECTED", StringComparison.Ordinal))
            .Select(line => DateTime.UnixEpoch.AddSeconds(double.Parse(line.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture))),
    ];

    /// <summary>Reads a trace. A call that another thread's interrupted in the text stands where it returned, except a send.</summary>
    public static IEnumerable<SystemCall> Read(string traceFile)
    {
        Dictionary<string, string> unfinished = [];
        foreach (string line in File.ReadLines(traceFile))
        {
            Match match = CallPattern().Match(line);
            if (!match.Success) continue;
            string thread = match.Groups["thread"].Value;
            string call = match.Groups["call"].Value;
            bool isSend = call.StartsWith("send", StringComparison.Ordinal);
            if (call.EndsWith("<unfinished ...>", StringComparison.Ordinal) && !isSend)
            {
                unfinished[thread] = call;
                continue;
            }

            if (call.StartsWith("<...", StringComparison.Ordinal) && !unfinished.Remove(thread, out call!)) continue; // the end of a send
            yield return new SystemCall(call[..call.IndexOf('(', StringComparison.Ordinal)], PathPattern().Match(call).Groups["path"].Value, line);
        }
    }

    [GeneratedRegex(@"^(?<thread>\d+) +(?<call>(\w+\(|<\.\.\. ).*)$")]
    private static partial Regex CallPattern();

    /// <summary>The first thing in quotes or angle brackets: rename("/a", …), fdatasync(7&lt;/a&gt;).</summary>
    [GeneratedRegex("(\"|<)(?<path>/[^\">]*)(\"|>)")]
    private static partial Regex PathPattern();
}
