using System.Collections.Immutable;

namespace RaftKv.Client;

/// <summary>What a node says of itself: <c>GET /v1/status</c>.</summary>
/// <param name="Process">Null when the node is of a version that does not say.</param>
/// <param name="RaftLog">Likewise.</param>
public sealed record NodeStatus(
    string Node, string NodeId, string ClusterId, string? ClientUrl, string? PeerAddress, long UptimeMillis, ImmutableArray<GroupStatus> Groups,
    ProcessStatus? Process = null, RaftLogStatus? RaftLog = null);

/// <summary>A node's process since its start. Counts only grow.</summary>
/// <param name="CpuMillis">User and system time of all its threads.</param>
/// <param name="AllocatedBytes">On the managed heap, collected or not.</param>
/// <param name="Gc">How the garbage collector is set up, in words.</param>
/// <param name="GcCollections">By generation: 0, 1, 2.</param>
/// <param name="GcPauseMillis">For so long in all the garbage collector has stopped it.</param>
public sealed record ProcessStatus(int Pid, long CpuMillis, long ResidentBytes, long AllocatedBytes, string Gc, ImmutableArray<int> GcCollections, long GcPauseMillis);

/// <summary>The raft log's disk since the node's start, padding and zeroing included.</summary>
public sealed record RaftLogStatus(long Syncs, long WrittenBytes);

/// <summary>A node's replica of a shard as that node sees it. Indexes are the log's.</summary>
/// <param name="Role">leader, follower, candidate or pre-candidate.</param>
/// <param name="Leader">The node that leads, null if this replica knows of none.</param>
/// <param name="Store">Null when the node does not say.</param>
public sealed record GroupStatus(
    ulong Shard, string ReplicaId, string Role, ulong Term, string? Leader, ulong Commit, ulong Applied, ulong Last, ulong Durable, ulong Revision, StoreStatus? Store = null)
{
    public bool IsLeader => Role == "leader";
}

/// <summary>What a replica's store takes, as stored.</summary>
/// <param name="LiveBytes">About how much of <paramref name="FileBytes"/> is rows that no newer row replaces.</param>
/// <param name="MemoryBytes">What keeps the rows that are in no file yet.</param>
/// <param name="Rows">About how many there are; a key has several.</param>
public sealed record StoreStatus(long FileBytes, long LiveBytes, long MemoryBytes, long Rows)
{
    /// <summary>Logical size, about.</summary>
    public long DataBytes => LiveBytes + MemoryBytes;
}

/// <summary>The cluster's members: <c>GET /v1/nodes</c>.</summary>
public sealed record NodeList(ImmutableArray<NodeMember> Nodes);

/// <param name="ClientUrl">Null when the node that answers does not know it.</param>
/// <param name="BootId">Null when the node that answers has never spoken with it.</param>
public sealed record NodeMember(string Name, string Id, string PeerAddress, string? ClientUrl, string? BootId, bool IsSelf);

/// <summary>The shard map with the leaders that the node that answers knows: <c>GET /v1/shards</c>.</summary>
public sealed record ShardList(ImmutableArray<ShardEntry> Shards);

/// <summary>One shard; start and end are 16 hex digits, an end of zeros is 2^64.</summary>
public sealed record ShardEntry(ulong Id, string Start, string End, ulong Version, ulong ConfVersion, string? Leader, ImmutableArray<ReplicaEntry> Replicas);

/// <param name="Role">voter or learner.</param>
public sealed record ReplicaEntry(string Node, string ReplicaId, string Role);

/// <summary>A node's replica of a shard from inside: <c>GET /debug/groups/{id}</c>. Of its members those that are shown; the document has more.</summary>
/// <param name="Followers">What a leader knows of the others; empty elsewhere.</param>
/// <param name="RoleChanges">The last ones, oldest first.</param>
public sealed record GroupDebug(
    ulong Shard, string Node, string ReplicaId, string Role, ulong Term, ulong Commit, ulong Applied, ulong Last, bool Asleep,
    ImmutableArray<FollowerDebug> Followers, ImmutableArray<RoleChangeDebug> RoleChanges);

/// <param name="State">probe, replicate or snapshot.</param>
/// <param name="Match">Every entry up to here is durable there.</param>
/// <param name="Next">The next entry to send.</param>
/// <param name="IsWaiting">Nothing is sent before an answer to what was.</param>
public sealed record FollowerDebug(string ReplicaId, string Node, string State, ulong Match, ulong Next, bool IsWaiting);

/// <param name="At">By the wall clock of the node that says it.</param>
public sealed record RoleChangeDebug(DateTimeOffset At, string From, string To, ulong Term, string Reason);
