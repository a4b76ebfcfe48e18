using System.Buffers.Binary;

namespace RaftKv.Bench.Wire;

/// <summary>RFC 9113 §6.</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    Priority = 2,
    ResetStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// <summary>
/// The head of an HTTP/2 frame (RFC 9113 §4.1), big-endian:
/// <code>0  length of what follows u24 | 3 type u8 | 4 flags u8 | 5 stream u32, the highest bit reserved</code>
/// </summary>
internal readonly record struct Http2Frame(int Length, FrameType Type, byte Flags, int Stream)
{
    public const int HeadBytes = 9;

    /// <summary>What every peer must take, and all that we take.</summary>
    public const int MaxLength = 16 * 1024;

    public const byte EndStream = 0x1;
    public const byte Acknowledgement = 0x1;
    public const byte EndHeaders = 0x4;
    public const byte Padded = 0x8;
    public const byte WithPriority = 0x20;

    public bool Has(byte flag) => (Flags & flag) != 0;

    /// <param name="head"><see cref="HeadBytes"/> long.</param>
    public static Http2Frame Read(ReadOnlySpan<byte> head) => new(
        (head[0] << 16) | (head[1] << 8) | head[2], (FrameType)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue);

    public void Write(Span<byte> head)
    {
        BinaryPrimitives.WriteInt32BigEndian(head, (Length << 8) | (byte)Type);
        head[4] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(head[5..], Stream);
    }

    /// <summary>Adds the head, and all that follows it.</summary>
    public static void Add(ByteQueue to, FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        new Http2Frame(payload.Length, type, flags, stream).Write(to.GetSpan(HeadBytes));
        to.Advance(HeadBytes);
        to.Add(payload);
    }
}
