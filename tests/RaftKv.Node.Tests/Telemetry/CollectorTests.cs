using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Telemetry;

/// <summary>What leaves a node by itself: metrics and spans by OTLP, and lines of JSON.</summary>
public sealed class CollectorTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string ParentSpan = "b7ad6b7169203331";

    [Fact]
    public async Task A_put_goes_on_in_the_clients_trace_with_its_position_and_metrics_come_too()
    {
        using Collector collector = new();
        await using TestCluster cluster = await TestCluster.StartAsync(1, 1, "--otlp-endpoint", collector.Url);
        NodeUnderTest node = cluster.Nodes[0];
        await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/traced", [1], ("traceparent", $"00-{TraceId}-{ParentSpan}-01"));
        await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/traced", [1], ("If-Match", "\"77\""));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync()); // Stopping sends what is not sent yet.

        string spans = collector.Received("/v1/traces");
        Assert.Contains(Latin(Convert.FromHexString(TraceId)), spans, StringComparison.Ordinal);
        Assert.Contains(Latin(Convert.FromHexString(ParentSpan)), spans, StringComparison.Ordinal);
        Assert.All(
            (string[])["PUT /v1/kv/{key}", "http.response.status_code", "raftkv.shard", "raftkv.term", "raftkv.index", "raftkv.outcome", "ok", "not-applied", "precondition-failed", "service.instance.id", "raftkv.cluster"],
            text => Assert.Contains(text, spans, StringComparison.Ordinal));
        Assert.DoesNotContain("health", spans, StringComparison.Ordinal); // /readyz was asked, again and again.
        Assert.DoesNotContain("traced", spans, StringComparison.Ordinal); // Keys are nobody's business.
        Assert.All((string[])["raftkv.write.persist.duration", "raftkv.log.syncs", "dotnet.gc.collections"], text => Assert.Contains(text, collector.Received("/v1/metrics"), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_collector_that_is_not_there_holds_up_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, 1, "--otlp-endpoint", $"http://127.0.0.1:{FreePorts.Next()}");
        NodeUnderTest node = cluster.Nodes[0];
        Assert.Equal(200, (await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/a", [1])).Status);
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.Contains("Stopped; the stores are flushed", node.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task As_JSON_every_event_is_one_object_with_shard_term_and_index()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, 1, "--log-format", "json");
        NodeUnderTest node = cluster.Nodes[0];
        await Wait.UntilAsync("the leader is logged", () => Task.FromResult(node.Output.Contains("election-won", StringComparison.Ordinal)));
        JsonElement[] events = [.. node.Output.Split('\n').Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement won = events.First(what => what.TryGetProperty("reason", out JsonElement reason) && reason.GetString() == "election-won");
        Assert.Equal(("info", 1, 6, 11), (won.GetProperty("level").GetString(), won.GetProperty("shard").GetInt32(), won.GetProperty("term").GetInt32(), won.GetProperty("index").GetInt32()));
        Assert.Equal("Shard 1: candidate becomes leader in term 6, last index 11: election-won", won.GetProperty("message").GetString());
        Assert.Equal("RaftKv.Node.Telemetry.PumpTelemetry", won.GetProperty("logger").GetString());
        Assert.InRange(DateTimeOffset.UtcNow - won.GetProperty("time").GetDateTimeOffset(), TimeSpan.Zero, TimeSpan.FromHours(1));
    }

    private static string Latin(byte[] bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>Takes whatever is posted to it, and keeps it as text.</summary>
    private sealed class Collector : IDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly ConcurrentQueue<(string Path, string Body)> _received = new();

        public Collector()
        {
            Url = $"http://127.0.0.1:{FreePorts.Next()}";
            _listener.Prefixes.Add(Url + "/");
            _listener.Start();
            _ = ReceiveAsync();
        }

        public string Url { get; }

        public string Received(string path) => string.Concat(_received.Where(post => post.Path == path).Select(post => post.Body));

        public void Dispose() => _listener.Close();

        private async Task ReceiveAsync()
        {
            try
            {
                while (true)
                {
                    HttpListenerContext post = await _listener.GetContextAsync();
                    using MemoryStream body = new();
                    await post.Request.InputStream.CopyToAsync(body);
                    _received.Enqueue((post.Request.Url!.AbsolutePath, Latin(body.ToArray())));
                    post.Response.ContentType = "application/x-protobuf";
                    post.Response.Close();
                }
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                // Closed.
            }
        }
    }
}
