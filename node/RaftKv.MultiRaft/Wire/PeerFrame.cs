using System.Buffers;
using System.Buffers.Binary;

namespace RaftKv.MultiRaft.Wire;

/// <summary>What a frame between two nodes carries. The numbers are on the wire.</summary>
public enum FrameKind : byte
{
    /// <summary>The first frame each way: <see cref="RaftKv.MultiRaft.Wire.Hello"/>.</summary>
    Hello = 1,

    /// <summary>Messages between replicas, of many groups: <see cref="RaftMessageCodec"/>.</summary>
    RaftMessages = 2,

    /// <summary>A client's request on its way to the leader's node.</summary>
    Forward = 3,

    /// <summary>The answer to a forwarded request.</summary>
    Answer = 4,

    /// <summary>A snapshot may be fetched: <see cref="SnapshotOffer"/>.</summary>
    SnapshotOffer = 5,

    /// <summary>Send a piece of it: <see cref="SnapshotFetch"/>.</summary>
    SnapshotFetch = 6,

    /// <summary>A piece: <see cref="SnapshotChunk"/>.</summary>
    SnapshotChunk = 7,

    /// <summary>No more of it will be fetched, or can be: <see cref="SnapshotEnd"/>.</summary>
    SnapshotEnd = 8,

    /// <summary>This node is alive: see NodeWatch.</summary>
    NodeHeartbeat = 9,
}

/// <summary>What a connection between two nodes is for. The numbers are on the wire.</summary>
public enum PeerChannel : byte
{
    /// <summary>Everything but snapshots: small, and never behind anything large for long.</summary>
    Messages = 0,

    /// <summary>The frames of snapshots.</summary>
    Bulk = 1,
}

/// <summary>The frame that everything between nodes travels in.</summary>
/// <remarks>
/// <code>
/// offset size
///   0     4   length of the body in bytes, u32 LE, ≤ MaxBodyBytes
///   4     4   CRC-32C over bytes 8… to the end of the body
///   8     1   kind (FrameKind)
///   9     1   frame format version, 1
///  10     2   zero
///  12     …   body
/// </code>
/// </remarks>
public static class PeerFrame
{
    public const int HeaderBytes = 12;
    public const int MaxBodyBytes = 64 * 1024 * 1024;
    public const byte FormatVersion = 1;

    /// <summary>The channel that frames of this kind travel on, and no other.</summary>
    public static PeerChannel ChannelOf(FrameKind kind) =>
        kind is FrameKind.SnapshotOffer or FrameKind.SnapshotFetch or FrameKind.SnapshotChunk or FrameKind.SnapshotEnd ? PeerChannel.Bulk : PeerChannel.Messages;

    /// <summary>Begins a frame in an empty writer; add the body and call <see cref="Finish"/>.</summary>
    public static void Begin(ByteWriter writer, FrameKind kind)
    {
        writer.U32(0);
        writer.U32(0);
        writer.U8((byte)kind);
        writer.U8(FormatVersion);
        writer.U16(0);
    }

    public static void Finish(ByteWriter writer)
    {
        writer.PatchU32(0, (uint)(writer.Length - HeaderBytes));
        writer.PatchU32(4, Crc32C.Of(writer.Written[8..]));
    }

    /// <summary>
    /// Takes one frame off the front of <paramref name="buffer"/>; false when it is not whole yet. The body is copied, for
    /// entries in it live as long as the log needs them. Throws <see cref="MalformedException"/>: close the connection.
    /// </summary>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, out FrameKind kind, out byte[] body)
    {
        kind = default;
        body = [];
        if (buffer.Length < HeaderBytes) return false;
        Span<byte> header = stackalloc byte[HeaderBytes];
        buffer.Slice(0, HeaderBytes).CopyTo(header);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        if (length > MaxBodyBytes) throw new MalformedException($"frame of {length} bytes, the limit is {MaxBodyBytes}");
        if (header[9] != FormatVersion) throw new MalformedException($"frame format {header[9]}, this build knows {FormatVersion}");
        if (buffer.Length < HeaderBytes + length) return false;
        body = new byte[length];
        buffer.Slice(HeaderBytes, length).CopyTo(body);
        kind = (FrameKind)header[8];
        uint expected = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        uint actual = Crc32C.Of(body, Crc32C.Of(header[8..]));
        if (actual != expected) throw new MalformedException($"frame checksum {actual:x8}, expected {expected:x8}");
        buffer = buffer.Slice(HeaderBytes + length);
        return true;
    }
}
