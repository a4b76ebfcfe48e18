using RaftKv.RaftLog;

namespace RaftKv.Node.Native;

/// <summary>
/// The end of a process that must not go on: its disk lied, or a state is impossible. One line, then out, before anything
/// more can be acknowledged (design §3.5).
/// </summary>
internal static class FatalError
{
    /// <summary>Tells such an end from a refused start (1, 2) and from a kill.</summary>
    public const int ExitCode = 86;

    private const int WriteTimeoutMillis = 1_000;
    private static int s_ending;

    /// <summary>What the directory holds forbids to go on, as it would forbid a start: rot in the raft log, or another disk than this node had.</summary>
    public const int RefusedExitCode = 1;

    /// <summary>Logs the reason and ends the process. Does not return.</summary>
    public static void Exit(string where, Exception reason)
    {
        if (reason is LogCorruptException) Refuse(reason.Message);
        else End(Line(where, reason), ExitCode);
    }

    /// <summary>Ends a process that its own directory forbids to go on, with one line, as at start. Does not return.</summary>
    public static void Refuse(string why) => End($"raftkv-node: {why}", RefusedExitCode);

    private static void End(string line, int exitCode)
    {
        if (Interlocked.Exchange(ref s_ending, 1) != 0) Thread.Sleep(Timeout.Infinite); // Another thread has said why, and ends the process.
        // A reader of our stderr that has stopped reading must not keep a node alive that has failed.
        Thread writer = new(() => Console.Error.WriteLine(line)) { IsBackground = true };
        writer.Start();
        writer.Join(WriteTimeoutMillis);
        Libc.ExitNow(exitCode);
    }

    private static string Line(string where, Exception reason) =>
        $"fatal: {where}: {reason.GetType().Name}: {reason.Message} | {reason.StackTrace}".ReplaceLineEndings(" ");
}
