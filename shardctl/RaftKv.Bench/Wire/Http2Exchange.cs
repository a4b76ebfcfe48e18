using System.Buffers.Text;

namespace RaftKv.Bench.Wire;

/// <summary>The one request of a slot and its answer, as far as it has come. Reused.</summary>
internal sealed class Http2Exchange : IHeaderSink
{
    /// <summary>0 while there is none.</summary>
    public int Stream { get; private set; }

    public bool IsRead { get; private set; }

    /// <summary>Of the request's body, what the peer did not take yet.</summary>
    public ByteQueue Unsent { get; } = new();

    /// <summary>How many bytes of a body the peer still takes on this stream; below 0 when it has lowered its limit meanwhile.</summary>
    public long SendWindow { get; set; }

    /// <summary>0 before there is an answer.</summary>
    public int Status { get; private set; }

    /// <summary>-1 when the answer has none.</summary>
    public int GrpcStatus { get; private set; }

    /// <summary>Percent-encoded, as it came.</summary>
    public string GrpcMessage { get; private set; } = "";

    public ByteQueue Body { get; } = new();

    public void Begin(int stream, bool isRead, long sendWindow)
    {
        Stream = stream;
        IsRead = isRead;
        SendWindow = sendWindow;
        Status = 0;
        GrpcStatus = -1;
        GrpcMessage = "";
        Unsent.Clear();
        Body.Clear();
    }

    public void End() => Stream = 0;

    /// <inheritdoc/>
    public void OnField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.SequenceEqual(":status"u8)) Status = NumberOf(value);
        else if (name.SequenceEqual("grpc-status"u8)) GrpcStatus = NumberOf(value);
        else if (name.SequenceEqual("grpc-message"u8)) GrpcMessage = System.Text.Encoding.ASCII.GetString(value);
    }

    private static int NumberOf(ReadOnlySpan<byte> text) => Utf8Parser.TryParse(text, out int number, out int digits) && digits == text.Length ? number : throw new WireException("bad-header");
}
