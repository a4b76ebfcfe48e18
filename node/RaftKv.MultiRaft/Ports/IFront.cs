using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>What routes requests to groups. Runs on the STEP thread, as part of its turn.</summary>
public interface IFront
{
    /// <summary>Work that came through the inbox.</summary>
    void OnPosted(long now, object work);

    /// <summary>A forwarded request or an answer. Throws <see cref="MalformedException"/> when it does not parse.</summary>
    void OnPeerFrame(long now, NodeId from, FrameKind kind, ReadOnlyMemory<byte> body);

    /// <summary>The group's replica here has learned of another leader, perhaps itself: what waited for one can go on.</summary>
    void OnLeaderKnown(long now, GroupId group);

    /// <summary>Once a tick: deadlines and retries.</summary>
    void OnTick(long now);
}
