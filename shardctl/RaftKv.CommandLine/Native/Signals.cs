using System.Runtime.InteropServices;

namespace RaftKv.CommandLine.Native;

/// <summary>libc's kill: the runtime itself sends SIGKILL only.</summary>
public static partial class Signals
{
    private const int Killed = 9;
    private const int Terminate = 15;
    private const int Continue = 18;
    private const int Stop = 19;

    /// <summary>Ends a process at once. Nothing happens if it has gone.</summary>
    public static void SendKill(int processId) => _ = Kill(processId, Killed);

    /// <summary>Asks a process to stop. Nothing happens if it has gone.</summary>
    public static void SendTerminate(int processId) => _ = Kill(processId, Terminate);

    /// <summary>Holds a process until <see cref="SendContinue"/>. Nothing happens if it has gone.</summary>
    public static void SendStop(int processId) => _ = Kill(processId, Stop);

    /// <inheritdoc cref="SendStop"/>
    public static void SendContinue(int processId) => _ = Kill(processId, Continue);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}
