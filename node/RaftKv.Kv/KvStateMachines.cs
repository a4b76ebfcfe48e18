using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>Opens key-value state machines over a node's store directories.</summary>
/// <param name="limits">Equal on all nodes of a cluster.</param>
/// <param name="versionCacheBytes">For each shard, what the cache of its keys' newest versions may take; 0 keeps nothing.</param>
/// <param name="heldBytes">For each shard, how many bytes of rows gather before they are written to its store; 0: each commit writes.</param>
public sealed class KvStateMachines(IShardStores stores, Limits limits, long versionCacheBytes, int heldBytes) : IStateMachines
{
    /// <inheritdoc/>
    public IStateMachine Open(GroupId group, ulong generation)
    {
        IOrderedStore store = stores.Open(group, generation);
        try
        {
#if MUTANTS
            if (Mutants.On(Mutant.DedupNotInSnapshot) && generation > 1) KvStateMachine.ForgetDedup(store);
#endif
            return new KvStateMachine(group, store, limits, versionCacheBytes, heldBytes);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void DeleteAllBut(IReadOnlyCollection<(GroupId Group, ulong Generation)> live, IReadOnlyCollection<GroupId> removed)
    {
        bool any = false;
        foreach (var directory in stores.List())
        {
            if (live.Contains(directory)) continue;
            // An older or unfinished generation of a group the log knows. Of a group it does not know, synced log was lost (design §7).
            Invariant.Holds(removed.Contains(directory.Group) || live.Any(known => known.Group == directory.Group), $"{directory.Group}: a store directory, but no record in the raft log: synced log was lost");
            stores.Delete(directory.Group, directory.Generation);
            any = true;
        }

        if (any) stores.SyncDirectories();
    }

    /// <inheritdoc/>
    public long RoomBytes => stores.RoomBytes;

    /// <inheritdoc/>
    public IStagedStore Stage(GroupId group, ulong generation)
    {
        Delete(group, generation);
        return stores.Stage(group, generation);
    }

    /// <inheritdoc/>
    public void Delete(GroupId group, ulong generation)
    {
        if (!stores.List().Contains((group, generation))) return;
        stores.Delete(group, generation);
        stores.SyncDirectories();
    }
}
