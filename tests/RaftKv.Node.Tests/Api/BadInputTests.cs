using System.Net.Sockets;
using System.Text;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>Bad input gets a clear error that names it, and changes nothing (design §3.7; issue 2, "Bad input and bad days").</summary>
[Collection(nameof(SingleNode))]
public sealed class BadInputTests(SingleNode single)
{
    [Theory]
    [InlineData("GET", "/v1/kv/", "", 400, "key-empty", "empty")]
    [InlineData("PUT", "/v1/kv", "", 400, "key-empty", "key64")]
    [InlineData("GET", "/v1/kv?key64=", "", 400, "key-empty", "empty")]
    [InlineData("GET", "/v1/kv?key64=%2B%2B", "", 400, "bad-key-encoding", "base64url")]
    [InlineData("GET", "/v1/kv/a%2", "", 400, "bad-key-encoding", "hex")]
    [InlineData("GET", "/v1/kv/a%zz", "", 400, "bad-key-encoding", "hex")]
    [InlineData("GET", "/v1/kv/a?colour=red", "", 400, "unknown-parameter", "colour")]
    [InlineData("PUT", "/v1/kv/a?consistency=lease", "", 400, "unknown-parameter", "consistency")]
    [InlineData("GET", "/v1/kv/a?consistency=sometimes", "", 400, "bad-consistency", "sometimes")]
    [InlineData("GET", "/v1/kv/a?consistency=lease&consistency=lease", "", 400, "bad-argument", "twice")]
    [InlineData("GET", "/v1/kv/a?key64=YQ", "", 400, "bad-argument", "key64")]
    [InlineData("GET", "/v1/kv/a?revision=0", "", 400, "bad-revision", "'0'")]
    [InlineData("GET", "/v1/kv/a?revision=-1", "", 400, "bad-revision", "'-1'")]
    [InlineData("GET", "/v1/kv/a?revision=x", "", 400, "bad-revision", "'x'")]
    [InlineData("GET", "/v1/kv/a?revision=9223372036854775808", "", 400, "bad-revision", "9223372036854775807")]
    [InlineData("GET", "/v1/kv/a?revision=9223372036854775807", "", 400, "bad-revision", "is above")]
    [InlineData("DELETE", "/v1/kv/a?revision=3", "", 400, "unknown-parameter", "revision")]
    [InlineData("GET", "/v1/kv/a?prefix=a", "", 400, "unknown-parameter", "prefix")]
    [InlineData("DELETE", "/v1/kv?prefix=a", "", 400, "unknown-parameter", "prefix")]
    [InlineData("PUT", "/v1/kv/a?ttl=0", "", 400, "bad-ttl", "ttl")]
    [InlineData("PUT", "/v1/kv/a?ttl=-1", "", 400, "bad-ttl", "ttl")]
    [InlineData("PUT", "/v1/kv/a?ttl=1.5", "", 400, "bad-ttl", "ttl")]
    [InlineData("PUT", "/v1/kv/a", "Idempotency-Key: two words", 400, "bad-idempotency-key", "Idempotency-Key has U+0020 as its character 4")]
    [InlineData("PUT", "/v1/kv/a", "Idempotency-Key: 0fffffff-ffff-7000-8000-000000000000", 400, "bad-idempotency-key", "ahead")]
    [InlineData("PUT", "/v1/kv/a", "If-Match: 17", 400, "bad-condition", "17")]
    [InlineData("PUT", "/v1/kv/a", "If-Match: \"0\"", 400, "bad-condition", "0")]
    [InlineData("PUT", "/v1/kv/a", "If-Match: \"-1\"", 400, "bad-condition", "-1")]
    [InlineData("PUT", "/v1/kv/a", "If-Match: W/\"1\"", 400, "bad-condition", "W/")]
    [InlineData("PUT", "/v1/kv/a", "If-None-Match: \"1\"", 400, "bad-condition", "If-None-Match")]
    [InlineData("DELETE", "/v1/kv/a", "If-None-Match: *", 400, "bad-condition", "If-Match")]
    [InlineData("GET", "/v1/kv/a", "If-Match: \"1\"", 400, "bad-condition", "If-None-Match")]
    [InlineData("GET", "/v1/kv/a", "If-None-Match: x", 400, "bad-condition", "x")]
    [InlineData("GET", "/v1/kv/a", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    [InlineData("GET", "/v1/kv/a", "RaftKv-Timeout: 0", 400, "bad-deadline", "60000")]
    [InlineData("GET", "/v1/kv/a", "RaftKv-Timeout: 60001", 400, "bad-deadline", "60000")]
    [InlineData("GET", "/v1/kvs", "", 404, "no-such-route", "/v1/kvs")]
    [InlineData("GET", "/", "", 404, "no-such-route", "/")]
    [InlineData("GET", "/v1/status?x=1", "", 400, "unknown-parameter", "x")]
    [InlineData("GET", "/livez?x=1", "", 400, "unknown-parameter", "x")]
    [InlineData("GET", "/readyz", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    [InlineData("GET", "/v1/status", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    [InlineData("GET", "/v1/shards", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    [InlineData("GET", "/debug/groups", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    [InlineData("GET", "/debug/groups/1", "RaftKv-Timeout: soon", 400, "bad-deadline", "soon")]
    public async Task A_bad_request_is_refused_by_name(string method, string target, string header, int status, string code, string named)
    {
        (string, string)[] headers = header.Length == 0 ? [] : [(header.Split(": ")[0], header.Split(": ")[1])];
        RawResponse answer = await single.SendAsync(method, target, method == "PUT" ? [1] : null, headers);
        Assert.Equal((status, code, status), (answer.Status, answer.Code, answer.Json.GetProperty("status").GetInt32()));
        Assert.Equal("application/problem+json", answer.Headers["Content-Type"]);
        Assert.Equal(("not-applied", false), (answer.Json.GetProperty("outcome").GetString(), answer.Json.GetProperty("retryable").GetBoolean()));
        Assert.Contains(named, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("n1", answer.Headers["RaftKv-Node"]);
    }

    [Theory]
    [InlineData("PUT", "/v1/kv/a?ttl=3162240001", "", "bad-ttl", 3_162_240_000, 3_162_240_001)]
    [InlineData("POST", "/v1/batch", """{"operations":[{"op":"put","key":"a","value":"x","ttl":3162240001}]}""", "bad-ttl", 3_162_240_000, 3_162_240_001)]
    [InlineData("GET", "/v1/kv?limit=1001", "", "bad-cursor", 1000, 1001)]
    public async Task What_is_over_a_limit_says_both_numbers(string method, string target, string body, string code, long limit, long actual)
    {
        RawResponse answer = await single.SendAsync(method, target, method == "GET" ? null : Encoding.UTF8.GetBytes(body));
        Assert.Equal((400, code, limit, actual), (answer.Status, answer.Code, answer.Json.GetProperty("limit").GetInt64(), answer.Json.GetProperty("actual").GetInt64()));
    }

    [Fact]
    public async Task A_deadline_over_its_limit_says_both_numbers_and_one_that_is_none_has_none()
    {
        RawResponse over = await single.SendAsync("GET", "/v1/kv/a", null, ("RaftKv-Timeout", "60001"));
        Assert.Equal(("bad-deadline", 60_000, 60_001), (over.Code, over.Json.GetProperty("limit").GetInt32(), over.Json.GetProperty("actual").GetInt32()));
        RawResponse none = await single.SendAsync("GET", "/v1/kv/a", null, ("RaftKv-Timeout", "0"));
        Assert.Equal(("bad-deadline", false), (none.Code, none.Json.TryGetProperty("limit", out _)));
    }

    [Theory]
    [InlineData("POST", "/v1/kv/a", "GET, HEAD, PUT, DELETE")]
    [InlineData("PATCH", "/v1/kv", "GET, HEAD, PUT, DELETE")]
    [InlineData("POST", "/v1/status", "GET, HEAD")]
    [InlineData("DELETE", "/v1/shards", "GET, HEAD")]
    [InlineData("PUT", "/livez", "GET, HEAD")]
    [InlineData("GET", "/v1/batch", "POST")]
    [InlineData("PUT", "/v1/txn", "POST")]
    public async Task A_wrong_method_is_told_the_right_ones(string method, string target, string allowed)
    {
        RawResponse answer = await single.SendAsync(method, target, []);
        Assert.Equal((405, "method-not-allowed", allowed), (answer.Status, answer.Code, answer.Headers["Allow"]));
    }

    [Fact]
    public async Task A_value_over_the_limit_is_refused_and_the_connection_goes_on()
    {
        using RawHttp connection = new(single.Node.ClientPort);
        Assert.Equal(200, (await connection.SendAsync("PUT", "/v1/kv/size", new byte[SingleNode.MaxValueBytes])).Status);
        RawResponse tooLarge = await connection.SendAsync("PUT", "/v1/kv/size", new byte[SingleNode.MaxValueBytes + 1]);
        Assert.Equal((413, "value-too-large", "not-applied"), (tooLarge.Status, tooLarge.Code, tooLarge.Json.GetProperty("outcome").GetString()));
        Assert.Equal((SingleNode.MaxValueBytes, SingleNode.MaxValueBytes + 1), (tooLarge.Json.GetProperty("limit").GetInt32(), tooLarge.Json.GetProperty("actual").GetInt32()));
        Assert.Equal(SingleNode.MaxValueBytes, (await connection.SendAsync("GET", "/v1/kv/size")).Body.Length);
    }

    [Fact]
    public async Task A_value_of_unknown_length_is_measured_while_it_is_read()
    {
        using RawHttp connection = new(single.Node.ClientPort);
        (string, string) chunked = ("Transfer-Encoding", "chunked");
        Assert.Equal(200, (await connection.SendAsync("PUT", "/v1/kv/chunks", Chunks(4, SingleNode.MaxValueBytes / 4), chunked)).Status);
        Assert.Equal(SingleNode.MaxValueBytes, (await connection.SendAsync("GET", "/v1/kv/chunks")).Body.Length);
        RawResponse tooLarge = await connection.SendAsync("PUT", "/v1/kv/chunks", Chunks(9, SingleNode.MaxValueBytes / 4), chunked);
        Assert.Equal((413, "value-too-large"), (tooLarge.Status, tooLarge.Code));
        Assert.Equal(SingleNode.MaxValueBytes, (await connection.SendAsync("GET", "/v1/kv/chunks")).Body.Length);
    }

    [Fact]
    public async Task A_body_that_ends_early_writes_nothing()
    {
        using (TcpClient client = new("127.0.0.1", single.Node.ClientPort))
        {
            await WriteAndReadToEndAsync(client, "PUT /v1/kv/early HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nonly this"u8.ToArray());
        }

        Assert.Equal(404, (await single.SendAsync("GET", "/v1/kv/early")).Status);
    }

    /// <summary>Nobody looked for a leader yet: the answer must not speak of one.</summary>
    [Theory]
    [InlineData("PUT /v1/kv/slow", "Content-Length: 100", "only this")]
    [InlineData("PUT /v1/kv/slow", "Transfer-Encoding: chunked", "4\r\nonly\r\n")]
    [InlineData("POST /v1/batch", "Content-Length: 100", "{")]
    [InlineData("POST /v1/batch", "Transfer-Encoding: chunked", "")]
    public async Task A_body_that_comes_too_slowly_is_refused_at_the_deadline(string request, string header, string begin)
    {
        using RawHttp connection = new(single.Node.ClientPort);
        RawResponse answer = await connection.SendRawAsync($"{request} HTTP/1.1\r\nHost: test\r\nRaftKv-Timeout: 100\r\n{header}\r\n\r\n{begin}");
        Assert.Equal((504, "deadline", "not-applied"), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString()));
        Assert.Contains("body", answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(404, (await single.SendAsync("GET", "/v1/kv/slow")).Status);
    }

    /// <summary>What Kestrel cannot parse it answers itself, before any of our code runs: with a status, no body, and the connection's end.</summary>
    [Theory]
    [InlineData("GET /v1/kv/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", 400)]
    [InlineData("GET /v1/kv/a HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /v1/kv/a HTTP/9.9\r\nHost: x\r\n\r\n", 505)]
    public async Task What_is_no_HTTP_has_a_status_and_ends_the_connection(string request, int status)
    {
        using RawHttp connection = new(single.Node.ClientPort);
        RawResponse answer = await connection.SendRawAsync(request);
        Assert.Equal((status, "close", 0), (answer.Status, answer.Headers["Connection"], answer.Body.Length));
    }

    [Fact]
    public async Task A_request_line_or_header_that_is_too_long_has_a_status_and_ends_the_connection()
    {
        foreach (var (request, status) in new[] { ($"GET /v1/kv/{new string('x', 33_000)} HTTP/1.1\r\n", 414), ($"GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nBig: {new string('x', 40_000)}\r\n\r\n", 431) })
        {
            using RawHttp connection = new(single.Node.ClientPort);
            Assert.Equal((status, "close"), (await connection.SendRawAsync(request)) is var answer ? (answer.Status, answer.Headers["Connection"]) : default);
        }
    }

    [Fact]
    public async Task A_chunk_that_is_none_is_a_problem_like_any_other()
    {
        using RawHttp connection = new(single.Node.ClientPort);
        RawResponse answer = await connection.SendRawAsync("PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        Assert.Equal((400, "bad-argument", "application/problem+json"), (answer.Status, answer.Code, answer.Headers["Content-Type"]));
    }

    [Theory]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("GET\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003")] // a TLS hello
    public async Task Garbage_on_a_port_closes_that_connection_and_nothing_else(string garbage)
    {
        foreach (int port in (int[])[single.Node.ClientPort, single.Node.PeerPort])
        {
            using TcpClient client = new("127.0.0.1", port);
            await WriteAndReadToEndAsync(client, Encoding.Latin1.GetBytes(garbage));
        }

        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/alive", [1])).Status);
    }

    [Fact]
    public async Task An_oversized_frame_on_the_peer_port_closes_the_connection_at_once()
    {
        using TcpClient client = new("127.0.0.1", single.Node.PeerPort);
        await WriteAndReadToEndAsync(client, [0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4, 1, 1, 0, 0], isEnd: false);
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/alive", [1])).Status);
    }

    [Fact]
    public async Task Connections_that_say_nothing_do_not_keep_others_out()
    {
        TcpClient[] silent = [.. Enumerable.Range(0, 200).Select(i => new TcpClient("127.0.0.1", i % 2 == 0 ? single.Node.ClientPort : single.Node.PeerPort))];
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/alive", [1])).Status);
        foreach (TcpClient client in silent) client.Dispose();
    }

    private static byte[] Chunks(int count, int size) =>
        Encoding.Latin1.GetBytes(string.Concat(Enumerable.Repeat($"{size:x}\r\n{new string('x', size)}\r\n", count)) + "0\r\n\r\n");

    /// <summary>Waits until the node closes the connection, if need be after we have said that no more comes.</summary>
    private static async Task WriteAndReadToEndAsync(TcpClient client, byte[] bytes, bool isEnd = true)
    {
        using CancellationTokenSource limit = new(Wait.Limit);
        NetworkStream stream = client.GetStream();
        byte[] rest = new byte[1000];
        try
        {
            await stream.WriteAsync(bytes);
            if (isEnd) client.Client.Shutdown(SocketShutdown.Send);
            while (await stream.ReadAsync(rest, limit.Token) > 0)
            {
                // A polite 400, perhaps.
            }
        }
        catch (IOException)
        {
            // Reset: closed as well.
        }
    }
}
