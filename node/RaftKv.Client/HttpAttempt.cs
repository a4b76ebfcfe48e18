using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace RaftKv.Client;

/// <summary>One attempt's end.</summary>
internal sealed record HttpAttempt(AttemptResult Result, ClientEndpoint Endpoint, HttpStatusCode Status, HttpResponseHeaders? Headers, byte[] Body, RequestError? Error)
{
    /// <summary>In every answer of a node, and in no other server's.</summary>
    private const string NodeHeader = "RaftKv-Node";

    private HttpAttempt(AttemptResult result, ClientEndpoint endpoint, string code, string why)
        : this(result, endpoint, 0, null, [], new RequestError(code, 0, why, endpoint))
    {
    }

    public static HttpAttempt Failed(ClientEndpoint endpoint, bool wasSent, string why) =>
        wasSent ? new HttpAttempt(AttemptResult.Lost, endpoint, RequestError.NoAnswer, why) : new HttpAttempt(AttemptResult.NotSent, endpoint, RequestError.CannotConnect, why);

    public static HttpAttempt Answered(ClientEndpoint endpoint, HttpResponseMessage answer, byte[] body)
    {
        int status = (int)answer.StatusCode;
        ProblemDocument? problem = answer.IsSuccessStatusCode ? null : TryReadProblem(body);
        bool isOfNode = problem?.Code is not null || answer.Headers.Contains(NodeHeader);
        AttemptResult result = isOfNode ? AttemptClassifier.Classify(status, problem?.Code, problem?.Outcome, problem?.Retryable) : AttemptClassifier.ClassifyForeign(status, answer.RequestMessage?.Method == HttpMethod.Get);
        RequestError? error = result == AttemptResult.Answered
            ? null
            : new RequestError(problem?.Code ?? RequestError.NotRaftKv, status, problem?.Detail ?? problem?.Title ?? $"answers {status} and nothing that RaftKv would", endpoint);
        return new HttpAttempt(result, endpoint, answer.StatusCode, answer.Headers, body, error);
    }

    public ulong ETag => Headers?.ETag is { } tag && ulong.TryParse(tag.Tag.AsSpan().Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out ulong revision) ? revision : 0;

    public long RetryAfterMicros => (long)(Headers?.RetryAfter?.Delta?.TotalMicroseconds ?? 0);

    public Position Position => Headers is null ? Position.None : new Position(Text(NodeHeader), Number("RaftKv-Shard"), Text("RaftKv-Epoch"), Number("RaftKv-Term"), Number("RaftKv-Index"));

    /// <summary>Of a stale read; null if it is not known, and of all else.</summary>
    public TimeSpan? Age => long.TryParse(Text("RaftKv-Age-Ms"), NumberStyles.None, CultureInfo.InvariantCulture, out long millis) ? TimeSpan.FromMilliseconds(millis) : null;

    /// <summary>What is left of the value's; null if it has none.</summary>
    public TimeSpan? Ttl => long.TryParse(Text("RaftKv-Ttl"), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>0 if the header is not there.</summary>
    public ulong Number(string header) => ulong.TryParse(Text(header), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : 0;

    /// <summary>Empty if the header is not there.</summary>
    public string Text(string header) => Headers is not null && Headers.TryGetValues(header, out IEnumerable<string>? values) ? values.First() : "";

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

/// <summary>
/// A write's body, also the empty one of a delete. HttpClient asks for it when it has a connection and before the last byte of the request
/// leaves; so while it has not, no server can have applied the write. HttpClient itself sends a request again, up to three
/// times, when the connection ends before the answer, but not once its body was begun: a delete without one could be applied twice.
/// </summary>
internal sealed class WriteContent(ReadOnlyMemory<byte> value) : HttpContent
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
