using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.RaftLog.Posix;

/// <summary>One open file of a <see cref="PosixDisk"/>.</summary>
/// <remarks>
/// After a failed write or sync nobody knows what the disk holds: the kernel drops the dirty pages and the next sync reports
/// success. So the whole disk refuses every later write and sync (design §3.5).
/// </remarks>
internal sealed unsafe class PosixFile(PosixDisk disk, string path, string name, SafeFileHandle handle) : IDiskFile
{
    public string Name => name;

    /// <inheritdoc/>
    /// <remarks>By lseek, which unlike fstat has no structure that differs between processors; nothing else uses the file's position.</remarks>
    public long Length
    {
        get
        {
            nint end = Libc.Seek(handle, 0, Libc.SeekEnd);
            if (end < 0) throw PosixError.Last(path, "lseek");
            return end;
        }
    }

    public int Read(long offset, Span<byte> into)
    {
        int done = 0;
        fixed (byte* start = into)
        {
            while (done < into.Length)
            {
                nint count = Libc.ReadAt(handle, start + done, into.Length - done, (nint)(offset + done));
                if (count < 0 && PosixError.WasInterrupted()) continue;
                if (count < 0) throw PosixError.Last(path, $"pread of {into.Length - done} bytes at {offset + done}");
                if (count == 0) break;
                done += (int)count;
            }
        }

        return done;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        disk.ThrowIfFailed(path);
        int done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                nint count = Libc.WriteAt(handle, start + done, bytes.Length - done, (nint)(offset + done));
                if (count < 0 && PosixError.WasInterrupted()) continue;
                if (count < 0) throw disk.Fail(PosixError.Last(path, $"pwrite of {bytes.Length - done} bytes at {offset + done}"));
                if (count == 0) throw disk.Fail(new DiskFailedException($"{path}: pwrite of {bytes.Length - done} bytes at {offset + done} wrote none"));
                done += (int)count;
            }
        }

        disk.Counters.OnWritten(bytes.Length);
    }

    public void Sync()
    {
        disk.ThrowIfFailed(path);
        long began = Stopwatch.GetTimestamp();
        while (Libc.SyncData(handle) != 0)
        {
            if (!PosixError.WasInterrupted()) throw disk.Fail(PosixError.Last(path, "fdatasync"));
        }

        disk.Counters.OnSynced(began);
    }

    public void Dispose() => handle.Dispose();
}
