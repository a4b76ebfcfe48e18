using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace RaftKv.Client;

/// <summary>Of the problem document (RFC 9457), what a client acts on.</summary>
internal sealed record ProblemDocument(string? Title, string? Detail, string? Code, string? Outcome, bool? Retryable);

/// <summary>What is common to the items of batches, transactions and lists. What an item does not have is 0, false or null.</summary>
/// <param name="Status">Null in a transaction, whose items have no outcome of their own.</param>
internal sealed record ItemDocument(
    int? Status, string? Key, byte[]? KeyBase64, string? Value, byte[]? ValueBase64, bool Deleted, ulong Revision, ulong PrevRevision, ulong Created, ulong Version, long? Ttl,
    string? Node, ulong Shard, string? Epoch, ulong Term, ulong Index, int? Item, ProblemDocument? Error)
{
    public byte[] KeyBytes => BytesOf(Key, KeyBase64) ?? [];

    public byte[]? ValueBytes => BytesOf(Value, ValueBase64);

    public Position Position => new(Node ?? "", Shard, Epoch ?? "", Term, Index, Item);

    private static byte[]? BytesOf(string? text, byte[]? bytes) => text is null ? bytes : Encoding.UTF8.GetBytes(text);
}

internal sealed record BatchDocument(ItemDocument[]? Results);

internal sealed record TxnDocument(bool Succeeded, ulong Revision, ItemDocument[]? Results);

internal sealed record ListDocument(ItemDocument[]? Items, bool More, string? Cursor);

internal sealed record CountDocument(long Count);

internal sealed record TransferRequest([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? To);

internal sealed record TransferDocument(string? Leader, ulong Term);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(BatchDocument))]
[JsonSerializable(typeof(TxnDocument))]
[JsonSerializable(typeof(ListDocument))]
[JsonSerializable(typeof(CountDocument))]
[JsonSerializable(typeof(TransferRequest))]
[JsonSerializable(typeof(TransferDocument))]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(NodeList))]
[JsonSerializable(typeof(GroupDebug))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(ShardList))]
internal sealed partial class ClientJson : JsonSerializerContext;
