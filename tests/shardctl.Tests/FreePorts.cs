using System.Net;
using System.Net.Sockets;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Tests;

/// <summary>Ports for a playground of three nodes: below those that the system gives out by itself, never the defaults.</summary>
internal static class FreePorts
{
    private const int Lowest = 20_000;
    private const int Highest = 30_000;

    /// <summary>The first node's port for clients, all six of the playground being free at this moment.</summary>
    public static int First()
    {
        while (true)
        {
            int first = Random.Shared.Next(Lowest, Highest);
            if (PlaygroundNode.All(new PlaygroundSettings(3, 8, 3, first), "").All(node => IsFree(node.ClientPort) && IsFree(node.PeerPort))) return first;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using TcpListener listener = new(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
