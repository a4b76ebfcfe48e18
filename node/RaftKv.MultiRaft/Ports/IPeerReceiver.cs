using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>Where frames from other nodes go. Called from the links' threads, one call per connection at a time.</summary>
public interface IPeerReceiver
{
    /// <summary>
    /// Takes a whole, checksummed frame; the body belongs to the receiver. It is queued, or dropped when the bounded inbox is full.
    /// </summary>
    void OnFrame(NodeId from, FrameKind kind, byte[] body);

    /// <summary>
    /// The peer's connection to this node, over which its frames come, was closed or broken by the other side, after every frame that came over it; or there is one again, of a
    /// process with that boot id. A process that dies shows so at once. Not told of a connection that this side closed. In the order in which it happens.
    /// </summary>
    /// <param name="bootId">0: the connection was lost.</param>
    void OnConnection(NodeId peer, ulong bootId);
}
