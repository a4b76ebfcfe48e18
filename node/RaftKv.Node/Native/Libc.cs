using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RaftKv.Node.Native;

/// <summary><c>struct rlimit</c> of 64-bit Linux: what counts now, and how far a process without rights may raise it.</summary>
internal struct ResourceLimit
{
    public ulong Soft;
    public ulong Hard;
}

/// <summary>What the process needs of libc: a lock on its directory, how many files it may open, and an end without any clean-up.</summary>
internal static partial class Libc
{
    /// <summary>LOCK_EX | LOCK_NB: take it or say at once that somebody else has it.</summary>
    public const int ExclusiveOrFail = 2 | 4;

    public const int WouldBlock = 11; // EAGAIN

    /// <summary>O_RDWR | O_CREAT | O_CLOEXEC. The runtime's own opening takes a lock of its own, which would get in the way of ours.</summary>
    public const int ReadWriteOrCreate = 2 | 0x40 | 0x80000;

    public const int OwnerReadWriteOthersRead = 0x1A4; // 0644

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(SafeFileHandle file, int operation);

    /// <summary>RLIMIT_NOFILE, the same on x64 and arm64.</summary>
    public const int OpenFiles = 7;

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetLimit(int resource, out ResourceLimit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    public static partial int SetLimit(int resource, in ResourceLimit limit);

    /// <summary>Ends the process at once: no finally block, no finalizer, no flush, no other thread's next step.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int code);
}
