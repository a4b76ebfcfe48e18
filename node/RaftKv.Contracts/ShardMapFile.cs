using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RaftKv.Contracts;

/// <summary>
/// The shard map as a file: UTF-8 JSON, two spaces of indent, <c>\n</c> between lines and at the end, members in the
/// order below. Replica ids are decimal strings, bounds 16 lower-case hex digits, other numbers are numbers (as in the
/// HTTP API). Format version 1:
/// <code>
/// { "formatVersion": 1, "leaseReads": false,
///   "shards": [ { "id": 1, "start": "0000000000000000", "end": "2000000000000000", "version": 1, "confVersion": 1,
///                 "replicas": [ { "node": "n1", "replicaId": "1", "role": "voter" } ] } ] }
/// </code>
/// A cluster with lease reads also has, as the last member, "leaseElectionMicros": the election timeout that they rely on; one that lacks it was made with 500000.
/// Every byte is part of the format, because the digest is taken over them: see the golden file in the tests. Reading is
/// strict: a member that is missing, unknown or given twice is an error, for a map half understood would route wrongly.
/// </summary>
internal static class ShardMapFile
{
    public const int FormatVersion = 1;

    public static byte[] Write(ShardMap map)
    {
        var dto = new ShardMapDto(FormatVersion, map.LeaseReads, [.. map.Shards.Select(ToDto)], map.LeaseElectionMicros);
        return [.. JsonSerializer.SerializeToUtf8Bytes(dto, ShardMapJsonContext.Default.ShardMapDto), (byte)'\n'];
    }

    public static ShardMap Read(ReadOnlySpan<byte> file)
    {
        try
        {
            // The version first: a later format may well have other members, and that is then the thing to say.
            int version = Present(JsonSerializer.Deserialize(file, FormatVersionJsonContext.Default.FormatVersionDto)).FormatVersion;
            if (version != FormatVersion) throw new InvalidShardMapException($"format version {version}; this program reads {FormatVersion} only");
            ShardMapDto dto = Present(JsonSerializer.Deserialize(file, ShardMapJsonContext.Default.ShardMapDto));
            return new ShardMap(dto.Shards.Select(FromDto), dto.LeaseReads, dto.LeaseElectionMicros);
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new InvalidShardMapException(e.Message.ReplaceLineEndings(" "), e);
        }
    }

    private static ShardDto ToDto(ShardDescription shard) => new(
        shard.Id,
        HashRange.FormatBound(shard.Range.Start),
        HashRange.FormatBound(shard.Range.End),
        shard.Epoch.Version,
        shard.Epoch.ConfVersion,
        [.. shard.Replicas.Select(r => new ReplicaDto(r.Node, r.ReplicaId.ToString(CultureInfo.InvariantCulture), RoleText(r.Role)))]);

    private static ShardDescription FromDto(ShardDto? shard) => new(
        Present(shard).Id,
        new HashRange(Bound(shard.Start), Bound(shard.End)),
        new ShardEpoch(shard.Version, shard.ConfVersion),
        [.. shard.Replicas.Select(FromDto)]);

    private static ShardReplica FromDto(ReplicaDto? replica) => new(ReplicaId(Present(replica).ReplicaId), replica.Node, Role(replica.Role));

    // The serializer lets a null pass where a whole document or an element of an array is expected.
    private static T Present<T>([NotNull] T? value)
        where T : class => value ?? throw new FormatException("null where an object is expected");

    private static ulong ReplicaId(string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id) ? id : throw new FormatException($"'{text}' is not a replica id");

    private static ulong Bound(string text) =>
        HashRange.TryParseBound(text, out ulong bound) ? bound : throw new FormatException($"'{text}' is not a bound of 16 hex digits");

    private static string RoleText(ReplicaRole role) => role == ReplicaRole.Learner ? "learner" : "voter";

    private static ReplicaRole Role(string text) => text switch
    {
        "voter" => ReplicaRole.Voter,
        "learner" => ReplicaRole.Learner,
        _ => throw new FormatException($"'{text}' is not a replica's role: voter or learner"),
    };
}

internal sealed record ShardMapDto(int FormatVersion, bool LeaseReads, ShardDto[] Shards, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? LeaseElectionMicros = null);

internal sealed record ShardDto(ulong Id, string Start, string End, ulong Version, ulong ConfVersion, ReplicaDto[] Replicas);

internal sealed record ReplicaDto(string Node, string ReplicaId, string Role);

internal sealed record FormatVersionDto(int FormatVersion);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    IndentCharacter = ' ',
    IndentSize = 2,
    NewLine = "\n",
    AllowDuplicateProperties = false,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ShardMapDto))]
internal sealed partial class ShardMapJsonContext : JsonSerializerContext;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FormatVersionDto))]
internal sealed partial class FormatVersionJsonContext : JsonSerializerContext;
