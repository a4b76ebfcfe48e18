using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace RaftKv.Client;

/// <summary>
/// Reads and writes keys over HTTP. What is tried when, and what is known at the end, decides <see cref="RequestPlan"/>; this
/// class only carries it out.
/// </summary>
/// <remarks>
/// Thread-safe. Cancellation abandons the wait, not the write: then its outcome is unknown. Requests on several keys stand in RaftKvClient.ManyKeys.cs.
/// </remarks>
public sealed partial class RaftKvClient : IDisposable
{
    private readonly RaftKvClientOptions _options;
    private readonly RequestPlanOptions _plan;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private int _seed;

    /// <summary>The endpoint that answered last.</summary>
    private volatile int _preferred;

    public RaftKvClient(RaftKvClientOptions options, TimeProvider? time = null)
    {
        _options = options;
        _plan = new RequestPlanOptions
        {
            Endpoints = options.Endpoints.Count,
            TimeoutMicros = (long)options.Timeout.TotalMicroseconds,
            FailWhenNoneListens = options.FailWhenNoneListens,
        };
        _time = time ?? TimeProvider.System;
        _seed = options.Seed;
        _http = HttpConnections.Create(options.ConnectTimeout);
    }

    private long NowMicros => (long)_time.GetElapsedTime(0).TotalMicroseconds;

    /// <summary>Applied with a null value if the key is absent.</summary>
    public async Task<GetResult> GetAsync(ReadOnlyMemory<byte> key, GetOptions options = default, CancellationToken cancellation = default)
    {
        string target = TargetOf(key) + options.Query;
        Run run = await RunAsync(RequestKind.Read, () => new HttpRequestMessage(HttpMethod.Get, target), cancellation);
        HttpAttempt last = run.Last;
        if (run.Outcome != RequestOutcome.Applied) return new GetResult(run.Outcome, null, 0, 0, 0, last.Position, last.Error, "", null);
        bool exists = last.Status == HttpStatusCode.OK;
        return new GetResult(
            run.Outcome, exists ? last.Body : null, exists ? last.ETag : 0, last.Number("RaftKv-Created"), last.Number("RaftKv-Version"), last.Position, null, last.Text("RaftKv-Consistency"), last.Age, last.Ttl);
    }

    /// <param name="ttl">How long the value lives, in whole seconds from 1; null for ever, also if the value before had one.</param>
    /// <param name="idempotencyKey">Names the write, for whoever may call it again after this process has ended; best a UUIDv7. Null: one of the client's own, if its options say so.</param>
    public Task<WriteResult> PutAsync(
        ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, WriteCondition condition = default, TimeSpan? ttl = null, string? idempotencyKey = null, CancellationToken cancellation = default) =>
        WriteAsync(HttpMethod.Put, key, ttl is null ? "" : string.Create(CultureInfo.InvariantCulture, $"&ttl={(long)Math.Ceiling(ttl.Value.TotalSeconds)}"), value, condition, idempotencyKey, cancellation);

    /// <summary>Applied with PrevRevision 0 if there was nothing to delete. Knows no <see cref="WriteCondition.IfAbsent"/>.</summary>
    /// <param name="idempotencyKey">As for a put.</param>
    public Task<WriteResult> DeleteAsync(ReadOnlyMemory<byte> key, WriteCondition condition = default, string? idempotencyKey = null, CancellationToken cancellation = default) =>
        WriteAsync(HttpMethod.Delete, key, "", default, condition, idempotencyKey, cancellation);

    public void Dispose() => _http.Dispose();

    /// <summary>By key64: no byte of the key can then be taken for syntax by any URL parser on the way.</summary>
    private static string TargetOf(ReadOnlyMemory<byte> key) => "v1/kv?key64=" + Base64Url.EncodeToString(key.Span);

