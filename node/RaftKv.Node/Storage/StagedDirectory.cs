using RaftKv.MultiRaft.Ports;
using RaftKv.RaftLog.Posix;
using RaftKv.Storage;

namespace RaftKv.Node.Storage;

/// <summary>A store directory that is filled file by file; each is synced when its last byte is written.</summary>
internal sealed class StagedDirectory(PosixDisk disk, RocksEnvironment environment, Action syncParents) : IStagedStore
{
    private IDiskFile? _file;

    /// <inheritdoc/>
    public void Write(CheckpointFile file, long offset, ReadOnlySpan<byte> bytes)
    {
        if (offset == 0) _file = disk.Create(file.Name);
        _file!.Write(offset, bytes);
        if (offset + bytes.Length < file.Length) return;
        _file.Sync();
        _file.Dispose();
        _file = null;
    }

    /// <inheritdoc/>
    public void Finish()
    {
        disk.SyncDirectory();
        syncParents();
    }

    /// <inheritdoc/>
    public IEnumerable<long> Verify() => StoreVerification.Run(environment, disk.DirectoryPath);

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }
}
