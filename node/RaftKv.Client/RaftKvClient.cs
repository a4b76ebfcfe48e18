using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace RaftKv.Client;

/// <summary>
/// Reads and writes keys over HTTP. What is tried when, and what is known at the end, decides <see cref="RequestPlan"/>; this
/// class only carries it out.
/// </summary>
/// <remarks>Thread-safe. Cancellation abandons the wait, not the write: then its outcome is unknown.</remarks>
public sealed class RaftKvClient : IDisposable
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

    /// <summary>Linearizable. Applied with a null value if the key is absent.</summary>
    public async Task<GetResult> GetAsync(ReadOnlyMemory<byte> key, CancellationToken cancellation = default)
    {
        (RequestOutcome outcome, Attempt last) = await RunAsync(RequestKind.Read, () => new HttpRequestMessage(HttpMethod.Get, Target(key)), cancellation);
        if (outcome != RequestOutcome.Applied) return new GetResult(outcome, null, 0, 0, 0, last.Position, last.Error);
        bool exists = last.Status == HttpStatusCode.OK;
        return new GetResult(outcome, exists ? last.Body : null, exists ? last.ETag : 0, last.Number("RaftKv-Created"), last.Number("RaftKv-Version"), last.Position, null);
    }

    public Task<WriteResult> PutAsync(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, WriteCondition condition = default, CancellationToken cancellation = default) =>
        WriteAsync(HttpMethod.Put, key, value, condition, cancellation);

    /// <summary>Applied with PrevRevision 0 if there was nothing to delete. Knows no <see cref="WriteCondition.IfAbsent"/>.</summary>
    public Task<WriteResult> DeleteAsync(ReadOnlyMemory<byte> key, WriteCondition condition = default, CancellationToken cancellation = default) =>
        WriteAsync(HttpMethod.Delete, key, default, condition, cancellation);

    public void Dispose() => _http.Dispose();

    /// <summary>By key64: no byte of the key can then be taken for syntax by any URL parser on the way.</summary>
    private static string Target(ReadOnlyMemory<byte> key) => "v1/kv?key64=" + Base64Url.EncodeToString(key.Span);

    private async Task<WriteResult> WriteAsync(HttpMethod method, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, WriteCondition condition, CancellationToken cancellation)
    {
        (RequestOutcome outcome, Attempt last) = await RunAsync(RequestKind.Write, Request, cancellation);
        if (outcome == RequestOutcome.Applied) return new WriteResult(outcome, last.Number("RaftKv-Revision"), last.Number("RaftKv-Prev-Revision"), 0, last.Position, null);
        return new WriteResult(outcome, 0, 0, last.Status == HttpStatusCode.PreconditionFailed ? last.ETag : 0, last.Position, last.Error);

        HttpRequestMessage Request()
        {
            HttpRequestMessage request = new(method, Target(key)) { Content = new WriteContent(value) };
            if (condition.IsIfAbsent) request.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Any);
            else if (condition.Revision > 0) request.Headers.IfMatch.Add(new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{condition.Revision}\"")));
            return request;
        }
    }

    private async Task<(RequestOutcome Outcome, Attempt Last)> RunAsync(RequestKind kind, Func<HttpRequestMessage> makeRequest, CancellationToken cancellation)
    {
        RequestPlan plan = new(kind, _plan, _preferred, Interlocked.Increment(ref _seed));
        PlanStep step = plan.Start(NowMicros);
        Attempt? last = null;
        while (step.Outcome is null)
        {
            TimeSpan wait = TimeSpan.FromMicroseconds(step.SendAtMicros - NowMicros);
            if (wait > TimeSpan.Zero) await Task.Delay(wait, _time, cancellation);
            using HttpRequestMessage request = makeRequest();
            last = await TryAsync(request, step, cancellation);
            if (last.Result == AttemptResult.Answered) _preferred = step.Endpoint;
            step = plan.OnAttempt(last.Result, NowMicros, last.RetryAfterMicros);
        }

        return (step.Outcome.Value, last!); // A plan begins with an attempt.
    }

    private async Task<Attempt> TryAsync(HttpRequestMessage request, PlanStep step, CancellationToken cancellation)
    {
        ClientEndpoint endpoint = _options.Endpoints[step.Endpoint];
        request.RequestUri = new Uri(endpoint.Url, request.RequestUri!.OriginalString);
        request.Headers.Add("RaftKv-Timeout", step.ServerTimeoutMillis.ToString(CultureInfo.InvariantCulture));
        using CancellationTokenSource abandon = new(TimeSpan.FromMicroseconds(Math.Max(0, step.AbandonAtMicros - NowMicros)), _time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(abandon.Token, cancellation);
        try
        {
            using HttpResponseMessage answer = await _http.SendAsync(request, both.Token);
            return Attempt.Answered(endpoint, answer, await answer.Content.ReadAsByteArrayAsync(both.Token));
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return Attempt.Failed(endpoint, WasSent(request, exception), HttpConnections.Explain(exception));
        }
    }

    /// <summary>Whether a server may have the whole request. For a write the body tells; a read has none, and there it matters for the message only.</summary>
    private static bool WasSent(HttpRequestMessage request, Exception exception) => request.Content is WriteContent content
        ? content.HasStarted
        : exception is not (HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } or { InnerException: TimeoutException });

    /// <summary>
    /// A write's body, also the empty one of a delete. HttpClient asks for it when it has a connection and before the last byte of the request
    /// leaves; so while it has not, no server can have applied the write. HttpClient itself sends a request again, up to three
    /// times, when the connection ends before the answer, but not once its body was begun: a delete without one could be applied twice.
    /// </summary>
    private sealed class WriteContent(ReadOnlyMemory<byte> value) : HttpContent
    {
        private volatile bool _hasStarted;

        public bool HasStarted => _hasStarted;

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            _hasStarted = true;
            await stream.WriteAsync(value);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = value.Length;
            return true;
        }
    }

    /// <summary>One attempt's end.</summary>
    private sealed record Attempt(AttemptResult Result, HttpStatusCode Status, HttpResponseHeaders? Headers, byte[] Body, RequestError? Error)
    {
        public static Attempt Failed(ClientEndpoint endpoint, bool wasSent, string why) =>
            new(wasSent ? AttemptResult.Lost : AttemptResult.NotSent, 0, null, [], new RequestError(wasSent ? RequestError.NoAnswer : RequestError.CannotConnect, 0, why, endpoint));

        public static Attempt Answered(ClientEndpoint endpoint, HttpResponseMessage answer, byte[] body)
        {
            int status = (int)answer.StatusCode;
            ProblemDocument? problem = answer.IsSuccessStatusCode ? null : TryReadProblem(body);
            AttemptResult result = AttemptClassifier.Classify(status, problem?.Code, problem?.Outcome);
            RequestError? error = result == AttemptResult.Answered
                ? null
                : new RequestError(problem?.Code ?? RequestError.NotRaftKv, status, problem?.Detail ?? problem?.Title ?? $"answers {status} and nothing that RaftKv would", endpoint);
            return new Attempt(result, answer.StatusCode, answer.Headers, body, error);
        }

        public ulong ETag => Headers?.ETag is { } tag && ulong.TryParse(tag.Tag.AsSpan().Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out ulong revision) ? revision : 0;

        public long RetryAfterMicros => (long)(Headers?.RetryAfter?.Delta?.TotalMicroseconds ?? 0);

        public Position Position => Headers is null ? Position.None : new Position(Text("RaftKv-Node"), Number("RaftKv-Shard"), Text("RaftKv-Epoch"), Number("RaftKv-Term"), Number("RaftKv-Index"));

        /// <summary>0 if the header is not there.</summary>
        public ulong Number(string header) => ulong.TryParse(Text(header), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : 0;

        private string Text(string header) => Headers is not null && Headers.TryGetValues(header, out IEnumerable<string>? values) ? values.First() : "";

        private static ProblemDocument? TryReadProblem(byte[] body)
        {
            try
            {
                return JsonSerializer.Deserialize(body, ClientJson.Default.ProblemDocument);
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }
}
