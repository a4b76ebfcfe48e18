using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>What a node's heartbeat says that is new.</summary>
/// <param name="IsGone">The groups led from there must not trust in their leaders any more.</param>
/// <param name="HasLostUs">It does not trust in the leaders here, or did not for a while.</param>
/// <param name="HasStoppedReplica">A replica there does nothing any more, which may have led a group.</param>
internal readonly record struct NodeNews(bool IsGone, bool HasLostUs, bool HasStoppedReplica);

/// <summary>
/// Failure detection between nodes, in the place of the heartbeats of groups that sleep: each node says every 100 ms (250 while all its groups sleep) that it is alive, in which life
/// (boot id), whether its disk stands still, and whether it is about to stop. Pure; owned by STEP.
/// </summary>
/// <remarks>
/// A node counts as gone when it was silent for the timeout at two ticks in a row (a process that was paused itself finds everybody silent at its
/// first), when its connection broke and neither it nor a heartbeat came within a fifth to three fifths of the timeout, when it has begun another life, or when its disk has
/// begun to stand still. Whoever was taken for gone learns it from the count in the
/// heartbeats, if it could be reached or not: a leader that sleeps may have been replaced meanwhile, and even been removed.
/// <code>
/// frame NodeHeartbeat: boot id u64 | flags u8 (1 = disk stalled, 2 = about to stop) | how many of its replicas have stopped since it started u64
///                    | how often it has taken the addressee for gone u32
/// </code>
/// </remarks>
internal sealed class NodeWatch(long timeoutMicros, ulong seed)
{
    private const byte StalledFlag = 1;
    private const byte LeavingFlag = 2;
    private readonly SortedDictionary<NodeId, Peer> _peers = [];
    private readonly SplitMix _random = new(seed);

    public IEnumerable<NodeId> Nodes => _peers.Keys;

    public byte[] HeartbeatTo(NodeId node, ulong bootId, bool isStalled, bool isLeaving, ulong stoppedVersion = 0) => Heartbeat(bootId, isStalled, isLeaving, _peers[node].Losses, stoppedVersion);

    public static byte[] Heartbeat(ulong bootId, bool isStalled, bool isLeaving, uint losses, ulong stoppedVersion = 0)
    {
        ByteWriter writer = new(32);
        PeerFrame.Begin(writer, FrameKind.NodeHeartbeat);
        writer.U64(bootId);
        writer.U8((byte)((isStalled ? StalledFlag : 0) | (isLeaving ? LeavingFlag : 0)));
        writer.U64(stoppedVersion);
        writer.U32(losses);
        PeerFrame.Finish(writer);
        return writer.ToArray();
    }

    public void Add(NodeId node) => _peers.TryAdd(node, new Peer());

    /// <summary>Whether the node was heard within the timeout and its disk works.</summary>
    public bool IsAlive(long now, NodeId node) => _peers.TryGetValue(node, out Peer? peer) && peer.BootId != 0 && !peer.IsStalled && now < peer.GoneAt && now - peer.HeardAt < timeoutMicros;

    /// <summary>Whether leaderships may be given to the node: it is alive, and will be for a while.</summary>
    public bool MayLead(long now, NodeId node) => IsAlive(now, node) && !_peers[node].IsLeaving;

    /// <summary>A heartbeat arrived.</summary>
    public NodeNews OnHeartbeat(long now, NodeId node, byte[] body)
    {
        ByteReader reader = new(body);
        ulong bootId = reader.U64();
        byte flags = reader.U8();
        bool isStalled = (flags & StalledFlag) != 0;
        ulong stoppedVersion = reader.U64();
        uint losses = reader.Remaining >= 4 ? reader.U32() : 0;
        if (!_peers.TryGetValue(node, out Peer? peer)) return default;
        bool isReborn = peer.BootId != 0 && peer.BootId != bootId;
        bool isGone = isReborn || (isStalled && !peer.IsStalled);
        bool hasLostUs = isReborn || losses != peer.LossesOfUs;
        bool hasStoppedReplica = stoppedVersion != peer.StoppedVersion && !isReborn;
        if (isGone) peer.Losses++;
        peer.StoppedVersion = stoppedVersion;
        (peer.HeardAt, peer.BootId, peer.IsStalled, peer.IsLeaving, peer.SilentTicks, peer.LossesOfUs, peer.GoneAt) = (now, bootId, isStalled, (flags & LeavingFlag) != 0, 0, losses, long.MaxValue);
        return new NodeNews(isGone, hasLostUs, hasStoppedReplica);
    }

    /// <summary>
    /// The node's connection to this one was lost (boot id 0), or is there again. False: whoever was heard there before is gone until it is heard again. So it is when
    /// another life of the node has connected, for whatever the one before led it leads no more.
    /// </summary>
    public bool OnConnection(long now, NodeId node, ulong bootId)
    {
        if (!_peers.TryGetValue(node, out Peer? peer)) return false;
        bool isUp = bootId != 0 && (peer.BootId == 0 || peer.BootId == bootId);
        if (isUp) peer.GoneAt = long.MaxValue;
        else if (bootId == 0 || peer.GoneAt == long.MaxValue) peer.GoneAt = now + timeoutMicros / 5 + _random.Below(2 * timeoutMicros / 5);
        return isUp;
    }

    /// <summary>A group fell asleep under a leader there, and its node is not to be trusted in.</summary>
    public void OnMistrusted(NodeId node)
    {
        if (_peers.TryGetValue(node, out Peer? peer)) peer.Losses++;
    }

    /// <summary>Nodes that are gone since the last tick.</summary>
    public List<NodeId> Tick(long now)
    {
        List<NodeId> gone = [];
        foreach (var (node, peer) in _peers)
        {
            if (peer.BootId == 0) continue;
            bool isSilent = now - peer.HeardAt >= timeoutMicros && ++peer.SilentTicks == 2;
            bool isLost = now >= peer.GoneAt && !peer.IsLossTold;
            peer.IsLossTold = now >= peer.GoneAt;
            if (!isSilent && !isLost) continue;
            peer.Losses++;
            gone.Add(node);
        }

        return gone;
    }

    private sealed class Peer
    {
        public ulong BootId { get; set; }

        public long HeardAt { get; set; }

        public bool IsStalled { get; set; }

        public bool IsLeaving { get; set; }

        public int SilentTicks { get; set; }

        /// <summary>Its connection broke: when that is taken for its end. long.MaxValue while it has one, or was heard since.</summary>
        public long GoneAt { get; set; } = long.MaxValue;

        public bool IsLossTold { get; set; }

        public ulong StoppedVersion { get; set; }

        /// <summary>How often it was taken for gone here.</summary>
        public uint Losses { get; set; }

        /// <summary>How often this node was taken for gone there, as it said last.</summary>
        public uint LossesOfUs { get; set; }
    }
}
