using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RaftKv.RaftLog.Posix;

/// <summary>
/// The calls of libc that the log makes itself, because the runtime's own hide what it must know: they report success when
/// a sync failed (measured on 10.0.12). Every error is left in <see cref="Marshal.GetLastPInvokeError"/>.
/// </summary>
/// <remarks>64-bit Linux: <c>off_t</c>, <c>size_t</c> and <c>ssize_t</c> have the size of a pointer. The flags are the same on x64 and arm64.</remarks>
internal static unsafe partial class Libc
{
    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int CloseOnExec = 0x80000;
    public const int SeekEnd = 2;
    public const int OwnerReadWriteOthersRead = 0x1A4; // 0644

    public const int Interrupted = 4; // EINTR

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint ReadAt(SafeFileHandle file, byte* into, nint count, nint offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint WriteAt(SafeFileHandle file, byte* bytes, nint count, nint offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial nint Seek(SafeFileHandle file, nint offset, int whence);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(SafeFileHandle file);

    /// <summary>For the self-test, which needs a descriptor that is none.</summary>
    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(int descriptor);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unlink(string path);

    [LibraryImport("libc", EntryPoint = "pipe", SetLastError = true)]
    public static partial int Pipe(int* ends);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);
}
