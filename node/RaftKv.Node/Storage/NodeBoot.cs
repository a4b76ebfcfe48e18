using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Options;
using RaftKv.Raft;
using RaftKv.RaftLog;
using RaftKv.RaftLog.Posix;

namespace RaftKv.Node.Storage;

/// <summary>The node cannot start on what it found; the message is one line. Exit code 1.</summary>
internal sealed class StartRefusedException(string message) : Exception(message);

/// <summary>What the directory says: who this node is, what it holds, and whom it knows.</summary>
/// <param name="LogDisk">Of the disk under the log.</param>
internal sealed record BootedNode(SegmentedRaftLog Log, DiskCounters LogDisk, RecoveredLog Recovered, DiskIdentity Identity, ShardMap Map, IReadOnlyList<ClusterMember> Members);

/// <summary>The way from a locked directory to a recovered log: the first start makes an identity, every other one must match it.</summary>
internal static class NodeBoot
{
    /// <summary>Throws <see cref="StartRefusedException"/>, LogCorruptException, DiskFailedException, StoreFailedException, InvariantViolatedException.</summary>
    public static BootedNode Run(NodeOptions options, DataDirectory directory, RocksShardStores stores)
    {
        directory.MoveIn();
        stores.DeleteCheckpoints();
        PosixDisk disk = PosixDisk.OpenDirectory(directory.Log);
        // A first start makes a segment before it makes a store, so stores without any segment are no leftovers of one.
        if (disk.List().Count == 0 && stores.List() is { Count: > 0 } orphans)
            throw new StartRefusedException($"{directory.Shards} holds {orphans.Count} stores, but {directory.Log} holds no segment: the raft log was lost");

        SegmentedRaftLog log = SegmentedRaftLog.Open(disk, RaftLogOptions.ForSegmentsOf(options.SegmentBytes), RandomId(), out RecoveredLog recovered);
        try
        {
            return recovered.Identity is { } identity ? Resume(options, directory, log, disk.Counters, recovered, identity) : FirstStart(options, directory, log, disk.Counters, stores);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>XXH64 of the token and the sorted names, so that every member comes to the same; never 0.</summary>
    public static ulong ClusterIdOf(string token, IEnumerable<string> names)
    {
        ulong id = XxHash64.Hash(Encoding.UTF8.GetBytes(token + "\n" + string.Join('\n', names.Order(StringComparer.Ordinal))));
        return id == 0 ? 1 : id;
    }

    /// <summary>Random, never 0.</summary>
    public static ulong RandomId()
    {
        Span<byte> bytes = stackalloc byte[8];
        ulong id;
        do
        {
            RandomNumberGenerator.Fill(bytes);
            id = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        }
        while (id == 0);
        return id;
    }

    private static BootedNode FirstStart(NodeOptions options, DataDirectory directory, SegmentedRaftLog log, DiskCounters logDisk, RocksShardStores stores)
    {
        IReadOnlyList<ClusterMember> members = options.InitialCluster
            ?? throw new StartRefusedException($"{directory.Path} holds no node yet: the first start needs --initial-cluster");
        string[] names = [.. members.Select(member => member.Name)];
        ShardMap map = ShardMap.Initial(names, options.InitialShards, options.Replicas ?? Math.Min(3, names.Length), options.LeaseReads, options.LeaseReads ? options.ScaledMicros(options.ElectionTimeoutMillis) : null);
        DiskIdentity identity = new(ClusterIdOf(options.ClusterToken, names), new NodeId(NodeIdentity.IdOf(options.Name)), RandomId(), options.Name, map.ToFile());
        directory.WritePeers(members);
        RecoveredLog born = NodeBirth.Run(identity, map, log, stores);
        return new BootedNode(log, logDisk, born, identity, map, members);
    }

    private static BootedNode Resume(NodeOptions options, DataDirectory directory, SegmentedRaftLog log, DiskCounters logDisk, RecoveredLog recovered, DiskIdentity identity)
    {
        if (identity.Name != options.Name) throw new StartRefusedException($"{directory.Path} belongs to node {identity.Name}, this is {options.Name}");
        IReadOnlyList<ClusterMember> members = options.InitialCluster ?? ReadMembers(directory);
        if (members.All(member => member.Name != options.Name))
            throw new StartRefusedException($"{directory.Path}/peers does not name this node: start once with --initial-cluster");
        CheckCluster(options, directory, identity, members);
        if (OptionParser.ContradictionIn(members, options) is { } contradiction)
            throw new StartRefusedException($"--advertise-peer: {contradiction}; if it has moved, start once with --initial-cluster");

        ShardMap map = ShardMap.FromFile(identity.InitialMap.Span);
        // What was promised to a leader before the restart was promised by the old timeout.
        long election = options.ScaledMicros(options.ElectionTimeoutMillis);
        long reliedOn = map.LeaseElectionMicros ?? ShardMap.DefaultLeaseElectionMicros;
        if (map.LeaseReads && reliedOn != election)
            throw new StartRefusedException($"{directory.Path} belongs to a cluster with lease reads, which rely on an election timeout of {reliedOn / 1000} ms; --election-timeout-ms and --time-scale-percent make it {election / 1000} ms");

        // Who the members are is settled; where they are reached may have changed.
        if (options.InitialCluster is not null) directory.WritePeers(members);
        return new BootedNode(log, logDisk, recovered, identity, map, members);
    }

    /// <summary>
    /// Refuses members or a token of another cluster. The token is kept nowhere but in the cluster's id: where it is not given again, the names must be those that
    /// the directory knows.
    /// </summary>
    private static void CheckCluster(NodeOptions options, DataDirectory directory, DiskIdentity identity, IReadOnlyList<ClusterMember> members)
    {
        if (options.InitialCluster is null && options.ClusterToken.Length == 0) return;
        ulong meant = ClusterIdOf(options.ClusterToken, members.Select(member => member.Name));
        if (meant == identity.ClusterId) return;
        string belongs = $"{directory.Path} belongs to cluster {identity.ClusterId:x16}";
        if (options.ClusterToken.Length > 0) throw new StartRefusedException($"{belongs}; --initial-cluster and --cluster-token name cluster {meant:x16}");
        string[] known = NamesOf(ReadMembers(directory));
        if (known.Length == 0) throw new StartRefusedException($"{belongs}, and {directory.Path}/peers is lost: start once with --cluster-token too");
        if (!known.SequenceEqual(NamesOf(members)))
            throw new StartRefusedException($"{belongs} of {string.Join(", ", known)}; --initial-cluster names {string.Join(", ", NamesOf(members))}");
    }

    private static string[] NamesOf(IEnumerable<ClusterMember> members) => [.. members.Select(member => member.Name).Order(StringComparer.Ordinal)];

    /// <summary>A line that is lost would make a cluster of fewer members of it.</summary>
    private static ClusterMember[] ReadMembers(DataDirectory directory)
    {
        IReadOnlyList<string> lines = directory.ReadPeers();
        ClusterMember[] members = [.. OptionParser.ParseMembers(lines)];
        return members.Length == lines.Count ? members : throw new StartRefusedException($"{directory.Path}/peers has a line that is not NAME=HOST:PORT: start once with --initial-cluster, and --cluster-token if there was one");
    }
}
