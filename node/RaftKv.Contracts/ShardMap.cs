using System.Collections.Frozen;
using System.Collections.Immutable;

namespace RaftKv.Contracts;

/// <summary>
/// Which shard owns which hashes, and who holds its replicas. Immutable: node and client hold one reference and swap it
/// whole. Invariants: shards are sorted by Range.Start; their ranges tile [0, 2^64) without gap or overlap; no id twice;
/// no two node names share an id.
/// </summary>
/// <remarks>Leaders are not in it: they change without a change of the map. Lookups are on the hot path: no allocation.</remarks>
public sealed class ShardMap
{
    /// <summary>What <see cref="LeaseElectionMicros"/> is in a map with lease reads that does not say.</summary>
    public const long DefaultLeaseElectionMicros = 500_000;

    private readonly ulong[] _starts;
    private readonly FrozenDictionary<ulong, ShardDescription> _byId;

    /// <param name="shards">In any order, at least one.</param>
    /// <param name="leaseReads">Whether the cluster serves lease reads (design §6: a property of the cluster, never of one node).</param>
    /// <param name="leaseElectionMicros">With lease reads: the election timeout of every node, in µs; null is <see cref="DefaultLeaseElectionMicros"/>.</param>
    /// <exception cref="InvalidShardMapException">An invariant does not hold; the message names the shards.</exception>
    public ShardMap(IEnumerable<ShardDescription> shards, bool leaseReads = false, long? leaseElectionMicros = null)
    {
        if (leaseElectionMicros is not null && (!leaseReads || leaseElectionMicros <= 0)) throw new InvalidShardMapException($"leaseElectionMicros is {leaseElectionMicros} and leaseReads {leaseReads}");
        LeaseElectionMicros = leaseElectionMicros;
        Shards = [.. shards.OrderBy(s => s.Range.Start)];
        LeaseReads = leaseReads;
        CheckIds(Shards);
        CheckNodes(Shards);
        CheckTiling(Shards);
        _starts = [.. Shards.Select(s => s.Range.Start)];
        _byId = Shards.ToFrozenDictionary(s => s.Id);
    }

    /// <summary>Ascending by Range.Start.</summary>
    public ImmutableArray<ShardDescription> Shards { get; }

    public bool LeaseReads { get; }

    /// <summary>The election timeout that lease reads rely on, in µs; null: there are none, or it is <see cref="DefaultLeaseElectionMicros"/>.</summary>
    public long? LeaseElectionMicros { get; }

    /// <summary>The shard whose range contains <paramref name="hash"/>. There always is one. O(log shards).</summary>
    public ShardDescription ByHash(ulong hash)
    {
        int found = Array.BinarySearch(_starts, hash);
        // Not found: ~found is the first start above the hash, and the shard before it contains the hash. The first start is 0, so ~found ≥ 1.
        return Shards[found >= 0 ? found : ~found - 1];
    }

    /// <summary>The shard that owns a key.</summary>
    public ShardDescription ByKey(ReadOnlySpan<byte> key) => ByHash(KeyHash.Of(key));

    /// <summary>The shard of that id, or null.</summary>
    public ShardDescription? ById(ulong shardId) => _byId.GetValueOrDefault(shardId);

