using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>RaftKv's calls over HTTP/1.1, byte for byte.</summary>
public sealed class RaftKvHttp1Tests
{
    private const string Found = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\nhello";

    [Fact]
    public void A_get_is_written_as_it_should_be() => Assert.Equal("GET /v1/kv/k HTTP/1.1\r\nHost: h:1\r\n\r\n", Written(Bytes.Get("k")));

    [Fact]
    public void A_put_is_written_as_it_should_be() => Assert.Equal("PUT /v1/kv/k HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\n\r\nabc", Written(Bytes.Put("k", "abc")));

    [Fact]
    public void A_put_with_an_idempotency_key_has_its_header() =>
        Assert.Equal("PUT /v1/kv/k HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\nIdempotency-Key: id\r\n\r\n", Written(Bytes.Put("k", "", "id")));

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void An_answer_may_come_in_pieces(int pieceBytes) => Assert.Equal([new Answer(0, AnswerKind.Done)], Answers(Found, pieceBytes));

    [Theory]
    [InlineData("404 Not Found", "{\"code\":\"key-not-found\"}", AnswerKind.Absent, "")]
    [InlineData("404 Not Found", "{\"code\":\"no-such-route\",\"outcome\":\"not-applied\"}", AnswerKind.Refused, "no-such-route")]
    [InlineData("429 Too Many Requests", "{\"code\":\"overloaded\",\"outcome\":\"not-applied\"}", AnswerKind.Refused, "overloaded")]
    [InlineData("503 Service Unavailable", "{\"code\":\"no-leader\",\"outcome\":\"not-applied\"}", AnswerKind.Refused, "no-leader")]
    [InlineData("504 Gateway Timeout", "{\"code\":\"outcome-unknown\",\"outcome\":\"unknown\"}", AnswerKind.Unknown, "outcome-unknown")]
    [InlineData("502 Bad Gateway", "<html>", AnswerKind.Unknown, "http-502")]
    [InlineData("500 Internal Server Error", "[]", AnswerKind.Unknown, "http-500")]
    internal void A_failure_is_told_by_its_code_and_outcome(string status, string body, AnswerKind kind, string reason) =>
        Assert.Equal([new Answer(0, kind, reason)], Answers($"HTTP/1.1 {status}\r\ncontent-length: {body.Length}\r\n\r\n{body}", 1000));

    [Theory]
    [InlineData("", false)]
    [InlineData("Connection: keep-alive\r\n", false)]
    [InlineData("connection: Close\r\n", true)]
    public void A_server_may_say_that_this_was_its_last_answer(string field, bool isLast)
    {
        RaftKvHttp1 wire = new("h:1");
        wire.Write(0, Bytes.Get("k"), new ByteQueue());
        wire.Read(Bytes.Ascii($"HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n"), new ByteQueue(), []);
        Assert.Equal(isLast, wire.IsClosing);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n\r\n", "bad-http")]
    [InlineData("HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n", "bad-http")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad-http")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no-content-length")]
    [InlineData(Found + Found, "answer-without-request")]
    public void What_is_no_answer_ends_the_connection(string bytes, string reason) => Assert.Equal(reason, Assert.Throws<WireException>(() => Answers(bytes, 1000)).Message);

    [Fact]
    public void A_head_without_an_end_is_not_waited_for()
    {
        RaftKvHttp1 wire = new("h:1");
        Assert.Equal("bad-http", Assert.Throws<WireException>(() => wire.Read(new byte[40_000], new ByteQueue(), [])).Message);
    }

    private static string Written(Operation operation)
    {
        ByteQueue queue = new();
        new RaftKvHttp1("h:1").Write(0, operation, queue);
        return Bytes.TextOf(queue);
    }

    private static List<Answer> Answers(string text, int pieceBytes)
    {
        RaftKvHttp1 wire = new("h:1");
        ByteQueue to = new();
        wire.Write(0, Bytes.Get("k"), to);
        List<Answer> answers = [];
        ByteQueue received = new();
        foreach (byte[] piece in Bytes.Ascii(text).Chunk(pieceBytes))
        {
            received.Add(piece);
            for (int taken = -1; taken != 0;)
            {
                taken = wire.Read(received.Waiting, to, answers);
                received.Take(taken);
            }
        }

        return answers;
    }
}
