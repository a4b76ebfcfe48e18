using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>What became of a frame at its sender.</summary>
public enum SendStatus : byte
{
    /// <summary>Queued; whether it arrives, nobody says.</summary>
    Queued,

    /// <summary>Dropped, and will never arrive: too much waits for this peer already.</summary>
    Full,

    /// <summary>Dropped, and will never arrive: there is no connection.</summary>
    Unreachable,
}

/// <summary>The way to the other nodes. Called from the STEP, PERSIST and APPLY threads.</summary>
public interface IPeerLinks
{
    /// <summary>
    /// Queues a copy of one complete frame (made by <see cref="PeerFrame"/>). Never blocks and never fails: a frame
    /// that cannot be queued, because the link is down or its bounded queue is full, is dropped, and the sender's protocol repeats it.
    /// </summary>
    SendStatus Send(NodeId to, ReadOnlySpan<byte> frame);

    /// <summary>Like <see cref="Send"/>, for the pieces of snapshots: on a connection of its own, so that they never delay a heartbeat.</summary>
    void SendBulk(NodeId to, ReadOnlySpan<byte> frame);

    /// <summary>Every other node of the cluster.</summary>
    IReadOnlyCollection<NodeId> Nodes { get; }

    /// <summary>The boot id of the process at the other end as its last handshake said; 0 while there has been none.</summary>
    ulong BootIdOf(NodeId node);
}
