using System.Buffers.Binary;
using Google.Protobuf;
using RaftKv.Contracts.Etcd;

namespace RaftKv.Bench.Wire;

/// <summary>
/// etcd's KV service, Put and linearizable Range of one key, over gRPC. A gRPC body is one message:
/// <code>0  compressed u8, 0 | 1 length u32 big-endian | 5 message</code>
/// </summary>
/// <param name="authority">The endpoint, as <c>host:port</c>.</param>
internal sealed class EtcdGrpc(string authority, int slots) : Http2Wire(slots)
{
    private const int PrefixBytes = 5;
    private static readonly HeaderField s_post = HeaderField.Of(":method", "POST");
    private static readonly HeaderField s_scheme = HeaderField.Of(":scheme", "http");
    private static readonly HeaderField s_range = HeaderField.Of(":path", "/etcdserverpb.KV/Range");
    private static readonly HeaderField s_put = HeaderField.Of(":path", "/etcdserverpb.KV/Put");
    private static readonly HeaderField s_contentType = HeaderField.Of("content-type", "application/grpc");
    private static readonly HeaderField s_trailers = HeaderField.Of("te", "trailers");

    /// <summary>gRPC's codes by number.</summary>
    private static readonly string[] s_codes =
    [
        "ok", "cancelled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists", "permission-denied", "resource-exhausted",
        "failed-precondition", "aborted", "out-of-range", "unimplemented", "internal", "unavailable", "data-loss", "unauthenticated",
    ];

    /// <summary>Those with which etcd refuses before it proposes: invalid argument, permission, exhausted, precondition, range, method, credentials.</summary>
    private static readonly int[] s_definite = [3, 7, 8, 9, 11, 12, 16];
    private readonly HeaderField _authority = HeaderField.Of(":authority", authority);

    protected override void WriteRequest(in Operation operation, ByteQueue block, ByteQueue body)
    {
        Headers.AddRepeated(block, s_post);
        Headers.AddRepeated(block, s_scheme);
        Headers.AddRepeated(block, operation.IsRead ? s_range : s_put);
        Headers.AddRepeated(block, _authority);
        Headers.AddRepeated(block, s_contentType);
        Headers.AddRepeated(block, s_trailers);
        ByteString key = ByteString.CopyFrom(operation.Key);
        AddMessage(body, operation.IsRead ? new RangeRequest { Key = key } : new PutRequest { Key = key, Value = ByteString.CopyFrom(operation.Value) });
    }

    protected override Answer Conclude(int slot, Http2Exchange exchange)
    {
        if (exchange.Status != 200) return new Answer(slot, AnswerKind.Unknown, $"http-{exchange.Status}");
        if (exchange.GrpcStatus != 0) return Failure(slot, exchange.GrpcStatus, exchange.GrpcMessage);
        ReadOnlySpan<byte> message = MessageIn(exchange.Body.Waiting);
        if (!exchange.IsRead) return new Answer(slot, AnswerKind.Done);
        return new Answer(slot, RangeOf(message).Kvs.Count > 0 ? AnswerKind.Done : AnswerKind.Absent);
    }

    private static Answer Failure(int slot, int code, string message)
    {
        string name = code >= 0 && code < s_codes.Length ? s_codes[code] : "no-grpc-status";
        string reason = message.Length == 0 ? name : $"{name}: {Uri.UnescapeDataString(message)}";
        return new Answer(slot, s_definite.Contains(code) ? AnswerKind.Refused : AnswerKind.Unknown, reason);
    }

    private static RangeResponse RangeOf(ReadOnlySpan<byte> message)
    {
        try
        {
            return RangeResponse.Parser.ParseFrom(message);
        }
        catch (InvalidProtocolBufferException)
        {
            throw new WireException("bad-message");
        }
    }

    private static void AddMessage(ByteQueue to, IMessage message)
    {
        int size = message.CalculateSize();
        Span<byte> bytes = to.GetSpan(PrefixBytes + size)[..(PrefixBytes + size)];
        bytes[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(bytes[1..], size);
        message.WriteTo(bytes[PrefixBytes..]);
        to.Advance(bytes.Length);
    }

    private static ReadOnlySpan<byte> MessageIn(ReadOnlySpan<byte> body)
    {
        bool isOne = body.Length >= PrefixBytes && body[0] == 0 && BinaryPrimitives.ReadInt32BigEndian(body[1..]) == body.Length - PrefixBytes;
        return isOne ? body[PrefixBytes..] : throw new WireException("bad-message");
    }
}
