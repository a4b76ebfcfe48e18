using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>The first frame each way.</summary>
/// <remarks>
/// <code>
/// dialler  ──Hello(addressee = the peer)──▶  acceptor: Hello.Refusal?
/// dialler: Hello.Refusal? the node meant?  ◀──Hello(addressee = 0)──  acceptor
/// dialler  ──frames…──▶  acceptor          (nothing more this way ◀──)
/// </code>
/// An acceptor that refuses answers too and then closes: the rules are the same on both sides, so both logs name the reason.
/// </remarks>
internal static class Handshake
{
    /// <summary>A Hello is about 80 bytes, a name and a URL.</summary>
    public const int MaxHelloBytes = 4096;

    private const int KindOffset = 8;
    private const int MaxNameLength = 255;
    private const int MaxUrlLength = 1024;

    /// <summary>The highest protocol version that both speak. Defined when neither refuses the other.</summary>
    public static ushort Protocol(Hello own, Hello other) => Math.Min(own.ProtocolMax, other.ProtocolMax);

    public static async Task SendAsync(PipeWriter output, Hello hello, CancellationToken cancel)
    {
        ByteWriter writer = new();
        hello.Write(writer);
        FlushResult flush = await output.WriteAsync(writer.WrittenMemory, cancel);
        if (flush.IsCompleted) throw new EndOfStreamException("closed before the handshake");
    }

    /// <summary>
    /// Reads the other side's Hello and leaves what follows in the pipe. Throws <see cref="MalformedException"/> for anything else, as early as
    /// it shows, and <see cref="EndOfStreamException"/> when the connection ends before.
    /// </summary>
    public static async Task<Hello> ReceiveAsync(PipeReader input, CancellationToken cancel)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync(cancel);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (read.IsCanceled) throw new OperationCanceledException("closed during the handshake");
            CheckBeginning(buffer);
            if (PeerFrame.TryRead(ref buffer, out _, out byte[] body))
            {
                input.AdvanceTo(buffer.Start);
                return Parse(body);
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) throw new EndOfStreamException("closed before the handshake");
        }
    }

    private static void CheckBeginning(ReadOnlySequence<byte> buffer)
    {
        Span<byte> header = stackalloc byte[PeerFrame.HeaderBytes];
        int known = (int)Math.Min(buffer.Length, header.Length);
        buffer.Slice(0, known).CopyTo(header);
        if (known < 4) return;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        if (length > MaxHelloBytes - PeerFrame.HeaderBytes) throw new MalformedException($"first frame of {length} bytes, a Hello has at most {MaxHelloBytes}");
        if (known > KindOffset && header[KindOffset] != (byte)FrameKind.Hello) throw new MalformedException($"first frame of kind {header[KindOffset]}, expected a Hello");
    }

    private static Hello Parse(byte[] body)
    {
        Hello hello = Hello.Read(body);
        if (hello.ProtocolMin > hello.ProtocolMax) throw new MalformedException($"protocol versions {hello.ProtocolMin}–{hello.ProtocolMax}");

        // The name goes to logs: it must be one line and short.
        if (hello.Name.Length is 0 or > MaxNameLength || hello.Name.Any(char.IsControl)) throw new MalformedException("a node name that is empty, too long or not printable");
        if (hello.ClientUrl.Length > MaxUrlLength || hello.ClientUrl.Any(char.IsControl)) throw new MalformedException("a client url that is too long or not printable");
        return hello;
    }
}
