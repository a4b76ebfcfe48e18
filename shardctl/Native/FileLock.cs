using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RaftKv.Shardctl.Native;

/// <summary>flock, by which a node holds its data directory. By libc: the runtime locks what it opens too, and would say only that it cannot.</summary>
internal static partial class FileLock
{
    private const int ReadOnlyCloseOnExec = 0x80000;
    private const int Shared = 1;
    private const int OrFail = 4;

    /// <summary>Locks an existing file against a node, beside others who only look; the lock goes with the handle. Null: a node holds it. Throws <see cref="IOException"/> when it may not be read.</summary>
    public static SafeFileHandle? TryShare(string path)
    {
        int descriptor = Open(path, ReadOnlyCloseOnExec);
        if (descriptor < 0) throw new IOException($"{path}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        SafeFileHandle file = new(descriptor, ownsHandle: true);
        if (Flock(file, Shared | OrFail) == 0) return file;
        file.Dispose();
        return null;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "flock")]
    private static partial int Flock(SafeFileHandle file, int operation);
}
