using System.Net;
using System.Net.Sockets;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Cluster;

/// <summary>Clients that take every connection they can get: log, stores and peers have their files all the same (bugs.md D11; faults.md F102).</summary>
public sealed class ManyConnectionsTests
{
    private const int Files = 1_100;
    private const int Flood = 600;

    [Fact]
    public async Task Clients_cannot_take_the_files_that_log_stores_and_peers_need()
    {
        // Segments roll and logs are cut all the time, for which files are opened.
        await using TestCluster cluster = TestCluster.Make(3, 1, "--segment-bytes", "65536", "--snapshot-entries", "50", "--catch-up-entries", "0");
        NodeUnderTest flooded = cluster.Nodes[0];
        flooded.Start(before: OpenFiles.AtMost(Files));
        foreach (NodeUnderTest other in cluster.Others(flooded)) other.Start();
        await cluster.WaitReadyAsync();
        int allowed = (await Client.GetJsonAsync(flooded.Url, "/v1/limits")).GetProperty("maxConnections").GetInt32();
        Assert.InRange(allowed, 64, Flood / 2);
        Assert.Contains($"Clients may have {allowed} connections at once, not 10000: this process may open {Files} files only", flooded.Output, StringComparison.Ordinal);

        List<Socket> flood = [];
        try
        {
            int closed = 0;
            for (int i = 0; i < Flood; i++) flood.Add(Connect(flooded, () => Interlocked.Increment(ref closed)));
            await Wait.UntilAsync("the others are closed", () => Task.FromResult(Volatile.Read(ref closed) >= Flood - allowed), () => $"{closed} are");
            WriteLoad load = new(cluster.Others(flooded));
            await load.MoreAppliedAsync(400);
            Assert.InRange(OpenFiles.CountOf(flooded), allowed, Files - 200);
            await load.StopAsync();
            await load.CheckAsync([.. cluster.Others(flooded)]);
        }
        finally
        {
            foreach (Socket socket in flood) socket.Dispose();
        }

        await Wait.UntilAsync("there is room for clients again", async () => (await RawHttp.OnceAsync(flooded.ClientPort, "GET", "/livez")).Status == 200);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(flooded.Url, "after", "1"));
        Assert.True((await MetricsText.OfAsync(flooded))["raftkv_server_connections_refused_total"] >= Flood - allowed);
        Assert.DoesNotContain("Too many open files", flooded.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bodies_that_are_announced_and_do_not_come_keep_nobody_out()
    {
        const int Announced = 1024 * 1024; // 300 of these are more than what bodies may take together.
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest node = cluster.Nodes[0];
        RawHttp[] slow = [.. Enumerable.Range(0, 300).Select(_ => new RawHttp(node.ClientPort))];
        try
        {
            foreach (RawHttp connection in slow) await connection.WriteAsync($"PUT /v1/kv/slow HTTP/1.1\r\nHost: test\r\nContent-Length: {Announced}\r\nRaftKv-Timeout: 2000\r\n\r\nx");
            byte[] large = new byte[Announced];
            Assert.Equal(200, (await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/large", large)).Status);
            RawResponse refused = await slow[0].ReadAsync();
            Assert.Equal((504, "deadline"), (refused.Status, refused.Code));
        }
        finally
        {
            foreach (RawHttp connection in slow) connection.Dispose();
        }
    }

    [Fact]
    public async Task Answers_that_clients_do_not_take_do_not_fill_the_memory()
    {
        const int ValueBytes = 1024 * 1024; // 256 of these may wait.
        const int Asked = 400;
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest node = cluster.Nodes[0];
        Assert.Equal(200, (await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/large", new byte[ValueBytes])).Status);
        // Over HTTP/2 the client says how much it takes of each answer; over HTTP/1.1 the kernels' buffers would take the whole.
        using SocketsHttpHandler handler = new() { EnableMultipleHttp2Connections = true, InitialHttp2StreamWindowSize = 65_535 };
        using HttpClient http = new(handler) { BaseAddress = node.Url, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        HttpResponseMessage[] answers = await Task.WhenAll(Enumerable.Range(0, Asked).Select(_ => http.GetAsync("/v1/kv/large", HttpCompletionOption.ResponseHeadersRead)));
        try
        {
            Assert.All(answers, answer => Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.OK, HttpStatusCode.TooManyRequests }));
            Assert.InRange(answers.Count(answer => answer.IsSuccessStatusCode), 200, 260);
            string problem = await answers.First(answer => !answer.IsSuccessStatusCode).Content.ReadAsStringAsync();
            Assert.Contains("\"overloaded\"", problem, StringComparison.Ordinal);
            Assert.Contains("the limit is 268435456", problem, StringComparison.Ordinal);
            Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, "beside", "1")); // Nothing else is disturbed.
            Assert.Equal(ValueBytes, (await answers.First(answer => answer.IsSuccessStatusCode).Content.ReadAsByteArrayAsync()).Length);
        }
        finally
        {
            foreach (HttpResponseMessage answer in answers) answer.Dispose();
        }

        await Wait.UntilAsync("there is room for answers again", async () => (await RawHttp.OnceAsync(node.ClientPort, "GET", "/v1/kv/large")).Status == 200);
    }

    /// <summary>A connection that sends nothing.</summary>
    /// <param name="onClosed">The node has closed it.</param>
    private static Socket Connect(NodeUnderTest node, Action onClosed)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _ = WatchAsync();
        return socket;

        async Task WatchAsync()
        {
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, node.ClientPort);
                await socket.ReceiveAsync(new byte[1]);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // Closed with a reset, perhaps before the connection was seen to be there; or by us.
            }

            onClosed();
        }
    }
}
