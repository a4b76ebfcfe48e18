using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>POST /v1/txn: compare, then, else on keys of one shard, atomic and in one revision.</summary>
internal sealed class TxnEndpoint(Door door, BodyReader bodies, ShardMap map)
{
    public const string Path = "/v1/txn";
    private const int MaxKeysNamed = 20;

    /// <summary>Throws <see cref="ApiException"/> for what is refused before it is appended anywhere.</summary>
    public async Task HandleAsync(HttpContext http, RequestTarget target)
    {
        if (!HttpMethods.IsPost(http.Request.Method)) throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not POST") { Allow = "POST" };
        target.Parameters([]);
        Limits limits = door.Limits;
        byte[] idempotencyKey = KvParameters.ReadIdempotencyKey(http.Request.Headers, limits, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        long deadline = Door.DeadlineIn(KvParameters.ReadTimeoutMillis(http.Request.Headers, limits));
        KvTxn txn = Operations.OfTxn(RequestJson.Parse((await bodies.ReadDocumentAsync(http.Request, deadline)).Span, RequestJson.Default.TxnRequestJson), limits);

        // Without writes it is a read, which may be repeated at will: an idempotency key means nothing to it.
        KvOperation operation = txn.HasWrites ? KvOperation.Txn : KvOperation.ReadTxn;
        byte[] encoded = new KvRequest(operation, default, txn.Encode(), IdempotencyKey: txn.HasWrites ? idempotencyKey : default).Encode();
        ReadOnlyMemory<byte> smallest = txn.SmallestKey;
        ulong hash = KeyHash.Of(smallest.Span);
        ILookup<ulong, ReadOnlyMemory<byte>> shards = txn.Keys.ToLookup(key => map.ByKey(key.Span).Id);
        if (shards.Count == 1)
        {
            using PendingCall call = door.Begin(encoded, operation, hash, deadline);
            await AnswerAsync(http, txn, await call.Completion, hash);
            return;
        }

        // A transaction whose keys are in several shards cannot be applied, but may have been while one shard held them all.
        KvRequest recall = KvRequest.RecallOf(encoded, smallest, txn.HasWrites ? idempotencyKey : default);
        if (recall.IdempotencyKey.IsEmpty) throw new ApiException(ErrorCode.SpansShards, Describe(shards));
        using PendingCall recalled = door.Begin(recall.Encode(), recall.Operation, hash, deadline);
        KvResponse first = await recalled.Completion;
        if (first.Error is null && !first.IsReplay) throw new ApiException(ErrorCode.SpansShards, Describe(shards)); // There is no trace of it.
        await AnswerAsync(http, txn, first, hash);
    }

    private static string Describe(ILookup<ulong, ReadOnlyMemory<byte>> shards)
    {
        string[] keys = [.. shards.SelectMany(shard => shard.Select(key => ApiResponse.Show(key.Span)).Distinct().Select(key => $"{key} in shard {shard.Key}"))];
        string more = keys.Length > MaxKeysNamed ? $" and {keys.Length - MaxKeysNamed} more" : "";
        return $"the keys are in {shards.Count} shards: {string.Join(", ", keys.Take(MaxKeysNamed))}{more}; keys with the same {{tag}} share a shard";
    }

    private async Task AnswerAsync(HttpContext http, KvTxn txn, KvResponse answer, ulong hash)
    {
        ApiResponse.SetPosition(http, answer, door.NodeName, map, hash);
        if (answer.IsReplay) http.Response.Headers["Idempotency-Replayed"] = "true";
        if (answer.Error is { } error)
        {
            await ApiResponse.WriteProblemAsync(http, error, answer.Detail, answer.Exceeded?.Limit, answer.Exceeded?.Actual);
            return;
        }

        using JsonBody body = new(http, "application/json");
        body.Json.WriteStartObject();
        body.Json.WriteBoolean("succeeded", answer.Succeeded);
        body.Json.WriteNumber("revision", answer.Revision);
        body.Json.WriteStartArray("results");
        for (int i = 0; i < answer.Items.Length; i++)
        {
            body.Step((answer.Succeeded ? txn.Then : txn.Else)[i], answer.Items[i], i, answer.Revision);
            await body.YieldAsync();
        }

        body.Json.WriteEndArray();
        body.Json.WriteEndObject();
        await body.FlushAsync();
    }
}
