using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;

namespace RaftKv.Transport;

/// <summary>Makes outgoing connections: name → address → socket → (here TLS would go) → pipes.</summary>
internal static class PeerDialer
{
    private const int WriteSegmentBytes = 64 * 1024;
    private const int ReadBufferBytes = 4096; // a dialled connection carries nothing but a Hello back

    /// <summary>Tries the host's addresses in turn. Throws SocketException, or OperationCanceledException.</summary>
    public static async Task<PeerConnection> ConnectAsync(PeerAddress peer, TransportOptions options, CancellationToken cancel)
    {
        SocketException? failure = null;
        foreach (IPAddress address in await Dns.GetHostAddressesAsync(peer.Host, cancel))
        {
            try
            {
                return await ConnectAsync(new IPEndPoint(address, peer.Port), options, cancel);
            }
            catch (SocketException exception)
            {
                failure = exception;
            }
        }

        throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }

    private static async Task<PeerConnection> ConnectAsync(IPEndPoint address, TransportOptions options, CancellationToken cancel)
    {
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            SocketTuning.Apply(socket, options);
            await socket.ConnectAsync(address, cancel);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        NetworkStream stream = new(socket, ownsSocket: true);
        return new PeerConnection(new StreamPipes(stream), address.ToString(), stream.Dispose);
    }

    /// <summary>Pipes over a stream: every flush is a write to the socket, without a hop to another thread and without allocation.</summary>
    private sealed class StreamPipes(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadBufferBytes));

        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(minimumBufferSize: WriteSegmentBytes));
    }
}
