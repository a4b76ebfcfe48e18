using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Node.Http;

namespace RaftKv.Node.Telemetry;

/// <summary>Measures each request, logs it at debug and, when somebody listens, makes a span of it that goes on where the client's <c>traceparent</c> left off.</summary>
/// <remarks>
/// A span says by OpenTelemetry's names what was asked and answered, and by ours what the answer's headers say of its position: <c>raftkv.shard</c>,
/// <c>raftkv.term</c>, <c>raftkv.index</c>, <c>raftkv.node</c>; and <c>raftkv.outcome</c>: <c>ok</c>, <c>not-applied</c>, <c>unknown</c>, or <c>none</c> of a read that found nothing.
/// </remarks>
internal sealed partial class RequestTelemetry(NodeMetrics metrics, ILogger<RequestTelemetry> logger)
{
    public const string SourceName = "RaftKv";
    private const string OutcomeTag = "raftkv.outcome";
    private const int ClientGone = StatusCodes.Status499ClientClosedRequest;

    private static readonly ActivitySource s_source = new(SourceName);
    private static readonly (string Header, string Tag)[] s_position = [("RaftKv-Shard", "raftkv.shard"), ("RaftKv-Term", "raftkv.term"), ("RaftKv-Index", "raftkv.index")];

    /// <summary>A request has begun. The span, if any, is the current one until <see cref="End"/>.</summary>
    public static Request Begin(HttpContext http, RequestTarget target)
    {
        Call call = Call.Of(http.Request, target);
        return new Request(call, Stopwatch.GetTimestamp(), s_source.HasListeners() && !call.IsProbe ? StartSpan(http, call) : null);
    }

    /// <summary>The current request is answered with this error.</summary>
    public static void OnProblem(ErrorCode error)
    {
        if (Activity.Current is not { } span || span.Source != s_source) return;
        span.SetTag("error.type", error.Code);
        span.SetTag(OutcomeTag, error.OutcomeText ?? "none");
    }

    /// <param name="isClientGone">Nobody was left to answer.</param>
    public void End(in Request request, HttpContext http, bool isClientGone)
    {
        int status = isClientGone ? ClientGone : http.Response.StatusCode;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(request.BeganAt);
        metrics.Requested(request.Call, status, elapsed);
        if (logger.IsEnabled(LogLevel.Debug)) Log(request.Call, http, status, elapsed);
        if (request.Span is not null) EndSpan(request.Span, http, status);
    }

    private void Log(Call call, HttpContext http, int status, TimeSpan elapsed)
    {
        IHeaderDictionary headers = http.Response.Headers;
        long micros = (long)elapsed.TotalMicroseconds;
        if (ulong.TryParse(headers["RaftKv-Shard"], out ulong shard) && ulong.TryParse(headers["RaftKv-Term"], out ulong term) && ulong.TryParse(headers["RaftKv-Index"], out ulong index))
            AnsweredAt(call.Name, status, micros, headers["RaftKv-Node"].ToString(), shard, term, index);
        else
            Answered(call.Name, status, micros);
    }

    private static Activity? StartSpan(HttpContext http, Call call)
    {
        IHeaderDictionary headers = http.Request.Headers;
        ActivityContext.TryParse(headers.TraceParent, headers.TraceState, isRemote: true, out ActivityContext parent);
        Activity.Current = null; // Whatever the server made of it: the parent is the client's span.
        string method = http.Request.Method is "GET" or "HEAD" or "PUT" or "POST" or "DELETE" ? http.Request.Method : "HTTP";
        Activity? span = s_source.StartActivity(call.Route.Length > 0 ? $"{method} {call.Route}" : method, ActivityKind.Server, parent);
        span?.SetTag("http.request.method", method);
        span?.SetTag("http.route", call.Route.Length > 0 ? call.Route : null);
        span?.SetTag("raftkv.call", call.Name);
        return span;
    }

    private static void EndSpan(Activity span, HttpContext http, int status)
    {
        IHeaderDictionary headers = http.Response.Headers;
        span.SetTag("http.response.status_code", status);
        span.SetTag("raftkv.node", headers["RaftKv-Node"].ToString());
        foreach (var (header, tag) in s_position)
            if (ulong.TryParse(headers[header], out ulong number)) span.SetTag(tag, (long)number);
        if (status == ClientGone) span.SetTag(OutcomeTag, ErrorCode.OutcomeUnknown.OutcomeText);
        else if (span.GetTagItem(OutcomeTag) is null) span.SetTag(OutcomeTag, "ok");
        if (status >= StatusCodes.Status500InternalServerError) span.SetStatus(ActivityStatusCode.Error);
        span.Dispose();
    }

    [LoggerMessage(1, LogLevel.Debug, "{Call} answered {Status} in {Micros} µs, at shard {Shard}, term {Term}, index {Index} by node {Node}")]
    private partial void AnsweredAt(string call, int status, long micros, string node, ulong shard, ulong term, ulong index);

    [LoggerMessage(2, LogLevel.Debug, "{Call} answered {Status} in {Micros} µs")]
    private partial void Answered(string call, int status, long micros);

    /// <summary>A request under way.</summary>
    /// <param name="BeganAt">By Stopwatch.</param>
    internal readonly record struct Request(Call Call, long BeganAt, Activity? Span);
}
