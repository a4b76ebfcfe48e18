using System.Net.Sockets;
using System.Text;
using RaftKv.Client;

namespace RaftKv.Harness.Clients;

/// <summary>A connection to a node that keeps to no manners: it sends what it is told, half a request too, and reads nothing unless it is asked to.</summary>
/// <remarks>Owned by one fault; not thread-safe.</remarks>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private RawClient()
    {
    }

    /// <summary>Bytes that have come and were not read; none of a connection that was torn.</summary>
    public int Waiting => _socket.Connected ? _socket.Available : 0;

    /// <summary>Throws <see cref="SocketException"/>.</summary>
    /// <param name="receiveBytes">How many the kernel takes for it before the node must wait; 0 for as many as usual.</param>
    public static async Task<RawClient> ConnectAsync(ClientEndpoint node, int receiveBytes = 0)
    {
        RawClient client = new();
        try
        {
            if (receiveBytes > 0) client._socket.ReceiveBufferSize = receiveBytes;
            await client._socket.ConnectAsync(node.Host, node.Port);
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Throws <see cref="SocketException"/> when the node has ended the connection.</summary>
    public Task SendAsync(string text, CancellationToken stop = default) => SendAsync(Encoding.UTF8.GetBytes(text), stop);

    /// <inheritdoc cref="SendAsync(string, CancellationToken)"/>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken stop = default)
    {
        while (bytes.Length > 0) bytes = bytes[await _socket.SendAsync(bytes, stop)..];
    }

    /// <summary>What has come, at least a byte; 0 when the node has ended the connection. Throws <see cref="SocketException"/>.</summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken stop) => _socket.ReceiveAsync(buffer, stop);

    /// <summary>Ends it with a reset, as when a client dies with data unread.</summary>
    public void Abort()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
