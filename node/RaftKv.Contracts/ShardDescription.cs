using System.Collections.Immutable;

namespace RaftKv.Contracts;

public enum ReplicaRole
{
    /// <summary>Counts in every majority.</summary>
    Voter = 1,

    /// <summary>Receives the log, never counts.</summary>
    Learner = 2,
}

/// <summary>One node's copy of one shard. Invariant: ReplicaId ≥ 1, NodeId = NodeIdentity.IdOf(Node) ≠ 0.</summary>
public sealed record ShardReplica
{
    /// <exception cref="ArgumentException">The replica id is 0 or the node name is not valid.</exception>
    public ShardReplica(ulong replicaId, string node, ReplicaRole role = ReplicaRole.Voter)
    {
        if (replicaId == 0) throw new ArgumentException("replica id 0 is reserved");
        ReplicaId = replicaId;
        Node = node;
        NodeId = NodeIdentity.IdOf(node);
        Role = role;
    }

    /// <summary>Unique in the shard for ever: term × 2^16 + counter; initial replicas are 1…n (design §2).</summary>
    public ulong ReplicaId { get; }

    /// <summary>The node's name.</summary>
    public string Node { get; }

    public ulong NodeId { get; }

    public ReplicaRole Role { get; }

    /// <summary><c>n1/1</c>, and <c>n1/1 learner</c>.</summary>
    public override string ToString() => Role == ReplicaRole.Learner ? $"{Node}/{ReplicaId} learner" : $"{Node}/{ReplicaId}";
}

/// <summary>
/// What is known of one shard: its range, epoch and replicas, as of that epoch. Invariants: Id ≥ 1; both parts of the
/// epoch ≥ 1; at least one voter; no node and no replica id twice. Immutable. Replicas keep the order they were given in.
/// </summary>
public sealed record ShardDescription
{
    /// <exception cref="ArgumentException">An invariant does not hold; the message names shard and fault.</exception>
    public ShardDescription(ulong id, HashRange range, ShardEpoch epoch, ImmutableArray<ShardReplica> replicas)
    {
        if (id == 0) throw new ArgumentException("shard id 0 is the controller's and owns no range");
        if (epoch.Version == 0 || epoch.ConfVersion == 0) throw new ArgumentException($"shard {id}: epoch {epoch} has a part that is 0");
        if (!replicas.Any(r => r.Role == ReplicaRole.Voter)) throw new ArgumentException($"shard {id} has no voter");
        if (replicas.DistinctBy(r => r.NodeId).Count() != replicas.Length) throw new ArgumentException($"shard {id} has two replicas on one node");
        if (replicas.DistinctBy(r => r.ReplicaId).Count() != replicas.Length) throw new ArgumentException($"shard {id} has two replicas of one id");
        Id = id;
        Range = range;
        Epoch = epoch;
        Replicas = replicas;
    }

    public ulong Id { get; }

    public HashRange Range { get; }

    public ShardEpoch Epoch { get; }

    public ImmutableArray<ShardReplica> Replicas { get; }

    /// <summary>The shard's replica on a node, or null when it has none there.</summary>
    public ShardReplica? ReplicaOn(ulong nodeId)
    {
        foreach (ShardReplica replica in Replicas)
        {
            if (replica.NodeId == nodeId) return replica;
        }

        return null;
    }

    // The compiler's own would compare the arrays by reference.
    public bool Equals(ShardDescription? other) =>
        other is not null && Id == other.Id && Range == other.Range && Epoch == other.Epoch && Replicas.SequenceEqual(other.Replicas);

    public override int GetHashCode() => HashCode.Combine(Id, Range, Epoch, Replicas.Length);

    /// <summary><c>shard 1 [0000000000000000, 2000000000000000) epoch 1.1: n1/1 n2/2 n3/3</c></summary>
    public override string ToString() => $"shard {Id} {Range} epoch {Epoch}: {string.Join(' ', Replicas)}";
}