    /// <summary>
    /// The map a cluster starts with. The hash space is cut into <paramref name="shards"/> equal ranges; shard ids are
    /// 1…shards, ascending with the range. With the n names sorted ordinally and numbered 0…n−1, shard i has its
    /// replicas on the nodes (i−1+k) mod n for k = 0…replicas−1; replica k has the id k+1. So shard 1 begins at the
    /// first node. All are voters, every epoch is 1.1. Depends on nothing but its arguments; the order of names does not matter.
    /// </summary>
    /// <param name="nodeNames">At least one; valid, distinct, of distinct ids.</param>
    /// <param name="shards">≥ 1.</param>
    /// <param name="replicas">1…number of nodes.</param>
    /// <exception cref="ArgumentException">An argument is out of its range; the message says which.</exception>
    public static ShardMap Initial(IReadOnlyList<string> nodeNames, int shards, int replicas, bool leaseReads = false, long? leaseElectionMicros = null)
    {
        NodeIdentity.IdsOf(nodeNames);
        if (shards < 1) throw new ArgumentException($"there must be at least 1 shard, not {shards}");
        if (replicas < 1 || replicas > nodeNames.Count) throw new ArgumentException($"replicas must be between 1 and the number of nodes, {nodeNames.Count}, not {replicas}");

        string[] nodes = [.. nodeNames.Order(StringComparer.Ordinal)];
        HashRange[] ranges = HashRange.SplitFull(shards);
        return new ShardMap(ranges.Select((range, i) => new ShardDescription((ulong)i + 1, range, ShardEpoch.Initial, ReplicasFrom(nodes, i, replicas))), leaseReads, leaseElectionMicros);
    }

    private static ImmutableArray<ShardReplica> ReplicasFrom(string[] nodes, int first, int count) =>
        [.. Enumerable.Range(0, count).Select(k => new ShardReplica((ulong)k + 1, nodes[(first + k) % nodes.Length]))];

    /// <summary>The map's file: see <see cref="ShardMapFile"/>. Equal maps give equal bytes.</summary>
    public byte[] ToFile() => ShardMapFile.Write(this);

    /// <summary>Reads what <see cref="ToFile"/> wrote, of this or an older version of the format.</summary>
    /// <exception cref="InvalidShardMapException">Not a map, of an unknown format version, or an invariant does not hold.</exception>
    public static ShardMap FromFile(ReadOnlySpan<byte> file) => ShardMapFile.Read(file);

    /// <summary>
    /// XXH64, seed 0, of the bytes of <see cref="ToFile"/>: nodes compare it in the handshake, a person with
    /// <c>xxhsum -H1</c> on the file. Writes the whole map: compute it once, not per request.
    /// </summary>
    public ulong Digest() => XxHash64.Hash(ToFile());

    private static void CheckIds(ImmutableArray<ShardDescription> shards)
    {
        var seen = new HashSet<ulong>();
        foreach (ShardDescription shard in shards)
        {
            if (!seen.Add(shard.Id)) throw new InvalidShardMapException($"shard id {shard.Id} occurs twice");
        }
    }

    private static void CheckNodes(ImmutableArray<ShardDescription> shards)
    {
        try
        {
            NodeIdentity.IdsOf([.. shards.SelectMany(s => s.Replicas).Select(r => r.Node).Distinct()]);
        }
        catch (ArgumentException e)
        {
            throw new InvalidShardMapException(e.Message, e);
        }
    }

    private static void CheckTiling(ImmutableArray<ShardDescription> shards)
    {
        if (shards.IsEmpty) throw new InvalidShardMapException("there is no shard");
        if (shards[0].Range.Start != 0) throw new InvalidShardMapException($"no shard owns the hashes below {shards[0]}");
        for (int i = 1; i < shards.Length; i++)
        {
            // An End of 0 is 2^64, so a shard behind it overlaps it.
            ulong end = shards[i - 1].Range.End;
            if (end == 0 || end > shards[i].Range.Start) throw new InvalidShardMapException($"{shards[i - 1]} and {shards[i]} overlap");
            if (end < shards[i].Range.Start) throw new InvalidShardMapException($"no shard owns the hashes between {shards[i - 1]} and {shards[i]}");
        }

        if (shards[^1].Range.End != 0) throw new InvalidShardMapException($"no shard owns the hashes above {shards[^1]}");
    }
}

/// <summary>A shard map that is none. The message is one line, fit for an operator.</summary>
public sealed class InvalidShardMapException : Exception
{
    public InvalidShardMapException(string message) : base("shard map: " + message) { }

    public InvalidShardMapException(string message, Exception inner) : base("shard map: " + message, inner) { }
}
