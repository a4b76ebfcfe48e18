using RaftKv.Raft;

namespace RaftKv.Transport;

/// <summary>Another node and where it listens for peers.</summary>
/// <param name="Host">A name or an IP address; a name is resolved anew at every dial, for nodes move.</param>
public sealed record PeerAddress(NodeId Node, string Name, string Host, int Port)
{
    public override string ToString() => $"{Name} at {Host}:{Port}";
}
