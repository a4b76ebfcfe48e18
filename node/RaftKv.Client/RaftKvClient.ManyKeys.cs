using System.Collections.Immutable;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace RaftKv.Client;

/// <content>Requests on several keys: batches, transactions, lists.</content>
public sealed partial class RaftKvClient
{
    private static readonly MediaTypeHeaderValue s_json = new("application/json");

    /// <summary>
    /// Puts, gets and deletes of any keys, each for itself. Sent again when an attempt was lost, with one idempotency key for the whole: an
    /// operation that was applied then answers its first result.
    /// </summary>
    public async Task<BatchResult> BatchAsync(IReadOnlyList<Operation> operations, CancellationToken cancellation = default)
    {
        Run run = await PostAsync("v1/batch", ManyKeysJson.Write(operations), operations.Any(operation => operation.IsWrite), cancellation);
        if (run.Outcome != RequestOutcome.Applied) return new BatchResult(run.Outcome, [], run.Last.Error);
        if (Read(run.Last, ClientJson.Default.BatchDocument) is not { Results: { } results } || results.Length != operations.Count) return new BatchResult(RequestOutcome.Unknown, [], NotRaftKv(run.Last));
        return new BatchResult(run.Outcome, [.. results.Select((result, i) => ResultOf(result, operations[i], run))], null);
    }

    /// <summary>Atomic, in one shard.</summary>
    public async Task<TxnResult> TxnAsync(Txn txn, CancellationToken cancellation = default)
    {
        Run run = await PostAsync("v1/txn", ManyKeysJson.Write(txn), txn.Then.Concat(txn.Else).Any(operation => operation.IsWrite), cancellation);
        HttpAttempt last = run.Last;
        if (run.Outcome != RequestOutcome.Applied) return new TxnResult(run.Outcome, false, 0, [], false, last.Position, last.Error);
        TxnDocument? document = Read(last, ClientJson.Default.TxnDocument);
        ImmutableArray<Operation> operations = document is { Succeeded: true } ? txn.Then : txn.Else;
        if (document?.Results?.Length != operations.Length) return new TxnResult(RequestOutcome.Unknown, false, 0, [], false, last.Position, NotRaftKv(last));
        return new TxnResult(
            run.Outcome, document.Succeeded, document.Revision, [.. document.Results.Select((result, i) => ResultOf(result, operations[i], run))], last.Text("Idempotency-Replayed") == "true", last.Position, null);
    }

    /// <summary>
    /// Keys in byte order, page by page, each page a request with its own deadline. Linearizable for each key; keys that are written
    /// while it runs may be shown before or after. Throws <see cref="ListFailedException"/> when a page cannot be had.
    /// </summary>
    public async IAsyncEnumerable<ListItem> ListAsync(ListQuery query, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        string target = $"v1/kv?limit={query.PageKeys.ToString(CultureInfo.InvariantCulture)}{BoundsOf(query)}{(query.KeysOnly ? "&keysOnly" : "")}";
        for (string? cursor = ""; cursor is not null;)
        {
            string page = cursor.Length == 0 ? target : $"{target}&cursor={cursor}";
            Run run = await RunAsync(RequestKind.Read, () => new HttpRequestMessage(HttpMethod.Get, page), cancellation);
            if (run.Outcome != RequestOutcome.Applied) throw new ListFailedException(run.Last.Error!);
            if (Read(run.Last, ClientJson.Default.ListDocument) is not { Items: { } items } document) throw new ListFailedException(NotRaftKv(run.Last));
            foreach (ItemDocument item in items) yield return ItemOf(item, query.KeysOnly);
            cursor = document.More ? document.Cursor : null;
        }
    }

    /// <summary>How many keys a list would show.</summary>
    public async Task<CountResult> CountAsync(ListQuery query, CancellationToken cancellation = default)
    {
        Run run = await RunAsync(RequestKind.Read, () => new HttpRequestMessage(HttpMethod.Get, $"v1/kv?countOnly{BoundsOf(query)}"), cancellation);
        if (run.Outcome != RequestOutcome.Applied) return new CountResult(run.Outcome, 0, run.Last.Error);
        return Read(run.Last, ClientJson.Default.CountDocument) is { } document ? new CountResult(run.Outcome, document.Count, null) : new CountResult(RequestOutcome.Rejected, 0, NotRaftKv(run.Last));
    }

