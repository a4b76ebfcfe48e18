using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;

namespace RaftKv.Node.Http;

/// <summary>
/// Reads a value straight into the bytes that log, peers and store will use. The limit is checked before and while reading, and
/// all values being read together are bounded: slow writers cost their own time, not the node's memory.
/// </summary>
internal sealed class BodyReader(Limits limits)
{
    private const long MaxBytesBeingRead = 256L * Limits.Mebi;
    private long _bytesBeingRead;

    /// <summary>The encoded form of <paramref name="put"/> with the body as its value. Throws <see cref="ApiException"/>: too large, or too much being read at once.</summary>
    public async ValueTask<byte[]> ReadPutAsync(HttpRequest http, KvRequest put, CancellationToken cancel)
    {
        long reserved = http.ContentLength ?? limits.MaxValueBytes;
        if (reserved > limits.MaxValueBytes) throw TooLarge(reserved);
        try
        {
            if (Interlocked.Add(ref _bytesBeingRead, reserved) > MaxBytesBeingRead) throw new ApiException(ErrorCode.Overloaded, $"values of more than {MaxBytesBeingRead} bytes are being received");
            if (http.ContentLength is { } length)
            {
                byte[] request = put.EncodeFor((int)length, out Memory<byte> room);
                await http.Body.ReadExactlyAsync(room, cancel);
                return request;
            }

            return await ReadUnknownLengthAsync(http.BodyReader, put, cancel);
        }
        finally
        {
            Interlocked.Add(ref _bytesBeingRead, -reserved);
        }
    }

    private async ValueTask<byte[]> ReadUnknownLengthAsync(PipeReader body, KvRequest put, CancellationToken cancel)
    {
        ArrayBufferWriter<byte> value = new();
        while (true)
        {
            ReadResult read = await body.ReadAsync(cancel);
            long length = value.WrittenCount + read.Buffer.Length;
            if (length <= limits.MaxValueBytes)
                foreach (ReadOnlyMemory<byte> part in read.Buffer) value.Write(part.Span);
            body.AdvanceTo(read.Buffer.End);
            if (length > limits.MaxValueBytes) throw TooLarge(length);
            if (!read.IsCompleted) continue;

            byte[] request = put.EncodeFor(value.WrittenCount, out Memory<byte> room);
            value.WrittenMemory.CopyTo(room);
            return request;
        }
    }

    private ApiException TooLarge(long actual) => new(ErrorCode.ValueTooLarge, $"the value has {actual} bytes or more, the limit is {limits.MaxValueBytes}", limits.MaxValueBytes, actual);
}
