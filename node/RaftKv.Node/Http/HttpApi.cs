using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RaftKv.Contracts;

namespace RaftKv.Node.Http;

/// <summary>The client port: from a request's path to what answers it, and from what goes wrong to a problem document.</summary>
/// <remarks>By the raw path, without the framework's routing, which sees only what is left of it after decoding.</remarks>
internal sealed partial class HttpApi(Door door, KvEndpoint kv, BatchEndpoint batch, TxnEndpoint txn, ListEndpoint list, TransferEndpoint transfer, NodeView view, ILogger<HttpApi> logger)
{
    private static readonly byte[] s_live = "ok\n"u8.ToArray();
    private volatile bool _isStopping;

    /// <summary>From now on requests are refused, definitely: this node is stopping.</summary>
    public void BeginStop() => _isStopping = true;

    public async Task HandleAsync(HttpContext http)
    {
        http.Response.Headers["RaftKv-Node"] = door.NodeName;
        try
        {
            await RouteAsync(http, RequestTarget.Parse(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget));
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
            // The client has gone: nobody is left to answer.
        }
        catch (Exception exception)
        {
            HandlerFailed(exception, http.Request.Method);
            if (http.Response.HasStarted) http.Abort(); // What is cut off must not look complete.
            else await ApiResponse.WriteProblemAsync(http, ErrorCode.Internal, "an unexpected fault; the node's log says more");
        }
    }

    private Task RouteAsync(HttpContext http, RequestTarget target)
    {
        if (target.Path is "/livez")
        {
            AllowGet(http);
            return ApiResponse.WriteBytesAsync(http, s_live, "text/plain");
        }

        if (_isStopping)
        {
            http.Response.Headers.Connection = "close"; // So that the client's next request goes elsewhere at once. HTTP/2 has its own way to say so.
            throw new ApiException(ErrorCode.ShuttingDown, $"node {door.NodeName} is stopping");
        }

        if (target.Path == KvParameters.Path && ListEndpoint.IsFor(http.Request, target)) return list.HandleAsync(http, target);
        if (target.Path == KvParameters.Path || target.Path.StartsWith(KvParameters.Path + "/", StringComparison.Ordinal)) return kv.HandleAsync(http, target);
        return target.Path switch
        {
            "/readyz" => AnswerReadyAsync(AllowGet(http, target)),
            "/v1/status" => AnswerStatusAsync(AllowGet(http, target)),
            "/v1/shards" => AnswerShardsAsync(AllowGet(http, target)),
            "/v1/nodes" => ApiResponse.WriteJsonAsync(AllowGet(http, target), view.Nodes(), ApiJson.Readable.NodesJson),
            "/v1/limits" => ApiResponse.WriteJsonAsync(AllowGet(http, target), door.Limits, ApiJson.Readable.Limits),
            BatchEndpoint.Path => batch.HandleAsync(http, target),
            TxnEndpoint.Path => txn.HandleAsync(http, target),
            _ when TransferEndpoint.IsFor(target.Path) => transfer.HandleAsync(http, target),
            _ => throw new ApiException(ErrorCode.NoSuchRoute, $"there is nothing at {target.Path}"),
        };
    }

    private async Task AnswerReadyAsync(HttpContext http)
    {
        ulong[] waiting = await view.ShardsNotReadyAsync();
        int status = waiting.Length == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        await ApiResponse.WriteJsonAsync(http, new ReadyJson(waiting.Length == 0, waiting), ApiJson.Readable.ReadyJson, status);
    }

    private async Task AnswerStatusAsync(HttpContext http) => await ApiResponse.WriteJsonAsync(http, await view.StatusAsync(), ApiJson.Readable.StatusJson);

    /// <summary>The ETag is of the document: it changes with the leaders too, of which the map itself knows nothing.</summary>
    private async Task AnswerShardsAsync(HttpContext http)
    {
        byte[] document = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(await view.ShardsAsync(), ApiJson.Readable.ShardsJson);
        string etag = $"\"{NodeIdentity.FormatId(XxHash64.Hash(document))}\"";
        http.Response.Headers.ETag = etag;
        if (http.Request.Headers.IfNoneMatch == etag) http.Response.StatusCode = StatusCodes.Status304NotModified;
        else await ApiResponse.WriteBytesAsync(http, document, "application/json");
    }

    private static HttpContext AllowGet(HttpContext http, RequestTarget target)
    {
        AllowGet(http);
        target.Parameters([]);
        return http;
    }

    private static void AllowGet(HttpContext http)
    {
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method)) return;
        throw new ApiException(ErrorCode.MethodNotAllowed, $"{http.Request.Method} is not one of GET, HEAD") { Allow = "GET, HEAD" };
    }

    [LoggerMessage(1, LogLevel.Error, "A {Method} request failed")]
    private partial void HandlerFailed(Exception exception, string method);
}
