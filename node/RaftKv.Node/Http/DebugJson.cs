using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RaftKv.Node.Http;

// What /debug answers: for people and shardctl debug. Ids of replicas are strings, as everywhere; members may be added.

/// <summary>GET /debug/groups.</summary>
internal sealed record DebugGroupsJson(string Node, DebugGroupJson[] Groups);

/// <summary>GET /debug/groups/{id}: one group as the replica on this node knows it, of one moment of its STEP thread.</summary>
/// <param name="Text">The state in the notation of scenario files and simulator traces.</param>
/// <param name="Vote">The replica voted for in this term; absent if none.</param>
/// <param name="LeaderReplica">Absent while no leader is known; so is <paramref name="Leader"/>, its node, also when its node is not.</param>
/// <param name="Last">Of the log, which begins behind <paramref name="SnapshotIndex"/>; <paramref name="Durable"/> of it is on this disk.</param>
/// <param name="PendingProposals">Taken in here and without an outcome.</param>
/// <param name="PendingReads">Reads whose index is not confirmed.</param>
/// <param name="Followers">What a leader knows of the others; empty elsewhere.</param>
/// <param name="RoleChanges">The last 64, oldest first. Only in the answer on one group.</param>
internal sealed record DebugGroupJson(
    ulong Shard, string Node, string ReplicaId, string Role, ulong Term, string? Vote, string? Leader, string? LeaderReplica,
    ulong Commit, ulong Applied, ulong Last, ulong Durable, ulong SnapshotIndex, bool Asleep, int PendingProposals, int PendingReads,
    DebugConfigurationJson Configuration, DebugFollowerJson[] Followers, string Text, DebugRoleChangeJson[]? RoleChanges);

/// <summary>The newest configuration in the log, which holds. The outgoing half is there while it is joint.</summary>
internal sealed record DebugConfigurationJson(DebugMemberJson[] Voters, DebugMemberJson[] Learners, DebugMemberJson[]? OutgoingVoters, DebugMemberJson[]? OutgoingLearners);

/// <param name="Node">Its name, or its id in hex if it is not a member of the cluster as this node knows it.</param>
internal sealed record DebugMemberJson(string ReplicaId, string Node);

/// <param name="State">probe, replicate or snapshot.</param>
/// <param name="Match">Every entry up to here is durable there.</param>
/// <param name="Next">The next entry to send.</param>
/// <param name="IsWaiting">Nothing is sent before an answer to what was.</param>
internal sealed record DebugFollowerJson(string ReplicaId, string Node, string State, ulong Match, ulong Next, bool IsWaiting);

/// <param name="At">By this node's wall clock, reckoned back from now by the clock that consensus runs on.</param>
/// <param name="AgoMillis">By that clock.</param>
internal sealed record DebugRoleChangeJson(string At, long AgoMillis, string From, string To, ulong Term, string Reason);

/// <summary>GET and PUT /debug/log-level.</summary>
internal sealed record LogLevelJson(string? Level);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(DebugGroupsJson))]
[JsonSerializable(typeof(DebugGroupJson))]
[JsonSerializable(typeof(LogLevelJson))]
internal sealed partial class DebugJson : JsonSerializerContext
{
    /// <summary>For people with curl: text outside ASCII as it is.</summary>
    public static readonly DebugJson Readable = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
