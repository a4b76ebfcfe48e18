using System.Diagnostics.Metrics;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>Why a frame was not sent: the tag <c>reason</c> of the dropped frames.</summary>
internal static class DropReason
{
    public const string LinkDown = "link_down";
    public const string QueueFull = "queue_full";
    public const string TooLarge = "too_large";
    public const string UnknownPeer = "unknown_peer";

    /// <summary>It was queued, perhaps partly written, when the connection ended. It may have arrived.</summary>
    public const string LinkLost = "link_lost";
}

/// <summary>Why a connection ended in its handshake by this node's decision: the tag <c>reason</c> of the refused connections.</summary>
internal static class RefuseReason
{
    public const string Hello = "hello";
    public const string WrongNode = "wrong_node";
    public const string UnknownNode = "unknown_node";
    public const string NotAdmitted = "not_admitted";
    public const string TooMany = "too_many_handshakes";
}

/// <summary>Which side dialled.</summary>
internal static class Direction
{
    public const string Dialled = "dialled";
    public const string Accepted = "accepted";
}

/// <summary>What the links count: the meter <c>RaftKv.Transport</c>, with the node's name among its tags. Peers are tagged by name, strangers are one; channels are told apart.</summary>
internal sealed class TransportMetrics : IDisposable
{
    public const string MeterName = "RaftKv.Transport";

    /// <summary>The peer tag of those who have not said, or may not say, who they are.</summary>
    public const string NoPeer = "unknown";

    private readonly Counter<long> _framesSent;
    private readonly Counter<long> _bytesSent;
    private readonly Counter<long> _framesReceived;
    private readonly Counter<long> _bytesReceived;
    private readonly Counter<long> _framesDropped;
    private readonly Counter<long> _opened;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _closed;
    private readonly Counter<long> _reconnects;

    public TransportMetrics(string node)
    {
        Meter = new Meter(MeterName, version: null, [new("node", node)]);
        _framesSent = Meter.CreateCounter<long>("raftkv.transport.frames.sent", "{frame}", "Frames written to peers");
        _bytesSent = Meter.CreateCounter<long>("raftkv.transport.bytes.sent", "By", "Bytes of these frames");
        _framesReceived = Meter.CreateCounter<long>("raftkv.transport.frames.received", "{frame}", "Frames that came from peers");
        _bytesReceived = Meter.CreateCounter<long>("raftkv.transport.bytes.received", "By", "Bytes of these frames");
        _framesDropped = Meter.CreateCounter<long>("raftkv.transport.frames.dropped", "{frame}", "Frames that were not sent, or perhaps partly, by reason");
        _opened = Meter.CreateCounter<long>("raftkv.transport.connections.opened", "{connection}", "Connections that completed the handshake");
        _refused = Meter.CreateCounter<long>("raftkv.transport.connections.refused", "{connection}", "Connections ended by this node's decision in the handshake");
        _closed = Meter.CreateCounter<long>("raftkv.transport.connections.closed", "{connection}", "Connections and attempts that ended otherwise");
        _reconnects = Meter.CreateCounter<long>("raftkv.transport.reconnects", "{connection}", "Dialled connections after a peer's first");
    }

    public Meter Meter { get; }

    public void Sent(string peer, PeerChannel channel, int frames, long bytes)
    {
        _bytesSent.Add(bytes, new("peer", peer), Tag(channel));
        _framesSent.Add(frames, new("peer", peer), Tag(channel));
    }

    public void Received(string peer, PeerChannel channel, int frames, long bytes)
    {
        _bytesReceived.Add(bytes, new("peer", peer), Tag(channel));
        _framesReceived.Add(frames, new("peer", peer), Tag(channel));
    }

    public void Dropped(string peer, PeerChannel channel, string reason, int frames = 1)
    {
        if (frames > 0) _framesDropped.Add(frames, new("peer", peer), Tag(channel), new("reason", reason));
    }

    public void Opened(string peer, PeerChannel channel, string direction) => _opened.Add(1, new("peer", peer), Tag(channel), new("direction", direction));

    public void Refused(string peer, string direction, string reason) => _refused.Add(1, new("peer", peer), new("direction", direction), new("reason", reason));

    /// <param name="channel">Null before the handshake of an accepted connection.</param>
    public void Closed(string peer, PeerChannel? channel, string direction, string reason) =>
        _closed.Add(1, new("peer", peer), channel is { } known ? Tag(known) : new("channel", NoPeer), new("direction", direction), new("reason", reason));

    public void Reconnected(string peer, PeerChannel channel) => _reconnects.Add(1, new("peer", peer), Tag(channel));

    private static KeyValuePair<string, object?> Tag(PeerChannel channel) => new("channel", channel == PeerChannel.Bulk ? "bulk" : "messages");

    public void Dispose() => Meter.Dispose();
}
