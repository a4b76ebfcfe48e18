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
}
