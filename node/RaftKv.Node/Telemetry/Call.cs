using Microsoft.AspNetCore.Http;
using RaftKv.Node.Http;

namespace RaftKv.Node.Telemetry;

/// <summary>What a request asks for, by the words of the API: the attribute <c>raftkv.call</c>, and the route of spans. There are no others, whatever clients send.</summary>
internal sealed class Call
{
    private static readonly Call s_put = new("put", KeyRoute);
    private static readonly Call s_get = new("get", KeyRoute);
    private static readonly Call s_delete = new("delete", KeyRoute);
    private static readonly Call s_list = new("list", KvParameters.Path);
    private static readonly Call s_batch = new("batch", BatchEndpoint.Path);
    private static readonly Call s_txn = new("txn", TxnEndpoint.Path);
    private static readonly Call s_view = new("view", "/v1/{view}");
    private static readonly Call s_admin = new("admin", "/v1/admin");
    private static readonly Call s_debug = new("debug", "/debug");
    private static readonly Call s_health = new("health", "/{health}") { IsProbe = true };
    private static readonly Call s_metrics = new("metrics", "/metrics") { IsProbe = true };
    private static readonly Call s_other = new("other", "");

    private const string KeyRoute = "/v1/kv/{key}";
    private const int FirstStatus = 100;
    private const int EndStatus = 600;
    private readonly KeyValuePair<string, object?>[]?[] _tags = new KeyValuePair<string, object?>[]?[EndStatus - FirstStatus];

    private Call(string name, string route)
    {
        Name = name;
        Route = route;
    }

    public string Name { get; }

    /// <summary>A template with few values; empty when there is no such route.</summary>
    public string Route { get; }

    /// <summary>Asked again and again by machines: no spans of it.</summary>
    public bool IsProbe { get; private init; }

    public static Call Of(HttpRequest request, RequestTarget target)
    {
        string path = target.Path;
        if (KvParameters.IsAt(path)) return ListEndpoint.IsFor(request, target) ? s_list : OfKey(request.Method);
        return path switch
        {
            BatchEndpoint.Path => s_batch,
            TxnEndpoint.Path => s_txn,
            "/v1/status" or "/v1/shards" or "/v1/nodes" or "/v1/limits" => s_view,
            "/livez" or "/readyz" => s_health,
            "/metrics" => s_metrics,
            _ when path.StartsWith("/v1/admin/", StringComparison.Ordinal) => s_admin,
            _ when path.StartsWith("/debug/", StringComparison.Ordinal) => s_debug,
            _ => s_other,
        };
    }

    /// <summary>The attributes of a request that was answered so; made once for each status.</summary>
    public KeyValuePair<string, object?>[] TagsFor(int status)
    {
        ref KeyValuePair<string, object?>[]? tags = ref _tags[Math.Clamp(status, FirstStatus, EndStatus - 1) - FirstStatus];
        return tags ??= [new("raftkv.call", Name), new("http.response.status_code", status)];
    }

    private static Call OfKey(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) ? s_get : HttpMethods.IsPut(method) ? s_put : HttpMethods.IsDelete(method) ? s_delete : s_other;
}
