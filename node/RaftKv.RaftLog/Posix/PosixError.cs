using System.Runtime.InteropServices;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.RaftLog.Posix;

/// <summary>Turns what libc reports into a <see cref="DiskFailedException"/> that names file, operation and error.</summary>
internal static class PosixError
{
    /// <summary>The failure of the call just made on this thread.</summary>
    public static DiskFailedException Last(string path, string operation)
    {
        int error = Marshal.GetLastPInvokeError();
        return new DiskFailedException($"{path}: {operation} failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})");
    }

    /// <summary>Whether the call just made was only interrupted by a signal, and may be made again: the one error that is.</summary>
    public static bool WasInterrupted() => Marshal.GetLastPInvokeError() == Libc.Interrupted;
}
