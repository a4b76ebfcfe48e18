using System.Buffers;
using System.IO.Pipelines;

namespace RaftKv.Node.Http;

/// <summary>The 24 bytes every HTTP/2 connection begins with (RFC 9113 §3.4), and no HTTP/1.1 request can.</summary>
internal static class Http2Preface
{
    private static ReadOnlySpan<byte> Bytes => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Whether the connection begins with the preface. Decides at the first byte that differs, and leaves every byte in the pipe.</summary>
    public static async ValueTask<bool> BeginsAsync(PipeReader input, CancellationToken cancel)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync(cancel);
            bool? answer = Decide(read.Buffer, read.IsCompleted);
            // Examined only up to the start once decided: the next reader must see the bytes at once.
            input.AdvanceTo(read.Buffer.Start, answer is null ? read.Buffer.End : read.Buffer.Start);
            if (answer is { } isHttp2) return isHttp2;
        }
    }

    /// <summary>Null while there are too few bytes to tell.</summary>
    private static bool? Decide(in ReadOnlySequence<byte> buffer, bool isEnd)
    {
        Span<byte> begin = stackalloc byte[24];
        int length = (int)Math.Min(begin.Length, buffer.Length);
        buffer.Slice(0, length).CopyTo(begin);
        if (!begin[..length].SequenceEqual(Bytes[..length])) return false;
        return length == begin.Length ? true : isEnd ? false : null;
    }
}