    private async Task<WriteResult> WriteAsync(HttpMethod method, ReadOnlyMemory<byte> key, string query, ReadOnlyMemory<byte> value, WriteCondition condition, string? idempotencyKey, CancellationToken cancellation)
    {
        idempotencyKey ??= NewIdempotencyKey();
        Run run = await RunAsync(idempotencyKey is null ? RequestKind.Write : RequestKind.KeyedWrite, Request, cancellation);
        HttpAttempt last = run.Last;
        bool isReplay = last.Text("Idempotency-Replayed") == "true";
        if (run.Outcome == RequestOutcome.Applied) return new WriteResult(run.Outcome, last.Number("RaftKv-Revision"), last.Number("RaftKv-Prev-Revision"), 0, last.Position, null, isReplay);
        return new WriteResult(run.Outcome, 0, 0, last.Status == HttpStatusCode.PreconditionFailed ? last.ETag : 0, last.Position, last.Error, isReplay);

        HttpRequestMessage Request()
        {
            HttpRequestMessage request = new(method, TargetOf(key) + query) { Content = new WriteContent(value) };
            if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
            if (condition.IsIfAbsent) request.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Any);
            else if (condition.Revision > 0) request.Headers.IfMatch.Add(new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{condition.Revision}\"")));
            return request;
        }
    }

    /// <summary>One for all attempts of a request. It carries its time, so that a repetition that comes too late is refused and not applied again.</summary>
    private string? NewIdempotencyKey() => _options.IdempotencyKeys ? Guid.CreateVersion7(_time.GetUtcNow()).ToString() : null;

    private async Task<Run> RunAsync(RequestKind kind, Func<HttpRequestMessage> makeRequest, CancellationToken cancellation)
    {
        RequestPlan plan = new(kind, _plan, _preferred, Interlocked.Increment(ref _seed));
        PlanStep step = plan.Start(NowMicros);
        HttpAttempt? last = null;
        while (step.Outcome is null)
        {
            TimeSpan wait = TimeSpan.FromMicroseconds(step.SendAtMicros - NowMicros);
            if (wait > TimeSpan.Zero) await Task.Delay(wait, _time, cancellation);
            using HttpRequestMessage request = makeRequest();
            last = await TryAsync(request, step, cancellation);
            if (last.Result == AttemptResult.Answered) _preferred = step.Endpoint;
            step = plan.OnAttempt(last.Result, NowMicros, last.RetryAfterMicros);
        }

        return new Run(step.Outcome.Value, last!, plan.MayBeApplied); // A plan begins with an attempt.
    }

    private async Task<HttpAttempt> TryAsync(HttpRequestMessage request, PlanStep step, CancellationToken cancellation)
    {
        ClientEndpoint endpoint = _options.Endpoints[step.Endpoint];
        request.RequestUri = new Uri(endpoint.Url, request.RequestUri!.OriginalString);
        request.Headers.Add("RaftKv-Timeout", step.ServerTimeoutMillis.ToString(CultureInfo.InvariantCulture));
        using CancellationTokenSource abandon = new(TimeSpan.FromMicroseconds(Math.Max(0, step.AbandonAtMicros - NowMicros)), _time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(abandon.Token, cancellation);
        try
        {
            using HttpResponseMessage answer = await _http.SendAsync(request, both.Token);
            return HttpAttempt.Answered(endpoint, answer, await answer.Content.ReadAsByteArrayAsync(both.Token));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return HttpAttempt.Failed(endpoint, WasSent(request, exception), HttpConnections.Explain(exception));
        }
    }

    /// <summary>Whether a server may have the whole request. For a write the body tells; a read has none, and there it matters for the message only.</summary>
    private static bool WasSent(HttpRequestMessage request, Exception exception) => request.Content is WriteContent content
        ? content.HasStarted
        : exception is not (HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } or { InnerException: TimeoutException });

    /// <summary>A request with all its attempts.</summary>
    /// <param name="MayBeApplied">An attempt was lost: what the last one says not to have applied may have been.</param>
    private readonly record struct Run(RequestOutcome Outcome, HttpAttempt Last, bool MayBeApplied);
}
