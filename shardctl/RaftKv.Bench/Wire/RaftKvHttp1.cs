using System.Buffers.Text;
using System.Text;

namespace RaftKv.Bench.Wire;

/// <summary>RaftKv's key-value calls over HTTP/1.1: one slot, no pipelining.</summary>
/// <param name="host">As in the header Host.</param>
internal sealed class RaftKvHttp1(string host) : ClientWire
{
    /// <summary>A node's headers take some 400 bytes.</summary>
    private const int MaxHeadBytes = 32 * 1024;
    private readonly byte[] _afterKey = Encoding.ASCII.GetBytes($" HTTP/1.1\r\nHost: {host}\r\n");
    private bool _isUnderWay;

    private static ReadOnlySpan<byte> EndOfLine => "\r\n"u8;

    public override void Write(int slot, in Operation operation, ByteQueue to)
    {
        to.Add(operation.IsRead ? "GET /v1/kv/"u8 : "PUT /v1/kv/"u8);
        to.Add(operation.Key);
        to.Add(_afterKey);
        if (!operation.IsRead)
        {
            to.Add("Content-Length: "u8);
            AddNumber(to, operation.Value.Length);
            to.Add(EndOfLine);
            if (!operation.IdempotencyKey.IsEmpty)
            {
                to.Add("Idempotency-Key: "u8);
                to.Add(operation.IdempotencyKey);
                to.Add(EndOfLine);
            }
        }

        to.Add(EndOfLine);
        to.Add(operation.Value);
        _isUnderWay = true;
    }

    public override int Read(ReadOnlySpan<byte> bytes, ByteQueue to, List<Answer> answers)
    {
        int headBytes = bytes.IndexOf("\r\n\r\n"u8) + 4;
        if (headBytes < 4) return bytes.Length <= MaxHeadBytes ? 0 : throw new WireException("bad-http");
        int status = StatusOf(bytes);
        ReadOnlySpan<byte> head = bytes[..(headBytes - 2)];
        ReadOnlySpan<byte> length = FieldIn(head, "Content-Length: "u8);
        if (length.IsEmpty) throw new WireException("no-content-length");
        if (!Utf8Parser.TryParse(length, out int bodyBytes, out _) || bodyBytes < 0) throw new WireException("bad-http");
        if (bytes.Length - headBytes < bodyBytes) return 0;
        if (!_isUnderWay) throw new WireException("answer-without-request");
        _isUnderWay = false;
        IsClosing = Ascii.EqualsIgnoreCase(FieldIn(head, "Connection: "u8), "close"u8);
        answers.Add(RaftKvAnswers.Of(0, status, bytes.Slice(headBytes, bodyBytes)));
        return headBytes + bodyBytes;
    }

    private static int StatusOf(ReadOnlySpan<byte> head) =>
        head.StartsWith("HTTP/1.1 "u8) && Utf8Parser.TryParse(head[9..12], out int status, out int digits) && digits == 3 ? status : throw new WireException("bad-http");

    /// <summary>What the head says of a field, empty if nothing. Bodies of unknown length are not read: no answer of a node has one.</summary>
    private static ReadOnlySpan<byte> FieldIn(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        for (ReadOnlySpan<byte> rest = head; !rest.IsEmpty; rest = rest[(rest.IndexOf(EndOfLine) + 2)..])
            if (rest.Length >= name.Length && Ascii.EqualsIgnoreCase(rest[..name.Length], name)) return rest[name.Length..rest.IndexOf(EndOfLine)];
        return [];
    }

    private static void AddNumber(ByteQueue to, int number)
    {
        Utf8Formatter.TryFormat(number, to.GetSpan(11), out int written);
        to.Advance(written);
    }
}
