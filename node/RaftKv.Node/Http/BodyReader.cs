using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Native;

namespace RaftKv.Node.Http;

/// <summary>
/// Reads bodies: a value straight into the bytes that log, peers and store will use, a document whole. Limits are checked before and while reading,
/// the request's deadline holds, and all bodies being read together are bounded: slow writers cost their own time, not the node's memory.
/// </summary>
/// <remarks>Every method throws <see cref="ApiException"/>: too large, too slow, or too much being read at once.</remarks>
internal sealed class BodyReader(Limits limits)
{
    private const long MaxBytesBeingRead = 256L * Limits.Mebi;
    private long _bytesBeingRead;

    /// <summary>The encoded form of <paramref name="put"/> with the body as its value.</summary>
    public async ValueTask<byte[]> ReadPutAsync(HttpRequest http, KvRequest put, long deadline)
    {
        long reserved = Reserve(http, ErrorCode.ValueTooLarge, limits.MaxValueBytes);
        try
        {
            if (http.ContentLength is { } length)
            {
                byte[] request = put.EncodeFor((int)length, out Memory<byte> room);
                await FillAsync(http, room, deadline);
                return request;
            }

            ReadOnlyMemory<byte> value = await ReadUnknownLengthAsync(http, ErrorCode.ValueTooLarge, limits.MaxValueBytes, deadline);
            byte[] encoded = put.EncodeFor(value.Length, out Memory<byte> rest);
            value.CopyTo(rest);
            return encoded;
        }
        finally
        {
            Interlocked.Add(ref _bytesBeingRead, -reserved);
        }
    }

    /// <summary>The whole body, of a batch or transaction.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadDocumentAsync(HttpRequest http, long deadline)
    {
        long reserved = Reserve(http, ErrorCode.BatchTooLarge, limits.MaxBatchBodyBytes);
        try
        {
            if (http.ContentLength is not { } length) return await ReadUnknownLengthAsync(http, ErrorCode.BatchTooLarge, limits.MaxBatchBodyBytes, deadline);
            byte[] document = new byte[length];
            await FillAsync(http, document, deadline);
            return document;
        }
        finally
        {
            Interlocked.Add(ref _bytesBeingRead, -reserved);
        }
    }

    private long Reserve(HttpRequest http, ErrorCode tooLarge, int limit)
    {
        long bytes = http.ContentLength ?? limit;
        if (bytes > limit) throw TooLarge(tooLarge, limit, bytes);
        if (Interlocked.Add(ref _bytesBeingRead, bytes) <= MaxBytesBeingRead) return bytes;
        Interlocked.Add(ref _bytesBeingRead, -bytes);
        throw new ApiException(ErrorCode.Overloaded, $"bodies of more than {MaxBytesBeingRead} bytes are being received");
    }

    /// <summary>Hot path: what came with the request's head is there, and is taken without a timer.</summary>
    private static ValueTask FillAsync(HttpRequest http, Memory<byte> room, long deadline)
    {
        if (room.IsEmpty) return ValueTask.CompletedTask;
        PipeReader body = http.BodyReader;
        if (body.TryRead(out ReadResult ready))
        {
            if (ready.Buffer.Length >= room.Length)
            {
                ready.Buffer.Slice(0, room.Length).CopyTo(room.Span);
                body.AdvanceTo(ready.Buffer.GetPosition(room.Length));
                return ValueTask.CompletedTask;
            }

            body.AdvanceTo(ready.Buffer.Start);
        }

        return FillSlowlyAsync(http, room, deadline);
    }

    private static async ValueTask FillSlowlyAsync(HttpRequest http, Memory<byte> room, long deadline)
    {
        using CancellationTokenSource timer = TimerUntil(deadline, http);
        while (!room.IsEmpty)
        {
            ReadResult read = await ReadAsync(http, timer.Token);
            ReadOnlySequence<byte> part = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, room.Length));
            part.CopyTo(room.Span);
            room = room[(int)part.Length..];
            http.BodyReader.AdvanceTo(part.End);
            if (read.IsCompleted && !room.IsEmpty) throw new ApiException(ErrorCode.BadArgument, $"the body ended {room.Length} bytes early");
        }
    }

    private static async ValueTask<ReadOnlyMemory<byte>> ReadUnknownLengthAsync(HttpRequest http, ErrorCode tooLarge, int limit, long deadline)
    {
        using CancellationTokenSource timer = TimerUntil(deadline, http);
        ArrayBufferWriter<byte> all = new();
        while (true)
        {
            ReadResult read = await ReadAsync(http, timer.Token);
            long length = all.WrittenCount + read.Buffer.Length;
            if (length <= limit)
                foreach (ReadOnlyMemory<byte> part in read.Buffer) all.Write(part.Span);
            http.BodyReader.AdvanceTo(read.Buffer.End);
            if (length > limit) throw TooLarge(tooLarge, limit, length);
            if (read.IsCompleted) return all.WrittenMemory;
        }
    }

    private static async ValueTask<ReadResult> ReadAsync(HttpRequest http, CancellationToken timer)
    {
        try
        {
            return await http.BodyReader.ReadAsync(timer);
        }
        catch (OperationCanceledException) when (!http.HttpContext.RequestAborted.IsCancellationRequested)
        {
            throw new ApiException(ErrorCode.Deadline, "the body was not complete when the deadline passed");
        }
    }

    private static CancellationTokenSource TimerUntil(long deadline, HttpRequest http)
    {
        CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(http.HttpContext.RequestAborted);
        timer.CancelAfter(TimeSpan.FromMicroseconds(Math.Max(0, deadline - BootClock.NowMicros)));
        return timer;
    }

    private static ApiException TooLarge(ErrorCode error, int limit, long actual) =>
        new(error, $"the {(error == ErrorCode.ValueTooLarge ? "value" : "body")} has {actual} bytes or more, the limit is {limit}", limit, actual);
}
