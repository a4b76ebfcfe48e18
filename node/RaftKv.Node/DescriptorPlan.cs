using System.ComponentModel;
using RaftKv.Contracts;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.RaftLog;
using RaftKv.Storage;

namespace RaftKv.Node;

/// <summary>
/// How the process's file descriptors are shared out, so that log, stores and peers never lack one, however many clients connect (design §7; bugs.md
/// D11). Everybody has the least that will do; of what is left over, half goes to table files kept open, as far as these are of use, and the rest to clients.
/// </summary>
/// <param name="Limit">Files that the process may have open.</param>
/// <param name="TableFilesPerStore">What RocksDB is told.</param>
/// <param name="Connections">Of clients, together.</param>
internal sealed record DescriptorPlan(long Limit, int TableFilesPerStore, int Connections)
{
    /// <summary>The runtime keeps the file of each assembly open, some 180 in all (measured); then there are pipes, listening sockets, a collector's connection.</summary>
    private const int OfProcess = 300;

    /// <summary>What flushes and compactions are writing, a checkpoint that is being read, a snapshot that is being staged.</summary>
    private const int OfStoresTogether = 64;

    /// <summary>MANIFEST, LOG, LOCK, a log that is never written, the directory.</summary>
    private const int OfStore = 8;

    /// <summary>RocksDB takes no fewer.</summary>
    private const int LeastTableFiles = 20;

    /// <summary>The peer port's connections without a Hello: TransportOptions.MaxHandshaking.</summary>
    private const int OfStrangers = 64;

    /// <summary>Two channels, each dialled and accepted, and another accepted one that is about to replace it.</summary>
    private const int OfPeer = 6;
    private const int LeastConnections = 64;

    /// <summary>
    /// Raises the limit as far as the process may, and shares it out. Throws <see cref="OptionException"/> when it is too low for the stores that are here, or will be
    /// after a first start.
    /// </summary>
    public static DescriptorPlan Make(NodeOptions options)
    {
        NodeLayout layout = new(options.DataDirectory);
        int members = options.InitialCluster?.Count ?? (File.Exists(layout.Peers) ? File.ReadLines(layout.Peers).Count() : 1);
        return Share(RaiseLimit(), StoresOf(options, layout), members, options.SegmentBytes, options.Limits.MaxConnections);
    }

    /// <param name="members">Of the cluster, this node too.</param>
    /// <param name="maxConnections">Clients want no more.</param>
    public static DescriptorPlan Share(long limit, int stores, int members, long segmentBytes, int maxConnections)
    {
        int open = stores + 1; // One that is being replaced is open beside its successor.
        long ofLog = OfLog(segmentBytes);
        long ofStores = OfStoresTogether + (long)open * (OfStore + LeastTableFiles);
        long ofPeers = OfStrangers + OfPeer * (members - 1);
        int clients = Math.Min(LeastConnections, maxConnections);
        long least = OfProcess + ofLog + ofStores + ofPeers + clients;
        if (limit < least)
            throw new OptionException($"this process may open {limit} files and needs {least}: {OfProcess} for itself, {ofLog} for the raft log, {ofStores} for {stores} stores, {ofPeers} for peers, {clients} for clients; raise its limit (ulimit -n)");

        long spare = limit - least;
        int more = (int)Math.Min(RocksStoreOptions.Default.MaxOpenFiles - LeastTableFiles, spare / 2 / open);
        return new DescriptorPlan(limit, LeastTableFiles + more, (int)Math.Min(maxConnections, clients + spare - (long)more * open));
    }

    /// <summary>Twice its budget, for it grows on beyond that rather than refuse a write; and spare files.</summary>
    private static long OfLog(long segmentBytes) => 2 * (RaftLogOptions.ForSegmentsOf(segmentBytes).BudgetBytes / segmentBytes) + 8;

    private static int StoresOf(NodeOptions options, NodeLayout layout)
    {
        if (layout.IsInhabited || options.InitialCluster is not { } members) return new StoreDirectories(layout.Shards).Groups().Count();
        string[] names = [.. members.Select(member => member.Name)];
        return ShardMap.Initial(names, options.InitialShards, options.Replicas ?? Math.Min(3, names.Length)).Shards.Count(shard => shard.Replicas.Any(replica => replica.Node == options.Name));
    }

    private static long RaiseLimit()
    {
        if (Libc.GetLimit(Libc.OpenFiles, out ResourceLimit limit) != 0) throw new Win32Exception("getrlimit(RLIMIT_NOFILE) failed");
        ResourceLimit raised = new() { Soft = limit.Hard, Hard = limit.Hard };
        // The runtime does it too, as it happens. What it cannot be raised to is not there.
        if (limit.Soft < limit.Hard && Libc.SetLimit(Libc.OpenFiles, raised) == 0) limit = raised;
        return (long)Math.Min(limit.Soft, int.MaxValue);
    }
}
