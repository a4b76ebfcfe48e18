using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>
/// A node's first start: a store for each of its replicas of the initial map, then one synced batch of the log that says
/// so. Until that batch is durable nothing counts, and a start finds and deletes the leftovers.
/// </summary>
public static class NodeBirth
{
    private const ulong FirstGeneration = 1;

    /// <summary>Makes the stores and records; returns what a recovery of them would find.</summary>
    public static RecoveredLog Run(DiskIdentity identity, ShardMap map, IRaftLog log, IShardStores stores)
    {
        foreach (var (group, generation) in stores.List()) stores.Delete(group, generation);
        List<RecoveredGroup> groups = [];
        foreach (ShardDescription shard in map.Shards)
        {
            if (shard.ReplicaOn(identity.Node.Value) is not { } replica) continue;
            GroupId group = new(shard.Id);
            using (IOrderedStore store = stores.Create(group, FirstGeneration)) KvStateMachine.InitialiseStore(store, ShardMeta.AtBirth(shard), ConfigurationOf(shard));
            CommitPoint point = new(new ReplicaId(replica.ReplicaId), FirstGeneration, ShardMeta.BirthIndex, ShardMeta.BirthTerm,
                ConfigurationOf(shard), shard.Epoch.Version, shard.Epoch.ConfVersion);
            HardState hardState = new(ShardMeta.BirthTerm, ReplicaId.None, ShardMeta.BirthIndex);
            log.AddCommitPoint(group, point, keepsLogBehind: false);
            log.AddHardState(group, point.Replica, hardState);
            groups.Add(new RecoveredGroup(group, point, hardState, [], ShardMeta.BirthIndex));
        }

        stores.SyncDirectories();
        log.AddInitialised(identity);
        log.Commit();
        return new RecoveredLog(identity, groups);
    }

    private static Configuration ConfigurationOf(ShardDescription shard) =>
        Configuration.OfVoters([.. shard.Replicas.Select(replica => new Member(new ReplicaId(replica.ReplicaId), new NodeId(replica.NodeId)))]);
}
