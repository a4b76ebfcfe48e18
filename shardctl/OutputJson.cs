using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using RaftKv.Shardctl.Bench;
using RaftKv.Shardctl.Offline;

namespace RaftKv.Shardctl;

// What -o json writes. Scripts rely on it: members may be added, none is renamed or removed. Bytes that are UTF-8 are text
// (key, value), else base64 (keyBase64, valueBase64), as in the HTTP API.

/// <summary>get. <c>ttl</c> is in seconds, if the key has one. <c>ageMillis</c> is of a stale read, and not there when it is not known.</summary>
internal sealed record GetOutput(
    string? Key, string? KeyBase64, string? Value, string? ValueBase64, ulong Revision, ulong Created, ulong Version, long? Ttl, ulong Shard, string Node, ulong Term, ulong Index, string? Consistency, long? AgeMillis);

/// <summary>list. <c>more</c> says that there are keys beyond the limit.</summary>
internal sealed record ListOutput(ImmutableArray<ListItemOutput> Items, int Count, bool More);

/// <summary>One key of a list; without a value if only keys were asked for. <c>ttl</c> is in seconds, if it has one.</summary>
internal sealed record ListItemOutput(
    string? Key, string? KeyBase64, string? Value, string? ValueBase64, ulong Revision, ulong Created, ulong Version, long? Ttl, ulong Shard, string Node, ulong Term, ulong Index);

/// <summary>list --count-only.</summary>
internal sealed record CountOutput(long Count);

/// <summary>put. <c>prevRevision</c> is 0 if the key was absent.</summary>
internal sealed record PutOutput(string? Key, string? KeyBase64, ulong Revision, ulong PrevRevision, ulong Shard, string Node, ulong Term, ulong Index);

/// <summary>del.</summary>
internal sealed record DeleteOutput(string? Key, string? KeyBase64, bool Deleted, ulong Revision, ulong PrevRevision, ulong Shard, string Node, ulong Term, ulong Index);

/// <summary>status. <c>problems</c> says in words why <c>healthy</c> is false.</summary>
internal sealed record StatusOutput(string? ClusterId, bool Healthy, ImmutableArray<string> Problems, ImmutableArray<NodeOutput> Nodes, ImmutableArray<ShardOutput> Shards);

/// <param name="State">up; down: asked without an answer; unknown: no endpoint known to ask.</param>
/// <param name="FileBytes">On its disk, of all its replicas' stores.</param>
internal sealed record NodeOutput(string Name, string Id, string State, string? ClientUrl, string PeerAddress, long? UptimeMillis, int? Leads, int? Replicas, long? FileBytes);

/// <summary>One shard. What no node that answered could tell is null: its leader, and with the leader term, commit, revision and sizes, which are the leader's.</summary>
/// <param name="DataBytes">Its logical size, about, as stored; see <see cref="RaftKv.Client.StoreStatus"/>.</param>
/// <param name="FileBytes">Its physical size, on the leader's disk.</param>
internal sealed record ShardOutput(
    ulong Id, string Start, string End, ulong Version, ulong ConfVersion, string? Leader, ulong? Term, ulong? Commit, ulong? Revision, long? DataBytes, long? FileBytes, ImmutableArray<ReplicaOutput> Replicas);

/// <param name="Lag">Entries that the leader has committed and this replica has not applied yet; null if either did not answer.</param>
/// <param name="Rows">In its store, about; a key has several.</param>
internal sealed record ReplicaOutput(string Node, string ReplicaId, string Role, ulong? Term, ulong? Applied, ulong? Last, ulong? Durable, ulong? Lag, long? DataBytes, long? FileBytes, long? Rows);

/// <summary>debug group. <c>nodes</c> are those that hold the shard by their own word or the map's.</summary>
internal sealed record DebugGroupOutput(ulong Shard, ImmutableArray<DebugNodeOutput> Nodes);

/// <param name="Group">What the node says at /debug/groups/{id}, as it is; null when it was not asked or did not answer.</param>
/// <param name="Problem">Then, why.</param>
internal sealed record DebugNodeOutput(string Node, JsonObject? Group, string? Problem);

/// <summary>shard transfer-leader: who leads now, and in which term.</summary>
internal sealed record TransferOutput(ulong Shard, string Leader, ulong Term);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(GetOutput))]
[JsonSerializable(typeof(ListOutput))]
[JsonSerializable(typeof(CountOutput))]
[JsonSerializable(typeof(PutOutput))]
[JsonSerializable(typeof(DeleteOutput))]
[JsonSerializable(typeof(StatusOutput))]
[JsonSerializable(typeof(DebugGroupOutput))]
[JsonSerializable(typeof(TransferOutput))]
[JsonSerializable(typeof(InspectOutput))]
[JsonSerializable(typeof(VerifyOutput))]
[JsonSerializable(typeof(LoadOutput))]
[JsonSerializable(typeof(CompareOutput))]
internal sealed partial class OutputJson : JsonSerializerContext
{
    /// <summary>Of the documents on one key: what is null is left out.</summary>
    public static readonly OutputJson OfKey = new(OptionsWith(JsonIgnoreCondition.WhenWritingNull));

    /// <summary>Of status: every member is always there; null is unknown.</summary>
    public static readonly OutputJson OfCluster = new(OptionsWith(JsonIgnoreCondition.Never));

    public static string Write<T>(T output, JsonTypeInfo<T> type) => JsonSerializer.Serialize(output, type);

    /// <summary>The bytes as text, or else as base64; the other one is null.</summary>
    public static (string? Text, string? Base64) Split(byte[] bytes) => Utf8.IsValid(bytes) ? (Encoding.UTF8.GetString(bytes), null) : (null, Convert.ToBase64String(bytes));

    /// <summary>Indented, and with text outside ASCII as it is: for people too.</summary>
    private static JsonSerializerOptions OptionsWith(JsonIgnoreCondition nulls) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = nulls,
    };
}
