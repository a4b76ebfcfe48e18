namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// The directory that holds a node's Raft log: a real one, or the simulator's, which tears, loses and corrupts. The disk
/// is small on purpose, so that the real format and the real recovery run over both.
/// </summary>
/// <remarks>Errors are <see cref="DiskFailedException"/>; after one, nothing more may be acknowledged (design §3.5).</remarks>
public interface IDisk
{
    /// <summary>Names of the files in the directory, in ordinal order.</summary>
    IReadOnlyList<string> List();

    /// <summary>Bytes that new files could still take.</summary>
    long FreeBytes { get; }

    /// <summary>Opens an existing file for reading and writing.</summary>
    IDiskFile Open(string name);

    /// <summary>Creates an empty file; it survives a crash only after <see cref="SyncDirectory"/>. Fails if it exists.</summary>
    IDiskFile Create(string name);

    void Delete(string name);

    /// <summary>Gives a file another name, atomically; fails if that is taken. Durable after <see cref="SyncDirectory"/>.</summary>
    void Rename(string from, string to);

    /// <summary>Makes creations, renames and deletions so far durable.</summary>
    void SyncDirectory();
}

/// <summary>One file of a disk. Owned by one writer; <see cref="Read"/> may be called beside it from other threads.</summary>
public interface IDiskFile : IDisposable
{
    string Name { get; }

    long Length { get; }

    /// <summary>Reads up to <paramref name="into"/>.Length bytes at <paramref name="offset"/>; fewer only at the end of the file.</summary>
    int Read(long offset, Span<byte> into);

    /// <summary>Writes all of <paramref name="bytes"/>, growing the file if need be. Durable only after <see cref="Sync"/>.</summary>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes everything written so far durable (fdatasync).</summary>
    void Sync();
}

/// <summary>A disk operation failed; the message names the file, the operation and the error.</summary>
public sealed class DiskFailedException : Exception
{
    public DiskFailedException(string message) : base(message) { }

    public DiskFailedException(string message, Exception inner) : base(message, inner) { }
}
