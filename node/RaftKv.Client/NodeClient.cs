using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace RaftKv.Client;

/// <summary>Asks one node about itself. One attempt each: whether this node answers is part of the question.</summary>
public sealed class NodeClient(TimeSpan timeout) : IDisposable
{
    private readonly HttpClient _http = HttpConnections.Create(timeout);

    public Task<NodeStatus> StatusAsync(ClientEndpoint node, CancellationToken cancellation = default) => AskAsync(node, "v1/status", ClientJson.Default.NodeStatus, cancellation);

    public Task<NodeList> NodesAsync(ClientEndpoint node, CancellationToken cancellation = default) => AskAsync(node, "v1/nodes", ClientJson.Default.NodeList, cancellation);

    public Task<ShardList> ShardsAsync(ClientEndpoint node, CancellationToken cancellation = default) => AskAsync(node, "v1/shards", ClientJson.Default.ShardList, cancellation);

    /// <summary>The document as it is; <see cref="Parse"/> makes it a <see cref="GroupDebug"/>. The node must hold the shard.</summary>
    public Task<JsonObject> GroupAsync(ClientEndpoint node, ulong shard, CancellationToken cancellation = default) =>
        AskAsync(node, string.Create(CultureInfo.InvariantCulture, $"debug/groups/{shard}"), ClientJson.Default.JsonObject, cancellation);

    /// <summary>Throws <see cref="JsonException"/> when it is not what a node would write.</summary>
    public static GroupDebug Parse(JsonObject document) =>
        document.Deserialize(ClientJson.Default.GroupDebug) is { Node: not null, Role: not null, Followers.IsDefault: false, RoleChanges.IsDefault: false } group ? group : throw new JsonException("members are missing");

    /// <summary>Whether all its replicas know a leader and have applied an entry of its term.</summary>
    public async Task<bool> IsReadyAsync(ClientEndpoint node, CancellationToken cancellation = default)
    {
        try
        {
            using HttpResponseMessage answer = await GetAsync(node, "readyz", cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (NodeUnreachableException)
        {
            return false;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> AskAsync<T>(ClientEndpoint node, string path, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
    {
        using HttpResponseMessage answer = await GetAsync(node, path, cancellation);
        if (!answer.IsSuccessStatusCode) throw new NodeUnreachableException(node, $"/{path} answers {(int)answer.StatusCode}", isListening: true);
        try
        {
            return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(cancellation), type) ?? throw new JsonException("null");
        }
        catch (Exception exception) when (exception is JsonException or HttpRequestException)
        {
            throw new NodeUnreachableException(node, $"/{path} answers with something else than RaftKv would", isListening: true);
        }
    }

    private async Task<HttpResponseMessage> GetAsync(ClientEndpoint node, string path, CancellationToken cancellation)
    {
        using CancellationTokenSource limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limited.CancelAfter(timeout);
        try
        {
            return await _http.GetAsync(new Uri(node.Url, path), limited.Token);
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new NodeUnreachableException(node, HttpConnections.Explain(exception), isListening: exception is OperationCanceledException { InnerException: not TimeoutException });
        }
    }
}

/// <summary>The node did not answer, or not as a RaftKv node does. The message is one line that names the endpoint.</summary>
/// <param name="isListening">Whether something took the connection: then the process may be alive, but paused or overloaded.</param>
public sealed class NodeUnreachableException(ClientEndpoint node, string why, bool isListening) : Exception($"{node}: {why}")
{
    public bool IsListening { get; } = isListening;
}
