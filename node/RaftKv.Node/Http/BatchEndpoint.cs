using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Node.Http;

/// <summary>POST /v1/batch: puts, gets and deletes fanned out to their shards; a result per item, in order.</summary>
internal sealed class BatchEndpoint(Door door, BodyReader bodies, ShardMap map)
{
    public const string Path = "/v1/batch";

    /// <summary>Throws <see cref="ApiException"/> for what is refused before any of it is appended anywhere.</summary>
    public async Task HandleAsync(HttpContext http, RequestTarget target)
    {
        if (!HttpMethods.IsPost(http.Request.Method)) throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not POST") { Allow = "POST" };
        target.Parameters([]);
        Limits limits = door.Limits;
        byte[] idempotencyKey = KvParameters.ReadIdempotencyKey(http.Request.Headers, limits, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        long deadline = Door.DeadlineIn(KvParameters.ReadTimeoutMillis(http.Request.Headers, limits));
        BatchRequestJson request = RequestJson.Parse((await bodies.ReadDocumentAsync(http.Request, deadline)).Span, RequestJson.Default.BatchRequestJson);
        KvRequest[] items = Operations.OfBatch(request.Operations ?? [], limits);

        KvBatchPlan plan = new(items, idempotencyKey, map, limits.MaxBatchBytes);
        List<PendingCall> calls = [];
        try
        {
            for (IReadOnlyList<KvBatchPart> parts = plan.TakeParts(); parts.Count > 0; parts = plan.TakeParts())
            {
                int before = calls.Count;
                foreach (KvBatchPart part in parts) calls.Add(door.Begin(part.Request, part.Operation, part.Hash, deadline));
                for (int i = 0; i < parts.Count; i++) plan.OnAnswer(parts[i], await calls[before + i].Completion);
            }

            await AnswerAsync(http, items, plan.Results);
        }
        finally
        {
            foreach (PendingCall call in calls) call.Dispose();
        }
    }

    private async Task AnswerAsync(HttpContext http, KvRequest[] items, IReadOnlyList<KvResponse> results)
    {
        using JsonBody body = new(http, "application/json");
        body.Json.WriteStartObject();
        body.Json.WriteStartArray("results");
        for (int i = 0; i < items.Length; i++)
        {
            body.Result(items[i], Placed(items[i], results[i]), i);
            await body.YieldAsync();
        }

        body.Json.WriteEndArray();
        body.Json.WriteEndObject();
        await body.FlushAsync();
    }

    /// <summary>What nobody served is shown with the shard that should have, as the map says.</summary>
    private KvResponse Placed(in KvRequest item, KvResponse result)
    {
        if (result.Index.Value != 0) return result;
        ShardDescription shard = map.ByKey(item.Key.Span);
        return result with { Group = new GroupId(shard.Id), Epoch = shard.Epoch };
    }
}
