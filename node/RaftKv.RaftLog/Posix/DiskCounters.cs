using System.Diagnostics;

namespace RaftKv.RaftLog.Posix;

/// <summary>What a disk has been asked to do since it was opened. Written by whoever writes the disk, read from any thread.</summary>
public sealed class DiskCounters
{
    private long _syncs;
    private long _writtenBytes;

    /// <summary>Syncs that returned, of files and of the directory.</summary>
    public long Syncs => Interlocked.Read(ref _syncs);

    /// <summary>Bytes handed to the system, zeros written ahead included.</summary>
    public long WrittenBytes => Interlocked.Read(ref _writtenBytes);

    /// <summary>Hears how long each sync took, on the thread that waited for it; must not block.</summary>
    public Action<TimeSpan>? SyncTimed { get; set; }

    /// <param name="began">By Stopwatch.</param>
    internal void OnSynced(long began)
    {
        Interlocked.Increment(ref _syncs);
        SyncTimed?.Invoke(Stopwatch.GetElapsedTime(began));
    }

    internal void OnWritten(long bytes) => Interlocked.Add(ref _writtenBytes, bytes);
}
