using System.Buffers.Text;

namespace RaftKv.Bench.Wire;

/// <summary>RaftKv's key-value calls over HTTP/2.</summary>
/// <param name="authority">The endpoint, as <c>host:port</c>.</param>
internal sealed class RaftKvHttp2(string authority, int slots) : Http2Wire(slots)
{
    private static readonly HeaderField s_get = HeaderField.Of(":method", "GET");
    private static readonly HeaderField s_put = HeaderField.Of(":method", "PUT");
    private static readonly HeaderField s_scheme = HeaderField.Of(":scheme", "http");
    private readonly HeaderField _authority = HeaderField.Of(":authority", authority);

    protected override void WriteRequest(in Operation operation, ByteQueue block, ByteQueue body)
    {
        Headers.AddRepeated(block, operation.IsRead ? s_get : s_put);
        Headers.AddRepeated(block, s_scheme);
        Headers.AddRepeated(block, _authority);
        HeaderWriter.AddOnce(block, HeaderWriter.Path, "/v1/kv/"u8, operation.Key);
        if (operation.IsRead) return;
        Span<byte> length = stackalloc byte[11];
        Utf8Formatter.TryFormat(operation.Value.Length, length, out int digits);
        HeaderWriter.AddOnce(block, HeaderWriter.ContentLength, length[..digits]);
        if (!operation.IdempotencyKey.IsEmpty) HeaderWriter.AddOnce(block, "idempotency-key"u8, operation.IdempotencyKey);
        body.Add(operation.Value);
    }

    protected override Answer Conclude(int slot, Http2Exchange exchange) => RaftKvAnswers.Of(slot, exchange.Status, exchange.Body.Waiting);
}
