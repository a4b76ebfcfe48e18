using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.RaftLog.Posix;

/// <summary>
/// The real disk under the raft log: one directory, through libc. Never through FileStream or RandomAccess, whose syncs hide
/// errors. No operation is retried, except one that a signal interrupted.
/// </summary>
/// <remarks>The directory belongs to this process (the node holds a lock on it). One writer; reads of open files from any thread.</remarks>
public sealed unsafe class PosixDisk : IDisk
{
    private DiskFailedException? _failure;

    private readonly bool _isReadOnly;

    private PosixDisk(string directory, bool isReadOnly = false)
    {
        DirectoryPath = directory;
        _isReadOnly = isReadOnly;
    }

    public string DirectoryPath { get; }

    /// <summary>What this disk has been asked to do since it was opened.</summary>
    public DiskCounters Counters { get; } = new();

    /// <summary>
    /// Opens an existing directory, after a test that a failed sync shows on this machine. Throws <see cref="DiskFailedException"/>.
    /// </summary>
    public static PosixDisk OpenDirectory(string directory)
    {
        TestThatSyncReportsErrors();
        if (!Directory.Exists(directory)) throw new DiskFailedException($"{directory}: there is no such directory");
        return new PosixDisk(directory);
    }

    /// <summary>Opens an existing directory to look at what nobody uses: whatever would change it fails. Throws <see cref="DiskFailedException"/>.</summary>
    public static PosixDisk OpenReadOnly(string directory) =>
        Directory.Exists(directory) ? new PosixDisk(directory, isReadOnly: true) : throw new DiskFailedException($"{directory}: there is no such directory");

    /// <summary>
    /// What must not be synced must not look synced: on a descriptor that is none, and on a pipe, fdatasync has to fail. Were an
    /// interposed library or an emulation to say otherwise, a dead disk would go unnoticed, and acknowledged writes with it.
    /// </summary>
    public static void TestThatSyncReportsErrors()
    {
        if (Libc.SyncData(-1) == 0) throw new DiskFailedException("self-test: fdatasync of a closed descriptor reports success: errors of the disk would stay hidden");
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends) != 0) throw PosixError.Last("self-test", "pipe");
        bool hidden = Libc.SyncData(ends[1]) == 0;
        _ = Libc.Close(ends[0]);
        _ = Libc.Close(ends[1]);
        if (hidden) throw new DiskFailedException("self-test: fdatasync of a pipe reports success: errors of the disk would stay hidden");
    }

    /// <summary>Makes creations, renames and deletions in <paramref name="directory"/> durable (fsync). Throws <see cref="DiskFailedException"/>.</summary>
    public static void SyncDirectory(string directory)
    {
        using SafeFileHandle handle = OpenHandle(directory, Libc.ReadOnly);
        while (Libc.Sync(handle) != 0)
        {
            if (!PosixError.WasInterrupted()) throw PosixError.Last(directory, "fsync");
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> List()
    {
        try
        {
            return [.. Directory.EnumerateFiles(DirectoryPath).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DiskFailedException($"{DirectoryPath}: listing failed: {exception.Message}", exception);
        }
    }

    /// <inheritdoc/>
    public long FreeBytes
    {
        get
        {
            try
            {
                return new DriveInfo(DirectoryPath).AvailableFreeSpace;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new DiskFailedException($"{DirectoryPath}: asking for free space failed: {exception.Message}", exception);
            }
        }
    }

    /// <inheritdoc/>
    public IDiskFile Open(string name) => new PosixFile(this, PathOf(name), name, OpenHandle(PathOf(name), _isReadOnly ? Libc.ReadOnly : Libc.ReadWrite));

    /// <inheritdoc/>
    public IDiskFile Create(string name)
    {
        ThrowIfFailed(PathOf(name));
        return new PosixFile(this, PathOf(name), name, OpenHandle(PathOf(name), Libc.ReadWrite | Libc.Create | Libc.Exclusive));
    }

    /// <inheritdoc/>
    public void Delete(string name)
    {
        ThrowIfFailed(PathOf(name));
        if (Libc.Unlink(PathOf(name)) != 0) throw Fail(PosixError.Last(PathOf(name), "unlink"));
    }

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        ThrowIfFailed(PathOf(to));
        // rename(2) replaces; the directory is ours alone, so that nothing comes in between.
        if (File.Exists(PathOf(to))) throw new DiskFailedException($"{PathOf(to)}: rename from {from} failed: the name is taken");
        if (Libc.Rename(PathOf(from), PathOf(to)) != 0) throw Fail(PosixError.Last(PathOf(from), $"rename to {to}"));
    }

    /// <inheritdoc/>
    public void SyncDirectory()
    {
        ThrowIfFailed(DirectoryPath);
        long began = Stopwatch.GetTimestamp();
        try
        {
            SyncDirectory(DirectoryPath);
            Counters.OnSynced(began);
        }
        catch (DiskFailedException failure)
        {
            throw Fail(failure);
        }
    }

    /// <summary>Remembers the first failure of a write or sync, and returns it to be thrown.</summary>
    internal DiskFailedException Fail(DiskFailedException failure)
    {
        Interlocked.CompareExchange(ref _failure, failure, null);
        return failure;
    }

    internal void ThrowIfFailed(string path)
    {
        if (_isReadOnly) throw new DiskFailedException($"{path}: refused, it was opened only to be looked at");
        if (Volatile.Read(ref _failure) is { } failure) throw new DiskFailedException($"{path}: refused, for the disk has failed before: {failure.Message}", failure);
    }

    private string PathOf(string name) => Path.Combine(DirectoryPath, name);

    private static SafeFileHandle OpenHandle(string path, int flags)
    {
        int descriptor;
        do descriptor = Libc.Open(path, flags | Libc.CloseOnExec, Libc.OwnerReadWriteOthersRead);
        while (descriptor < 0 && PosixError.WasInterrupted());
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw PosixError.Last(path, "open");
    }
}
