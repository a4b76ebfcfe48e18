using System.Buffers;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>Frames out of the bytes of a connection after its handshake. Hot path.</summary>
internal static class FrameStream
{
    /// <summary>
    /// Takes the next frame that may come after a Hello off the front of <paramref name="buffer"/>; false when it is not whole yet. The declared
    /// size is checked as soon as the header is there. Throws <see cref="MalformedException"/>, also for a frame that belongs on the other channel
    /// (a snapshot among the messages would be what channels are there to prevent): close the connection.
    /// </summary>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, PeerChannel channel, out FrameKind kind, out byte[] body)
    {
        if (!PeerFrame.TryRead(ref buffer, out kind, out body)) return false;
        if (kind == FrameKind.Hello) throw new MalformedException("a second Hello");
        if (!Enum.IsDefined(kind)) throw new MalformedException($"frame kind {(byte)kind}");
        if (PeerFrame.ChannelOf(kind) != channel) throw new MalformedException($"a frame of kind {kind} on the channel for {channel}");
        return true;
    }
}
