using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Native;

namespace RaftKv.Node.Http;

/// <summary>
/// Reads bodies: a value straight into the bytes that log, peers and store will use, a document whole. Limits are checked before and while reading,
/// the request's deadline holds, and what has arrived of all bodies together is bounded: slow writers cost their own time, not the node's memory, and what
/// they only announce costs nobody anything.
/// </summary>
/// <remarks>Every method throws <see cref="ApiException"/>: too large, too slow, or too much being read at once.</remarks>
internal sealed class BodyReader(Limits limits)
{
    private readonly long _maxBytesBeingRead = limits.MaxArrivingBodyBytes;
    private long _bytesBeingRead;

    /// <summary>Room for what has arrived of bodies that are not complete.</summary>
    public long BytesBeingRead => Interlocked.Read(ref _bytesBeingRead);

    /// <summary>The encoded form of <paramref name="put"/> with the body as its value.</summary>
    public async ValueTask<byte[]> ReadPutAsync(HttpRequest http, KvRequest put, long deadline)
    {
        CheckAnnounced(http, ErrorCode.ValueTooLarge, limits.MaxValueBytes);
        if (TryReadAtOnce(http, out ReadOnlySequence<byte> whole))
        {
            byte[] request = put.EncodeFor((int)whole.Length, out Memory<byte> room);
            Take(http, whole, room.Span);
            return request;
        }

        using ArrivingBody body = await GatherAsync(http, ErrorCode.ValueTooLarge, limits.MaxValueBytes, deadline);
        byte[] encoded = put.EncodeFor(body.Length, out Memory<byte> value);
        body.Bytes.CopyTo(value.Span);
        return encoded;
    }

    /// <summary>The whole body, of a batch or transaction.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadDocumentAsync(HttpRequest http, long deadline)
    {
        CheckAnnounced(http, ErrorCode.BatchTooLarge, limits.MaxBatchBodyBytes);
        if (TryReadAtOnce(http, out ReadOnlySequence<byte> whole))
        {
            byte[] document = new byte[whole.Length];
            Take(http, whole, document);
            return document;
        }

        using ArrivingBody body = await GatherAsync(http, ErrorCode.BatchTooLarge, limits.MaxBatchBodyBytes, deadline);
        return body.Bytes.ToArray();
    }

    private static void CheckAnnounced(HttpRequest http, ErrorCode tooLarge, int limit)
    {
        if (http.ContentLength is { } bytes && bytes > limit) throw TooLarge(tooLarge, limit, bytes);
    }

    /// <summary>Hot path: what came with the request's head is there, and is taken without a timer. <see cref="Take"/> must follow.</summary>
    private static bool TryReadAtOnce(HttpRequest http, out ReadOnlySequence<byte> whole)
    {
        whole = default;
        if (http.ContentLength is not { } length) return false;
        if (length == 0) return true;
        if (!http.BodyReader.TryRead(out ReadResult ready)) return false;
        if (ready.Buffer.Length < length)
        {
            http.BodyReader.AdvanceTo(ready.Buffer.Start);
            return false;
        }

        whole = ready.Buffer.Slice(0, length);
        return true;
    }

    private static void Take(HttpRequest http, in ReadOnlySequence<byte> whole, Span<byte> into)
    {
        if (whole.IsEmpty) return;
        whole.CopyTo(into);
        http.BodyReader.AdvanceTo(whole.End);
    }

    private async ValueTask<ArrivingBody> GatherAsync(HttpRequest http, ErrorCode tooLarge, int limit, long deadline)
    {
        using CancellationTokenSource timer = TimerUntil(deadline, http);
        long announced = http.ContentLength ?? long.MaxValue;
        ArrivingBody body = new(this);
        try
        {
            bool isEnd = false;
            while (!isEnd && body.Length < announced)
            {
                ReadResult read = await ReadAsync(http, timer.Token);
                long length = body.Length + read.Buffer.Length;
                try
                {
                    if (length > limit) throw TooLarge(tooLarge, limit, length);
                    body.Add(read.Buffer, (int)Math.Min(limit, announced));
                }
                finally
                {
                    http.BodyReader.AdvanceTo(read.Buffer.End);
                }

                isEnd = read.IsCompleted;
            }

            if (http.ContentLength is not null && body.Length < announced) throw new ApiException(ErrorCode.BadArgument, $"the body ended {announced - body.Length} bytes early");
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
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

    /// <summary>A body as far as it is here, in a buffer that grows with it.</summary>
    private sealed class ArrivingBody(BodyReader reader) : IDisposable
    {
        private const int LeastBytes = 4096;
        private byte[] _buffer = [];

        public int Length { get; private set; }

        public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Length);

        /// <param name="most">The body will not grow beyond.</param>
        public void Add(in ReadOnlySequence<byte> bytes, int most)
        {
            int length = Length + (int)bytes.Length;
            if (length > _buffer.Length) Grow(Math.Max(length, Math.Min(most, Math.Max(LeastBytes, 4 * Length))));
            bytes.CopyTo(_buffer.AsSpan(Length));
            Length = length;
        }

        public void Dispose()
        {
            Interlocked.Add(ref reader._bytesBeingRead, -_buffer.Length);
            if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        private void Grow(int least)
        {
            byte[] grown = ArrayPool<byte>.Shared.Rent(least);
            long all = Interlocked.Add(ref reader._bytesBeingRead, grown.Length) - _buffer.Length;
            if (all > reader._maxBytesBeingRead)
            {
                Interlocked.Add(ref reader._bytesBeingRead, -grown.Length);
                ArrayPool<byte>.Shared.Return(grown);
                throw new ApiException(ErrorCode.Overloaded, $"bodies of {all} bytes are being received, the limit is {reader._maxBytesBeingRead}", reader._maxBytesBeingRead, all);
            }

            Bytes.CopyTo(grown);
            Dispose();
            _buffer = grown;
        }
    }
}
