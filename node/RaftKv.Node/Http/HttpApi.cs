using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RaftKv.Contracts;
using RaftKv.Node.Telemetry;

namespace RaftKv.Node.Http;

/// <summary>The client port: from a request's path to what answers it, and from what goes wrong to a problem document.</summary>
/// <remarks>By the raw path, without the framework's routing, which sees only what is left of it after decoding.</remarks>
internal sealed partial class HttpApi(
    Door door, KvEndpoint kv, BatchEndpoint batch, TxnEndpoint txn, ListEndpoint list, TransferEndpoint transfer, DebugEndpoint debug, NodeView view, RequestTelemetry telemetry, Func<byte[]> metrics, ILogger<HttpApi> logger)
{
    private static readonly byte[] s_live = "ok\n"u8.ToArray();
    private volatile bool _isStopping;

    /// <summary>From now on requests are refused, definitely: this node is stopping.</summary>
    public void BeginStop() => _isStopping = true;

    public async Task HandleAsync(HttpContext http)
    {
        http.Response.Headers["RaftKv-Node"] = door.NodeName;
        RequestTarget target = RequestTarget.Parse(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        RequestTelemetry.Request request = RequestTelemetry.Begin(http, target);
        bool isClientGone = false;
        try
        {
            await RouteAsync(http, target);
        }
        catch (ApiException problem)
        {
            await ApiResponse.WriteProblemAsync(http, problem);
        }
        catch (BadHttpRequestException exception) when (!http.Response.HasStarted)
        {
            // Of the body: it came at less than Kestrel's least rate, ended early, or is not what its framing says.
            await ApiResponse.WriteProblemAsync(http, exception.StatusCode == StatusCodes.Status408RequestTimeout ? ErrorCode.Deadline : ErrorCode.BadArgument, exception.Message);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ConnectionAbortedException or ConnectionResetException or IOException)
        {
            isClientGone = true; // Nobody is left to answer.
        }
        catch (Exception exception)
        {
            HandlerFailed(exception, http.Request.Method);
            if (http.Response.HasStarted) http.Abort(); // What is cut off must not look complete.
            else await ApiResponse.WriteProblemAsync(http, ErrorCode.Internal, "an unexpected fault; the node's log says more");
        }
        finally
        {
            telemetry.End(request, http, isClientGone); // Also when the client has gone while it was told of a problem.
        }
    }

    private ValueTask RouteAsync(HttpContext http, RequestTarget target)
    {
        bool isOfKey = KvParameters.IsAt(target.Path) && !ListEndpoint.IsFor(http.Request, target);
        return isOfKey && !_isStopping ? kv.HandleAsync(http, target) : new ValueTask(RouteOtherAsync(http, target));
    }

    private Task RouteOtherAsync(HttpContext http, RequestTarget target)
    {
        if (target.Path is "/livez") return ApiResponse.WriteBytesAsync(AllowGet(http, target), s_live, "text/plain");
        if (target.Path is "/readyz") return AnswerReadyAsync(AllowGet(http, target));
        if (target.Path is "/metrics") return ApiResponse.WriteBytesAsync(AllowGet(http, target), metrics(), PrometheusText.ContentType);
        if (_isStopping)
        {
            http.Response.Headers.Connection = "close"; // So that the client's next request goes elsewhere at once. HTTP/2 has its own way to say so.
            throw new ApiException(ErrorCode.ShuttingDown, $"node {door.NodeName} is stopping");
        }

        return target.Path switch
        {
            "/v1/status" => AnswerStatusAsync(AllowGet(http, target)),
            "/v1/shards" => AnswerShardsAsync(AllowGet(http, target)),
            "/v1/nodes" => ApiResponse.WriteJsonAsync(AllowGet(http, target), view.Nodes(), ApiJson.Readable.NodesJson),
            "/v1/limits" => ApiResponse.WriteJsonAsync(AllowGet(http, target), door.Limits, ApiJson.Readable.Limits),
            KvParameters.Path => list.HandleAsync(http, target),
            BatchEndpoint.Path => batch.HandleAsync(http, target),
            TxnEndpoint.Path => txn.HandleAsync(http, target),
            _ when target.Path.StartsWith(DebugEndpoint.Path, StringComparison.Ordinal) => debug.HandleAsync(http, target),
            _ when TransferEndpoint.IsFor(target.Path) => transfer.HandleAsync(http, target),
            _ => throw new ApiException(ErrorCode.NoSuchRoute, $"there is nothing at {target.Path}"),
        };
    }

    /// <summary>200, or 503 with a line per reason.</summary>
    private async Task AnswerReadyAsync(HttpContext http)
    {
        int timeoutMillis = TimeoutMillisOf(http);
        IReadOnlyList<string> reasons = _isStopping ? ["this node is stopping"] : await view.WhyNotReadyAsync(timeoutMillis);
        if (reasons.Count > 0) http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        string text = reasons.Count == 0 ? "ready\n" : $"not ready\n{string.Concat(reasons.Select(reason => reason + "\n"))}";
        await ApiResponse.WriteBytesAsync(http, System.Text.Encoding.UTF8.GetBytes(text), "text/plain");
    }

    private async Task AnswerStatusAsync(HttpContext http) => await ApiResponse.WriteJsonAsync(http, await view.StatusAsync(TimeoutMillisOf(http)), ApiJson.Readable.StatusJson);

    /// <summary>The ETag is of the document: it changes with the leaders too, of which the map itself knows nothing.</summary>
    private async Task AnswerShardsAsync(HttpContext http)
    {
        byte[] document = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(await view.ShardsAsync(TimeoutMillisOf(http)), ApiJson.Readable.ShardsJson);
        string etag = $"\"{NodeIdentity.FormatId(XxHash64.Hash(document))}\"";
        http.Response.Headers.ETag = etag;
        if (http.Request.Headers.IfNoneMatch == etag) http.Response.StatusCode = StatusCodes.Status304NotModified;
        else await ApiResponse.WriteBytesAsync(http, document, "application/json");
    }

    private int TimeoutMillisOf(HttpContext http) => KvParameters.ReadTimeoutMillis(http.Request.Headers, door.Limits);

    /// <summary>For what has no parameters either. Throws <see cref="ApiException"/>.</summary>
    public static HttpContext AllowGet(HttpContext http, RequestTarget target)
    {
        if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
            throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not one of GET, HEAD") { Allow = "GET, HEAD" };
        target.Parameters([]);
        return http;
    }

    [LoggerMessage(1, LogLevel.Error, "A {Method} request failed")]
    private partial void HandlerFailed(Exception exception, string method);
}
