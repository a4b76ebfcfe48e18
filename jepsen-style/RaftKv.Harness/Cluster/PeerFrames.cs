using System.Buffers.Binary;

namespace RaftKv.Harness.Cluster;

/// <summary>Cuts the bytes between two nodes into frames, as far as the proxy needs to know them: drawn in the node's PeerFrame.cs. Owned by one direction of one connection.</summary>
/// <remarks>
/// <code>
/// offset size
///   0     4   length of the body in bytes, u32 LE
///   8     1   kind; 5 to 8 are the frames of snapshots
///  12     …   body
/// </code>
/// </remarks>
internal sealed class PeerFrames
{
    private const int HeaderBytes = 12;
    private const int LargestBody = 64 * 1024 * 1024;
    private byte[] _rest = [];

    /// <summary>Takes bytes as they come, and returns the frames that are whole by now. Throws <see cref="InvalidDataException"/> for what can be no frame.</summary>
    public List<byte[]> Add(ReadOnlySpan<byte> bytes)
    {
        byte[] all = [.. _rest, .. bytes];
        List<byte[]> frames = [];
        int at = 0;
        while (all.Length - at >= HeaderBytes)
        {
            uint body = BinaryPrimitives.ReadUInt32LittleEndian(all.AsSpan(at));
            if (body > LargestBody) throw new InvalidDataException($"a frame of {body} bytes");
            int length = HeaderBytes + (int)body;
            if (all.Length - at < length) break;
            frames.Add(all[at..(at + length)]);
            at += length;
        }

        _rest = all[at..];
        return frames;
    }

    /// <summary>Whether a frame belongs to snapshots, which have a connection of their own.</summary>
    public static bool IsBulk(byte[] frame) => frame[8] is >= 5 and <= 8;
}
