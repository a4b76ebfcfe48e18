using System.Buffers;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests;

/// <summary>Links to nowhere: keeps what was sent, checked with the production frame codec.</summary>
internal sealed class FakeLinks(Trace trace) : IPeerLinks
{
    private readonly List<SentFrame> _sent = [];

    public Dictionary<NodeId, ulong> BootIds { get; } = [];

    public IReadOnlyList<SentFrame> Sent => _sent;

    public int NodeHeartbeats { get; private set; }

    /// <summary>The newest node heartbeat to each node, its body.</summary>
    public Dictionary<NodeId, byte[]> LastHeartbeat { get; } = [];

    public IReadOnlyCollection<NodeId> Nodes { get; set; } = [];

    /// <summary>To these nothing can be sent, for that reason.</summary>
    public Dictionary<NodeId, SendStatus> Down { get; } = [];

    /// <summary>Frames for nodes that are down.</summary>
    public int Refused { get; private set; }

    public SendStatus Send(NodeId to, ReadOnlySpan<byte> frame)
    {
        if (Down.TryGetValue(to, out SendStatus why))
        {
            Refused++;
            return why;
        }

        ReadOnlySequence<byte> bytes = new(frame.ToArray());
        Assert.True(PeerFrame.TryRead(ref bytes, out FrameKind kind, out byte[] body));
        Assert.True(bytes.IsEmpty);
        if (kind == FrameKind.NodeHeartbeat)
        {
            NodeHeartbeats++; // Too many for the trace.
            LastHeartbeat[to] = body;
            return SendStatus.Queued;
        }

        SentFrame sent = new(to, kind, body);
        _sent.Add(sent);
        trace.Add(kind == FrameKind.RaftMessages ? $"send {string.Join(", ", sent.Messages())}" : $"send {kind}");
        return SendStatus.Queued;
    }

    public void SendBulk(NodeId to, ReadOnlySpan<byte> frame) => Send(to, frame);

    public ulong BootIdOf(NodeId node) => BootIds.GetValueOrDefault(node);

    public SentFrame[] Take()
    {
        SentFrame[] taken = [.. _sent];
        _sent.Clear();
        return taken;
    }
}

/// <summary>One whole frame on its way to a node.</summary>
internal sealed record SentFrame(NodeId To, FrameKind Kind, byte[] Body)
{
    /// <summary>The messages of a frame of Raft messages, each as <c>s1 r1>r2 …</c>.</summary>
    public IEnumerable<string> Messages() => Raft().Select(sent => $"{sent.Group} {sent.Message}");

    public List<(GroupId Group, Message Message)> Raft()
    {
        List<(GroupId, Message)> messages = [];
        ByteReader reader = new(Body);
        while (reader.Remaining > 0)
        {
            Message message = Assert.NotNull(RaftMessageCodec.Read(ref reader, out GroupId group));
            messages.Add((group, message));
        }

        return messages;
    }
}
