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

    /// <summary>Something has a deadline, or waits to be tried again: ticks must come.</summary>
    bool HasCalls { get; }

    /// <summary>
    /// A frame that came from another node and could not be taken in, for the inbox is full: what is known not to be done is worth an answer.
    /// Returns it, or null. From any thread.
    /// </summary>
    byte[]? RefusalOf(FrameKind kind, ReadOnlyMemory<byte> body);

    /// <summary>Once a tick: deadlines and retries.</summary>
    void OnTick(long now);
}
