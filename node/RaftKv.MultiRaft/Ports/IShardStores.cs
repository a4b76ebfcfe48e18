using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>A node's store directories, one per replica generation: <c>shards/&lt;id&gt;/&lt;generation&gt;/</c>.</summary>
public interface IShardStores
{
    /// <summary>Every directory there is, complete or not.</summary>
    IReadOnlyList<(GroupId Group, ulong Generation)> List();

    /// <summary>Makes an empty store. Fails when the directory exists.</summary>
    IOrderedStore Create(GroupId group, ulong generation);

    /// <summary>Opens an existing store. Throws <see cref="StoreDamagedException"/> when it is missing or damaged.</summary>
    IOrderedStore Open(GroupId group, ulong generation);

    /// <summary>Begins a store that is filled with the files of a snapshot. Fails when the directory exists.</summary>
    IStagedStore Stage(GroupId group, ulong generation);

    /// <summary>What may be written here before the disk has less free than its floor; negative when it has. Throws <see cref="IOException"/> when nobody can say.</summary>
    long RoomBytes { get; }

    void Delete(GroupId group, ulong generation);

    /// <summary>Makes creations and deletions of directories durable.</summary>
    void SyncDirectories();
}
