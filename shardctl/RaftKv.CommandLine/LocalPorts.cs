using System.Net;
using System.Net.Sockets;

namespace RaftKv.CommandLine;

/// <summary>Ports of 127.0.0.1.</summary>
public static class LocalPorts
{
    /// <summary>Nobody listens there at this moment.</summary>
    public static bool IsFree(int port)
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
