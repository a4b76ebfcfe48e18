using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using RaftKv.Contracts;

namespace RaftKv.Node.Http;

/// <summary>RFC 9457, with the members of the HTTP API. <c>type</c> is absent, which means about:blank.</summary>
internal sealed record ProblemJson(string Title, int Status, string Detail, string Code, string? Outcome, bool Retryable, long? Limit = null, long? Actual = null);

internal sealed record DeleteJson(bool Deleted, ulong Revision);

/// <summary><c>uptimeMillis</c> is by the clock that consensus runs on, sleep of the machine included.</summary>
internal sealed record StatusJson(
    string Node, string NodeId, string DiskId, string BootId, string ClusterId, string ClientUrl, string PeerAddress, long UptimeMillis, SnapshotsJson Snapshots,
    GroupJson[] Groups, StoppedReplicaJson[] Stopped, ProcessJson Process, RaftLogJson RaftLog, DiskJson Disk);

/// <summary>A replica of this node whose store is damaged: it takes part in nothing any more. Its shard goes on without it.</summary>
internal sealed record StoppedReplicaJson(ulong Shard, string ReplicaId, string Reason);

/// <summary>The node's process since its start: what a load generator divides by operations. Counts only grow.</summary>
/// <param name="CpuMillis">User and system time of all its threads.</param>
/// <param name="AllocatedBytes">On the managed heap, collected or not.</param>
/// <param name="Gc">How the garbage collector is set up: <c>workstation</c> or <c>server</c>, <c>concurrent</c> or not.</param>
/// <param name="GcCollections">By generation: 0, 1, 2.</param>
/// <param name="GcPauseMillis">For so long in all it has stopped the process.</param>
internal sealed record ProcessJson(int Pid, long CpuMillis, long ResidentBytes, long AllocatedBytes, string Gc, int[] GcCollections, long GcPauseMillis);

/// <summary>The raft log's disk since the start. <c>writtenBytes</c> includes padding and what is zeroed ahead.</summary>
internal sealed record RaftLogJson(long Syncs, long WrittenBytes);

/// <summary>Where the data directory lies, as of a second ago. Below the floor this node takes no puts for the shards it leads.</summary>
internal sealed record DiskJson(long FreeBytes, long FloorBytes, bool TakesPuts);

/// <summary>Since the start of the process: snapshots that followers installed from here, that were installed here, and that came to nothing either way.</summary>
/// <param name="Waiting">Now: offered to this node, and waiting for room on its disk.</param>
internal sealed record SnapshotsJson(long Sent, long Installed, long Failed, int Waiting);

/// <summary>
/// One group as this node sees it. Indexes are the log's, which begins behind <c>snapshotIndex</c>; <c>revision</c> is the last one assigned here.
/// </summary>
/// <param name="Store">Absent while the store is being replaced by a snapshot's.</param>
internal sealed record GroupJson(
    ulong Shard, string ReplicaId, string Role, ulong Term, string? Leader, ulong Commit, ulong Applied, ulong Last, ulong Durable, ulong SnapshotIndex, ulong Revision, StoreJson? Store);

/// <summary>What a replica's store takes, as stored; see StoreSize. <c>liveBytes</c> and <c>rows</c> are estimates of RocksDB's.</summary>
internal sealed record StoreJson(long FileBytes, long LiveBytes, long MemoryBytes, long Rows);

internal sealed record ShardsJson(ShardJson[] Shards);

/// <summary><c>leader</c> is null while this node does not know it.</summary>
internal sealed record ShardJson(
    ulong Id, string Start, string End, ulong Version, ulong ConfVersion, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Leader, ReplicaJson[] Replicas);

internal sealed record ReplicaJson(string Node, string ReplicaId, string Role);

internal sealed record NodesJson(NodeJson[] Nodes);

/// <summary><c>clientUrl</c> and <c>bootId</c> are known of the node that answers and of those it has spoken with.</summary>
internal sealed record NodeJson(string Name, string Id, string PeerAddress, string? ClientUrl, string? BootId, bool IsSelf);

/// <summary>Who leads the shard now, and since which term.</summary>
internal sealed record TransferJson(ulong Shard, string Leader, ulong Term);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProblemJson))]
[JsonSerializable(typeof(DeleteJson))]
[JsonSerializable(typeof(StatusJson))]
[JsonSerializable(typeof(ShardsJson))]
[JsonSerializable(typeof(NodesJson))]
[JsonSerializable(typeof(TransferJson))]
[JsonSerializable(typeof(Limits))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>Text outside ASCII stands as it is: these documents are read by people with curl, never put into HTML.</summary>
    public static readonly ApiJson Readable = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
