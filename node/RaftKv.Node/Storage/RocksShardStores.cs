using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;
using RaftKv.Storage;

namespace RaftKv.Node.Storage;

/// <summary>The node's shard stores in RocksDB, where <see cref="StoreDirectories"/> says.</summary>
/// <remarks>Used by one thread at start, and by SNAPSHOT from then on.</remarks>
internal sealed class RocksShardStores(string directory, RocksEnvironment environment, RocksStoreOptions options, Limits limits) : IShardStores
{
    private readonly HashSet<string> _changed = [];
    private readonly StoreDirectories _directories = new(directory);
    private readonly DriveInfo _disk = new(directory);

    /// <inheritdoc/>
    public IReadOnlyList<(GroupId Group, ulong Generation)> List() => _directories.List();

    /// <inheritdoc/>
    public long RoomBytes => _disk.AvailableFreeSpace - limits.FreeDiskFloorBytes(_disk.TotalSize);

    /// <inheritdoc/>
    public IOrderedStore Create(GroupId group, ulong generation)
    {
        string path = _directories.Of(group, generation);
        if (Directory.Exists(path)) throw new StoreFailedException($"store {path}: exists already");
        Directory.CreateDirectory(path);
        NoteChange(group);
        return RocksOrderedStore.Open(environment, path, options with { CreateIfMissing = true });
    }

    /// <inheritdoc/>
    public IOrderedStore Open(GroupId group, ulong generation) => RocksOrderedStore.Open(environment, _directories.Of(group, generation), options);

    /// <inheritdoc/>
    public IStagedStore Stage(GroupId group, ulong generation)
    {
        string path = _directories.Of(group, generation);
        if (Directory.Exists(path)) throw new StoreFailedException($"store {path}: exists already");
        Directory.CreateDirectory(path);
        NoteChange(group);
        return new StagedDirectory(PosixDisk.OpenDirectory(path), environment, SyncDirectories);
    }

    /// <summary>Deletes what a crash left of checkpoints that were being sent.</summary>
    public void DeleteCheckpoints()
    {
        foreach (GroupId group in _directories.Groups()) RocksCheckpoint.DeleteLeftovers(_directories.OfGroup(group));
    }

    /// <inheritdoc/>
    public void Delete(GroupId group, ulong generation)
    {
        Directory.Delete(_directories.Of(group, generation), recursive: true);
        NoteChange(group);
    }

    /// <inheritdoc/>
    public void SyncDirectories()
    {
        // Inner ones first: an entry is of use only when what it names is there.
        foreach (string changed in _changed.OrderByDescending(path => path.Length).ThenBy(path => path, StringComparer.Ordinal))
            if (Directory.Exists(changed)) PosixDisk.SyncDirectory(changed);
        _changed.Clear();
    }

    private void NoteChange(GroupId group)
    {
        _changed.Add(_directories.OfGroup(group));
        _changed.Add(directory);
        _changed.Add(Path.GetDirectoryName(directory)!);
    }
}
