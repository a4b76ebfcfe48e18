using System.Buffers.Text;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>GET /v1/kv without a key: keys in byte order, merged from all shards; a page, a stream of lines, or a count.</summary>
/// <remarks>
/// Each shard is shown as of one index, which every item names: linearizable there, not across shards. A page is gathered before it is sent, so that what
/// goes wrong has a status; a stream is sent as it comes, and its last line says how it ended.
/// </remarks>
internal sealed class ListEndpoint(Door door, ShardMap map)
{
    private const string StreamType = "application/x-ndjson";
    private const long MaxWaitingBytes = 4 * Limits.Mebi;
    private int _lists;

    /// <summary>Whether a request is for a list and not for a key.</summary>
    public static bool IsFor(HttpRequest http, RequestTarget target) =>
        target.Path.Length == KvParameters.Path.Length && (HttpMethods.IsGet(http.Method) || HttpMethods.IsHead(http.Method)) && !target.Has(KvParameters.Key64);

    /// <summary>Throws <see cref="ApiException"/>.</summary>
    public async Task HandleAsync(HttpContext http, RequestTarget target)
    {
        bool isStream = http.Request.GetTypedHeaders().Accept.Any(type => type.MediaType == StreamType);
        ListParameters asked = ListParameters.Read(target, door.Limits, isStream);
        int timeoutMillis = KvParameters.ReadTimeoutMillis(http.Request.Headers, door.Limits);
        int most = door.Limits.MaxListsAtOnce;
        try
        {
            if (Interlocked.Increment(ref _lists) is var lists && lists > most) throw new ApiException(ErrorCode.Overloaded, $"{most} lists are under way, which is the limit", most, lists);
            http.Response.Headers["RaftKv-Consistency"] = "linearizable";
            if (asked.Query.CountOnly) await CountAsync(http, asked.Query, Door.DeadlineIn(timeoutMillis), isStream);
            else if (isStream) await StreamAsync(http, asked, timeoutMillis);
            else await PageAsync(http, asked, Door.DeadlineIn(timeoutMillis));
        }
        finally
        {
            Interlocked.Decrement(ref _lists);
        }
    }

    private async Task CountAsync(HttpContext http, KvListQuery query, long deadline, bool isStream)
    {
        KvListPlan plan = new(query, map, MaxWaitingBytes);
        while (await AskAsync(plan, long.MaxValue, deadline))
        {
            // Chunk by chunk: nothing is taken from a count.
        }

        ThrowIfFailed(http, plan.Failure);
        using JsonBody body = new(http, isStream ? StreamType : "application/json");
        body.Json.WriteStartObject();
        body.Json.WriteNumber("count", plan.Count);
        body.Json.WriteEndObject();
        await body.FlushAsync();
    }

    private async Task PageAsync(HttpContext http, ListParameters asked, long deadline)
    {
        KvListPlan plan = new(asked.Query, map, MaxWaitingBytes);
        List<KvListItem> items = [];
        long bytes = 0;
        bool hasMore = false;
        while (await NextAsync(plan, asked.Limit - items.Count, deadline) is { } item)
        {
            bytes += item.Row.Key.Length + item.Row.Value.Length;
            hasMore = items.Count == asked.Limit || (bytes > door.Limits.MaxListBytes && items.Count > 0);
            if (hasMore) break;
            items.Add(item);
        }

        ThrowIfFailed(http, plan.Failure);
        using JsonBody body = new(http, "application/json");
        body.Json.WriteStartObject();
        body.Json.WriteStartArray("items");
        foreach (KvListItem item in items)
        {
            body.Row(item, asked.Query.KeysOnly);
            await body.YieldAsync();
        }

        body.Json.WriteEndArray();
        WriteEnd(body, items.Count, hasMore, items.Count == 0 ? default : items[^1].Row.Key);
        body.Json.WriteEndObject();
        await body.FlushAsync();
    }

    /// <summary>The deadline holds for each wait: a stream may take longer than any request.</summary>
    private async Task StreamAsync(HttpContext http, ListParameters asked, int timeoutMillis)
    {
        KvListPlan plan = new(asked.Query, map, MaxWaitingBytes);
        KvListItem? next = await NextAsync(plan, asked.Limit, Door.DeadlineIn(timeoutMillis));
        ThrowIfFailed(http, plan.Failure);
        using JsonBody body = new(http, StreamType);
        long count = 0;
        ReadOnlyMemory<byte> last = default;
        for (; next is { } item && count < asked.Limit; next = await NextAsync(plan, asked.Limit - count, Door.DeadlineIn(timeoutMillis)))
        {
            body.Row(item, asked.Query.KeysOnly);
            body.EndLine();
            count++;
            last = item.Row.Key;
            await body.YieldAsync();
        }

        body.Json.WriteStartObject();
        WriteEnd(body, count, hasMore: next is not null || plan.Failure is not null, last);
        if (plan.Failure is { } failure)
        {
            if (failure.Group.Value != 0) body.Json.WriteNumber("shard", failure.Group.Value);
            body.Error(failure.Error!, failure.Detail, failure.Exceeded);
        }

        body.Json.WriteEndObject();
        body.EndLine();
        await body.FlushAsync();
    }

    /// <summary>The cursor is the last key, so that it survives whatever becomes of shards and keys.</summary>
    private static void WriteEnd(JsonBody body, long count, bool hasMore, ReadOnlyMemory<byte> last)
    {
        body.Json.WriteNumber("count", count);
        body.Json.WriteBoolean("more", hasMore);
        if (hasMore) body.Json.WriteString("cursor", Base64Url.EncodeToString(last.Span));
    }

    /// <summary>The next key with its value; null at the end or when the plan has failed.</summary>
    private async ValueTask<KvListItem?> NextAsync(KvListPlan plan, long wanted, long deadline)
    {
        KvListItem item;
        while (!plan.TryTake(out item))
            if (!await AskAsync(plan, Math.Max(0, wanted) + 1, deadline)) return null;
        if (!item.Row.IsValueLeftOut) return item;

        // Too large to wait with others: fetched now, as it stood in the state that was listed.
        KvRequest get = new(KvOperation.Get, item.Row.Key, Revision: item.AsOf);
        KvResponse found = await door.CallAsync(get.Encode(), get.Operation, KeyHash.Of(item.Row.Key.Span), deadline);
        if (found.Error is null) return item with { Row = item.Row with { Value = found.Value, IsValueLeftOut = false } };
        plan.OnLost(found);
        return null;
    }

    /// <summary>Asks for what the plan wants next. False: nothing, or it has failed.</summary>
    private async ValueTask<bool> AskAsync(KvListPlan plan, long maxRows, long deadline)
    {
        IReadOnlyList<KvListPart> parts = plan.TakeParts(maxRows);
        if (parts.Count == 0) return false;
        KvResponse[] answers = await Task.WhenAll(parts.Select(part => door.CallAsync(part.Request, KvOperation.List, part.Hash, deadline).AsTask()));
        for (int i = 0; i < answers.Length; i++) plan.OnAnswer(parts[i], answers[i]);
        return plan.Failure is null;
    }

    /// <summary>Says which shard could not answer, if one was asked.</summary>
    private void ThrowIfFailed(HttpContext http, KvResponse? failure)
    {
        if (failure is null) return;
        if (map.ById(failure.Group.Value) is { } shard) ApiResponse.SetPosition(http, failure, door.NodeName, map, shard.Range.Start);
        throw new ApiException(failure.Error!, failure.Detail, failure.Exceeded?.Limit, failure.Exceeded?.Actual);
    }
}
