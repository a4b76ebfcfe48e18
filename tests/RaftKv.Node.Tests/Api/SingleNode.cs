using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>One node with two shards and a small value limit, shared by the tests of the HTTP API; each uses keys of its own.</summary>
public sealed class SingleNode : IAsyncLifetime
{
    public const int MaxValueBytes = 10_000;

    private TestCluster? _cluster;

    internal NodeUnderTest Node => _cluster!.Nodes[0];

    public async ValueTask InitializeAsync() => _cluster = await TestCluster.StartAsync(1, shards: 2, "--max-value-bytes", $"{MaxValueBytes}");

    public ValueTask DisposeAsync() => _cluster!.DisposeAsync();

    /// <summary>POST of a document.</summary>
    internal Task<RawResponse> PostAsync(string target, string json, params (string Name, string Value)[] headers) =>
        SendAsync("POST", target, System.Text.Encoding.UTF8.GetBytes(json), headers);

    internal Task<RawResponse> SendAsync(string method, string target, byte[]? body = null, params (string Name, string Value)[] headers) =>
        RawHttp.OnceAsync(Node.ClientPort, method, target, body, headers);
}

[CollectionDefinition(nameof(SingleNode))]
public sealed class SingleNodeTests : ICollectionFixture<SingleNode>;
