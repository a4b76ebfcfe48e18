using System.Net;
using System.Net.Sockets;
using RaftKv.Node.Options;

namespace RaftKv.Node.Http;

/// <summary>
/// The two listening sockets, taken before anything is created: a port in use must leave no trace. Until the server runs,
/// connections wait in the backlog.
/// </summary>
internal sealed class BoundPorts : IDisposable
{
    private const int Backlog = 512;
    private readonly Socket _client;
    private readonly Socket _peer;

    private BoundPorts(Socket client, Socket peer)
    {
        _client = client;
        _peer = peer;
    }

    /// <summary>With the real port, if 0 was asked for.</summary>
    public IPEndPoint Client => (IPEndPoint)_client.LocalEndPoint!;

    public IPEndPoint Peer => (IPEndPoint)_peer.LocalEndPoint!;

    /// <summary>Throws <see cref="OptionException"/> when a port is taken or the address is not this machine's.</summary>
    public static BoundPorts Bind(NodeOptions options)
    {
        Socket client = Listen(OptionTable.ListenClient, options.ListenClient);
        try
        {
            return new BoundPorts(client, Listen(OptionTable.ListenPeer, options.ListenPeer));
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>The socket that listens on <paramref name="address"/>; it belongs to the server from then on.</summary>
    public Socket SocketOf(EndPoint address) => address.Equals(Client) ? _client : address.Equals(Peer) ? _peer : throw new ArgumentException($"{address} is not bound");

    public void Dispose()
    {
        _client.Dispose();
        _peer.Dispose();
    }

    private static Socket Listen(OptionName name, IPEndPoint address)
    {
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(Backlog);
            return socket;
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            throw new OptionException($"{name.Flag} {address}: {exception.Message}");
        }
    }
}
