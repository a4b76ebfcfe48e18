using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>Gathers one turn's messages into one frame per peer. Owned by one pump.</summary>
internal sealed class PeerOutbox(IPeerLinks links)
{
    /// <summary>A frame larger than this leaves before the turn ends, so that a follower can begin to work on it.</summary>
    private const int FlushBytes = 1024 * 1024;

    private readonly List<(NodeId Node, ByteWriter Frame)> _frames = [];

    /// <summary>Encodes <paramref name="message"/> for its addressee's node.</summary>
    public void Add(GroupId group, NodeId node, in Message message)
    {
        ByteWriter frame = FrameFor(node);
        if (frame.Length == 0) PeerFrame.Begin(frame, FrameKind.RaftMessages);
        RaftMessageCodec.Write(frame, group, message);
        if (frame.Length >= FlushBytes) Send(node, frame);
    }

    public void Flush()
    {
        foreach (var (node, frame) in _frames)
            if (frame.Length > 0) Send(node, frame);
    }

    private void Send(NodeId node, ByteWriter frame)
    {
        PeerFrame.Finish(frame);
        links.Send(node, frame.Written);
        frame.Clear();
    }

    private ByteWriter FrameFor(NodeId node)
    {
        foreach (var (known, frame) in _frames)
            if (known == node) return frame;
        ByteWriter writer = new(16 * 1024);
        _frames.Add((node, writer));
        return writer;
    }
}
