using RaftKv.Raft;

namespace RaftKv.MultiRaft.Wire;

/// <summary>Who is at the other end of a connection; the first frame in each direction.</summary>
/// <param name="ProtocolMin">Lowest and <paramref name="ProtocolMax"/> highest protocol version spoken; the highest common one is used.</param>
/// <param name="ClusterId">Of the cluster token and the initial members; nodes of another cluster are refused.</param>
/// <param name="MapDigest">Digest of the initial shard map, which also holds the election timeout that lease reads rely on; nodes with another map are refused.</param>
/// <param name="Node">XXH64 of <paramref name="Name"/>.</param>
/// <param name="DiskId">Random, made with the data directory.</param>
/// <param name="BootId">Random, made at each start of the process.</param>
/// <param name="ClientUrl">Where clients reach the node; empty if it does not say.</param>
/// <param name="Channel">What the dialler wants the connection for; not used in the answer.</param>
/// <param name="MetDiskId">The disk with which this node first met the one it speaks to; 0 if it never did. Whoever has another one now learns so that it may not come back.</param>
/// <remarks>
/// <code>
/// magic "RKVP" u32 | protocol min u16 | protocol max u16 | cluster id u64 | map digest u64 | node u64 | disk id u64
/// | boot id u64 | addressee u64 (the node the dialler means to reach; 0 in the answer) | name (block)
/// | client url (block; absent: empty) | channel u8 (absent: 0, messages) | met disk id u64 (absent: 0)
/// </code>
/// </remarks>
public sealed record Hello(ushort ProtocolMin, ushort ProtocolMax, ulong ClusterId, ulong MapDigest, NodeId Node, ulong DiskId, ulong BootId, NodeId Addressee, string Name, string ClientUrl = "",
    PeerChannel Channel = PeerChannel.Messages, ulong MetDiskId = 0)
{
    public const ushort CurrentProtocol = 1;
    private const uint Magic = 0x50564B52; // "RKVP"

    public void Write(ByteWriter writer)
    {
        PeerFrame.Begin(writer, FrameKind.Hello);
        writer.U32(Magic);
        writer.U16(ProtocolMin);
        writer.U16(ProtocolMax);
        writer.U64(ClusterId);
        writer.U64(MapDigest);
        writer.U64(Node.Value);
        writer.U64(DiskId);
        writer.U64(BootId);
        writer.U64(Addressee.Value);
        writer.Text(Name);
        writer.Text(ClientUrl);
        writer.U8((byte)Channel);
        writer.U64(MetDiskId);
        PeerFrame.Finish(writer);
    }

    public static Hello Read(byte[] body)
    {
        ByteReader reader = new(body);
        if (reader.U32() != Magic) throw new MalformedException("this is not a RaftKv peer");
        Hello hello = new(reader.U16(), reader.U16(), reader.U64(), reader.U64(), new NodeId(reader.U64()), reader.U64(), reader.U64(), new NodeId(reader.U64()), reader.Text());
        string clientUrl = reader.Remaining > 0 ? reader.Text() : "";
        byte channel = reader.Remaining > 0 ? reader.U8() : (byte)0;
        if (channel > (byte)PeerChannel.Bulk) throw new MalformedException($"channel {channel}");
        ulong metDiskId = reader.Remaining > 0 ? reader.U64() : 0;
        // What a newer node may add behind this is not for us; versions are compared next.
        return hello with { ClientUrl = clientUrl, Channel = (PeerChannel)channel, MetDiskId = metDiskId };
    }

    /// <summary>
    /// Why <paramref name="other"/> may not connect to a node that says <paramref name="own"/> of itself, in one clear line; null when it may.
    /// </summary>
    public static string? Refusal(Hello own, Hello other)
    {
        if (other.ClusterId != own.ClusterId) return $"node {other.Name} belongs to cluster {other.ClusterId:x16}, this is cluster {own.ClusterId:x16}";
        if (other.ProtocolMin > own.ProtocolMax || other.ProtocolMax < own.ProtocolMin)
            return $"node {other.Name} speaks protocol {other.ProtocolMin}–{other.ProtocolMax}, this node {own.ProtocolMin}–{own.ProtocolMax}";
        if (other.MapDigest != own.MapDigest) return $"node {other.Name} has another initial shard map, or for lease reads another election timeout (digest {other.MapDigest:x16}, here {own.MapDigest:x16})";
        if (!other.Addressee.Equals(default) && other.Addressee != own.Node) return $"node {other.Name} means to reach node {other.Addressee}, this is {own.Name} ({own.Node})";
        if (other.Node == own.Node) return $"node {other.Name} has the same node id as this node ({own.Node})";
        return null;
    }
}
