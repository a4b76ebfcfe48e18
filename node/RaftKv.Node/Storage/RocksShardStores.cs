using System.Globalization;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;
using RaftKv.Storage;

namespace RaftKv.Node.Storage;

/// <summary>The node's shard stores in RocksDB, at <c>shards/&lt;id&gt;/&lt;generation&gt;/</c>, both as decimal numbers.</summary>
/// <remarks>Used by one thread at start, and by SNAPSHOT from then on. A name that is not a number is somebody else's and is left alone.</remarks>
internal sealed class RocksShardStores(string directory, RocksEnvironment environment) : IShardStores
{
    private readonly HashSet<string> _changed = [];

    /// <inheritdoc/>
    public IReadOnlyList<(GroupId Group, ulong Generation)> List()
    {
        List<(GroupId Group, ulong Generation)> found = [];
        if (!Directory.Exists(directory)) return found;
        foreach (ulong group in NumbersIn(directory))
            foreach (ulong generation in NumbersIn(GroupDirectory(new GroupId(group)))) found.Add((new GroupId(group), generation));
        found.Sort();
        return found;
    }

    /// <inheritdoc/>
    public IOrderedStore Create(GroupId group, ulong generation)
    {
        string path = PathOf(group, generation);
        if (Directory.Exists(path)) throw new StoreFailedException($"store {path}: exists already");
        Directory.CreateDirectory(path);
        NoteChange(group);
        return RocksOrderedStore.Open(environment, path, RocksStoreOptions.Default with { CreateIfMissing = true });
    }

    /// <inheritdoc/>
    public IOrderedStore Open(GroupId group, ulong generation) => RocksOrderedStore.Open(environment, PathOf(group, generation));

    /// <inheritdoc/>
    public IStagedStore Stage(GroupId group, ulong generation)
    {
        string path = PathOf(group, generation);
        if (Directory.Exists(path)) throw new StoreFailedException($"store {path}: exists already");
        Directory.CreateDirectory(path);
        NoteChange(group);
        return new StagedDirectory(PosixDisk.OpenDirectory(path), SyncDirectories);
    }

    /// <summary>Deletes what a crash left of checkpoints that were being sent.</summary>
    public void DeleteCheckpoints()
    {
        if (!Directory.Exists(directory)) return;
        foreach (ulong group in NumbersIn(directory)) RocksCheckpoint.DeleteLeftovers(GroupDirectory(new GroupId(group)));
    }

    /// <inheritdoc/>
    public void Delete(GroupId group, ulong generation)
    {
        Directory.Delete(PathOf(group, generation), recursive: true);
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
        _changed.Add(GroupDirectory(group));
        _changed.Add(directory);
        _changed.Add(Path.GetDirectoryName(directory)!);
    }

    private string GroupDirectory(GroupId group) => Path.Combine(directory, group.Value.ToString(CultureInfo.InvariantCulture));

    private string PathOf(GroupId group, ulong generation) => Path.Combine(GroupDirectory(group), generation.ToString(CultureInfo.InvariantCulture));

    private static IEnumerable<ulong> NumbersIn(string parent)
    {
        foreach (string path in Directory.EnumerateDirectories(parent))
            if (ulong.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)) yield return number;
    }
}
