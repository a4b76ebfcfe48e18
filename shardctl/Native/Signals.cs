using System.Runtime.InteropServices;

namespace RaftKv.Shardctl.Native;

/// <summary>libc's kill: the runtime itself sends SIGKILL only.</summary>
internal static partial class Signals
{
    private const int Terminate = 15;

    /// <summary>Asks a process to stop. Nothing happens if it has gone.</summary>
    public static void SendTerminate(int processId) => _ = Kill(processId, Terminate);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}
