using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RaftKv.Node.Native;

/// <summary>What the process needs of libc: a lock on its directory, and an end without any clean-up.</summary>
internal static partial class Libc
{
    /// <summary>LOCK_EX | LOCK_NB: take it or say at once that somebody else has it.</summary>
    public const int ExclusiveOrFail = 2 | 4;

    public const int WouldBlock = 11; // EAGAIN

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(SafeFileHandle file, int operation);

    /// <summary>Ends the process at once: no finally block, no finalizer, no flush, no other thread's next step.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int code);
}
