using System.Text.Json;
using System.Text.Json.Serialization;
using RaftKv.Contracts;

namespace RaftKv.Node.Http;

// What clients send as JSON. A key is key or, as base64, keyBase64; a value likewise.

/// <summary>POST /v1/batch.</summary>
internal sealed record BatchRequestJson(OperationJson[]? Operations);

/// <summary>POST /v1/txn. If all comparisons hold the operations of <c>then</c> run, else those of <c>else</c>.</summary>
internal sealed record TxnRequestJson(CompareJson[]? Compare, OperationJson[]? Then, OperationJson[]? Else);

/// <summary>POST /v1/admin/shards/{id}/transfer-leader. Without <c>to</c> leadership goes to whoever takes over soonest.</summary>
internal sealed record TransferRequestJson(string? To);

/// <summary>One comparison; <c>op</c> is =, !=, &lt; or &gt;, and = when it is left out. Exactly one of the others is the operand and says what is compared.</summary>
internal sealed record CompareJson(string? Key, string? KeyBase64, string? Op, string? Value, string? ValueBase64, ulong? Revision, ulong? Version, ulong? Created, bool? Exists);

/// <summary>One put, get or delete. <c>ttl</c> is in seconds; <c>revision</c> is the one that a get reads at.</summary>
internal sealed record OperationJson(
    string? Op, string? Key, string? KeyBase64, string? Value, string? ValueBase64, ulong? Ttl, ulong? Revision, ulong? IfRevision, bool? IfAbsent);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false, MaxDepth = 8)]
[JsonSerializable(typeof(BatchRequestJson))]
[JsonSerializable(typeof(TxnRequestJson))]
[JsonSerializable(typeof(TransferRequestJson))]
internal sealed partial class RequestJson : JsonSerializerContext
{
    /// <summary>Throws <see cref="ApiException"/>, naming the place.</summary>
    public static T Parse<T>(ReadOnlySpan<byte> document, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(document, type) ?? throw new ApiException(ErrorCode.BadArgument, "the body is null");
        }
        catch (JsonException exception)
        {
            string what = document.IsEmpty ? "the body is empty" : UnknownMemberIn(exception) is { } member ? $"the body has an unknown member '{member}'" : exception.InnerException is JsonException ? "the body is no JSON" : "the body is not what this call takes";
            throw new ApiException(ErrorCode.BadArgument, $"{what}, {PlaceOf(exception)}");
        }
    }

    /// <summary>The name is told in the parser's message only: "The JSON property 'ops' could not be mapped to …".</summary>
    private static string? UnknownMemberIn(JsonException exception)
    {
        string[] parts = exception.Message.Split('\'');
        return parts.Length > 2 && parts[2].StartsWith(" could not be mapped", StringComparison.Ordinal) ? parts[1] : null;
    }

    /// <summary>Without the parser's own words, which speak of .NET.</summary>
    private static string PlaceOf(JsonException exception)
    {
        string path = exception.Path is { Length: > 2 } text ? $"at {text[2..]}, " : "";
        return $"{path}in line {exception.LineNumber + 1} at byte {exception.BytePositionInLine}";
    }
}
