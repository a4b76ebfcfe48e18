using System.Diagnostics;

namespace RaftKv.CommandLine;

/// <summary>Starts programs in the background whose output goes to a file.</summary>
public static class LoggedProcess
{
    /// <summary>Opens the log before the program takes the shell's place, under its process id: so the log does not depend on us.</summary>
    private const string Script = """log=$1; shift; exec "$@" </dev/null >>"$log" 2>&1""";

    /// <summary>Starts a program; what it writes is appended to <paramref name="logFile"/>, whose directory exists.</summary>
    public static Process Start(string logFile, params IEnumerable<string> command)
    {
        // All three redirected: so the runtime leaves the terminal's settings alone. The shell then leads them elsewhere.
        ProcessStartInfo start = new("/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (IEnumerable<string>)["-c", Script, "sh", logFile, .. command]) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }
}
