using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>etcd's Put and Range over gRPC, byte for byte: what a member reads and what it answers.</summary>
public sealed class EtcdGrpcTests
{
    /// <summary>cluster_id 1, member_id 2, revision 3, raft_term 4.</summary>
    private const string ResponseHeader = "0a08 0801 1002 1803 2004";

    /// <summary>key k, create_revision 2, mod_revision 3, version 1, value v.</summary>
    private const string KeyValue = "120c 0a016b 1002 1803 2001 2a0176";
    private readonly EtcdGrpc _wire = new("h:1", slots: 2);
    private readonly ByteQueue _sent = new();

    [Fact]
    public void A_put_is_written_as_it_should_be()
    {
        _wire.Write(0, Bytes.Put("k", "v"), _sent);
        string headers = Literal(":method", "POST") + Literal(":scheme", "http") + Literal(":path", "/etcdserverpb.KV/Put") + Literal(":authority", "h:1")
            + Literal("content-type", "application/grpc") + Literal("te", "trailers");
        Assert.Equal($"{headers.Length / 2:x6}" + "010400000001" + headers + "00000b" + "000100000001" + "0000000006" + "0a016b120176", Bytes.HexOf(_sent.Waiting));
        _sent.Clear();
        _wire.Write(1, Bytes.Put("k", "v"), _sent);
        Assert.Equal("000006" + "010400000003" + "c3c2c1c0bfbe" + "00000b" + "000100000003" + "0000000006" + "0a016b120176", Bytes.HexOf(_sent.Waiting));
    }

    [Fact]
    public void A_get_is_a_linearizable_range_of_one_key()
    {
        _wire.Write(0, Bytes.Get("k"), _sent);
        Assert.EndsWith("000008" + "000100000001" + "0000000003" + "0a016b", Bytes.HexOf(_sent.Waiting), StringComparison.Ordinal);
        Assert.Contains(Literal(":path", "/etcdserverpb.KV/Range"), Bytes.HexOf(_sent.Waiting), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void A_put_that_succeeded_is_done(int pieceBytes) => Assert.Equal([new Answer(0, AnswerKind.Done)], AnswerOf(Bytes.Put("k", "v"), Message(ResponseHeader), "0", pieceBytes: pieceBytes));

    [Fact]
    public void A_get_of_a_key_that_is_there_is_done() => Assert.Equal([new Answer(0, AnswerKind.Done)], AnswerOf(Bytes.Get("k"), Message(ResponseHeader + KeyValue + "2001"), "0"));

    [Fact]
    public void A_get_of_a_key_that_is_not_there_is_absent() => Assert.Equal([new Answer(0, AnswerKind.Absent)], AnswerOf(Bytes.Get("k"), Message(ResponseHeader), "0"));

    [Theory]
    [InlineData("14", "etcdserver: request timed out", AnswerKind.Unknown, "unavailable: etcdserver: request timed out")]
    [InlineData("14", "etcdserver%3A no leader", AnswerKind.Unknown, "unavailable: etcdserver: no leader")]
    [InlineData("8", "etcdserver: mvcc: database space exceeded", AnswerKind.Refused, "resource-exhausted: etcdserver: mvcc: database space exceeded")]
    [InlineData("3", "", AnswerKind.Refused, "invalid-argument")]
    [InlineData("77", "", AnswerKind.Unknown, "no-grpc-status")]
    internal void A_failure_is_told_by_its_code_and_message(string status, string message, AnswerKind kind, string reason)
    {
        Assert.Equal([new Answer(0, kind, reason)], AnswerOf(Bytes.Put("k", "v"), null, status, message));
        EtcdGrpc trailersOnly = new("h:1", slots: 1);
        trailersOnly.Write(0, Bytes.Put("k", "v"), _sent);
        Assert.Equal([new Answer(0, kind, reason)], Bytes.ReadInPieces(trailersOnly, Frame(FrameType.Headers, 5, 1, "88" + Trailers(status, message)), 1000, _sent));
    }

    [Fact]
    public void An_answer_that_is_not_200_tells_nothing_of_the_outcome()
    {
        _wire.Write(0, Bytes.Put("k", "v"), _sent);
        Assert.Equal([new Answer(0, AnswerKind.Unknown, "http-404")], Bytes.ReadInPieces(_wire, Frame(FrameType.Headers, 5, 1, "8d"), 1000, _sent));
    }

    [Theory]
    [InlineData("00000000", "no message")]
    [InlineData("0100000000", "a compressed message")]
    [InlineData("00000000020a", "a message that is cut off")]
    [InlineData("0000000001 0a 00", "more than one message")]
    [InlineData("0000000002 120c", "what is no RangeResponse")]
    public void What_is_no_message_ends_the_connection(string body, string why)
    {
        WireException refused = Assert.Throws<WireException>(() => AnswerOf(Bytes.Get("k"), body, "0"));
        Assert.True(refused.Message == "bad-message", why);
    }

    private List<Answer> AnswerOf(Operation operation, string? body, string status, string message = "", int pieceBytes = 1000)
    {
        _wire.Write(0, operation, _sent);
        byte[] data = body is null ? [] : Frame(FrameType.Data, 0, 1, body);
        return Bytes.ReadInPieces(_wire, [.. Frame(FrameType.Headers, 4, 1, "88"), .. data, .. Frame(FrameType.Headers, 5, 1, Trailers(status, message))], pieceBytes, _sent);
    }

    private static string Message(string message)
    {
        byte[] bytes = Bytes.Hex(message);
        return $"00{bytes.Length:x8}{Bytes.HexOf(bytes)}";
    }

    private static string Trailers(string status, string message) => Literal("grpc-status", status) + Literal("grpc-message", message);

    /// <summary>A field that is added to the table, name and value as plain strings.</summary>
    private static string Literal(string name, string value) => $"40{name.Length:x2}{Bytes.HexOf(Bytes.Ascii(name))}{value.Length:x2}{Bytes.HexOf(Bytes.Ascii(value))}";

    private static byte[] Frame(FrameType type, byte flags, int stream, string payload)
    {
        ByteQueue queue = new();
        Http2Frame.Add(queue, type, flags, stream, Bytes.Hex(payload));
        return queue.Waiting.ToArray();
    }
}
