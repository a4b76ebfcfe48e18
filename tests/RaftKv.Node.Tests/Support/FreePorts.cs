using System.Net;
using System.Net.Sockets;

namespace RaftKv.Node.Tests.Support;

/// <summary>Ports nobody uses, below the range from which the kernel takes those of outgoing connections: a node that restarts must find its own free.</summary>
internal static class FreePorts
{
    private const int First = 15_000;
    private const int End = 32_000;
    private static readonly HashSet<int> s_given = [];

    public static int Next()
    {
        while (true)
        {
            int port = Random.Shared.Next(First, End);
            lock (s_given)
                if (!s_given.Add(port)) continue;
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