    private Task<Run> PostAsync(string target, ReadOnlyMemory<byte> document, bool hasWrites, CancellationToken cancellation)
    {
        string? idempotencyKey = hasWrites ? NewIdempotencyKey() : null;
        RequestKind kind = !hasWrites ? RequestKind.Read : idempotencyKey is null ? RequestKind.Write : RequestKind.KeyedWrite;
        return RunAsync(kind, Request, cancellation);

        HttpRequestMessage Request()
        {
            HttpRequestMessage request = new(HttpMethod.Post, target) { Content = new WriteContent(document) { Headers = { ContentType = s_json } } };
            if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
            return request;
        }
    }

    /// <summary>What came with a 2xx; null if it is not what the call answers.</summary>
    private static T? Read<T>(HttpAttempt attempt, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(attempt.Body, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static RequestError NotRaftKv(HttpAttempt attempt) => new(RequestError.NotRaftKv, (int)attempt.Status, "answers with something else than RaftKv would", attempt.Endpoint);

    private static OperationResult ResultOf(ItemDocument item, Operation operation, in Run run)
    {
        byte[]? value = item.ValueBytes;
        bool existed = operation.Kind switch { OperationKind.Get => value is not null, OperationKind.Delete => item.Deleted, _ => item.PrevRevision > 0 };
        RequestOutcome outcome = OutcomeOf(item, operation, run.MayBeApplied);
        RequestError? error = outcome == RequestOutcome.Applied ? null : new RequestError(item.Error?.Code ?? RequestError.NotRaftKv, item.Status ?? 0, item.Error?.Detail ?? "", run.Last.Endpoint);
        return new OperationResult(outcome, value, existed, item.Revision, item.PrevRevision, item.Created, item.Version, item.Position, error);
    }

    /// <summary>Items of a transaction have no status: they are as the whole is.</summary>
    private static RequestOutcome OutcomeOf(ItemDocument item, Operation operation, bool mayBeApplied)
    {
        if (item.Status is not { } status) return RequestOutcome.Applied;
        switch (AttemptClassifier.Classify(status, item.Error?.Code, item.Error?.Outcome, item.Error?.Retryable))
        {
            case AttemptResult.Answered: return RequestOutcome.Applied;
            case AttemptResult.Settled: return RequestOutcome.Rejected;
            case AttemptResult.Lost or AttemptResult.Untraceable when operation.IsWrite: return RequestOutcome.Unknown;
            default: return mayBeApplied && operation.IsWrite ? RequestOutcome.Unknown : RequestOutcome.Rejected;
        }
    }

    private static ListItem ItemOf(ItemDocument item, bool keysOnly) =>
        new(item.KeyBytes, keysOnly ? null : item.ValueBytes, item.Revision, item.Created, item.Version, item.Ttl is { } seconds ? TimeSpan.FromSeconds(seconds) : null, item.Position);

    private static string BoundsOf(ListQuery query) => $"{BoundOf("prefix", query.Prefix)}{BoundOf("start", query.Start)}{BoundOf("end", query.End)}";

    private static string BoundOf(string name, ReadOnlyMemory<byte> key) => key.IsEmpty ? "" : $"&{name}={PercentEncode(key.Span)}";

    /// <summary>Every byte by its number; what a URL parser on the way makes of letters and digits means the same.</summary>
    private static string PercentEncode(ReadOnlySpan<byte> bytes)
    {
        string hex = Convert.ToHexString(bytes);
        return string.Create(bytes.Length * 3, hex, static (text, hex) =>
        {
            for (int i = 0; i < hex.Length / 2; i++)
            {
                text[3 * i] = '%';
                hex.AsSpan(2 * i, 2).CopyTo(text[(3 * i + 1)..]);
            }
        });
    }
}
