namespace RaftKv.CommandLine;

/// <summary>The command ends here: one line on standard error, and this exit code, whose meaning is the program's.</summary>
public sealed class CommandException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
