using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport.Tests;

/// <summary>The other end of a connection, byte by byte: a peer as the test wants it, or no peer at all.</summary>
internal sealed class RawPeer : IDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly PipeReader _input;

    public RawPeer(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _input = PipeReader.Create(_stream);
    }

    public static async Task<RawPeer> DialAsync(int port)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port).Soon();
        return new RawPeer(socket);
    }

    /// <summary>Dials and completes the handshake.</summary>
    public static async Task<RawPeer> JoinAsync(TestNode node, Hello own)
    {
        RawPeer peer = await DialAsync(node.Port);
        await peer.SendAsync(Frames.Make(own with { Addressee = node.Hello.Node }));
        await peer.ReadHelloAsync();
        return peer;
    }

    public Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes).AsTask().Soon();

    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    public async Task<Hello> ReadHelloAsync() => Hello.Read((await ReadFrameAsync()).Body);

    public async Task<(FrameKind Kind, byte[] Body)> ReadFrameAsync()
    {
        while (true)
        {
            ReadResult read = await _input.ReadAsync().AsTask().Soon();
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (PeerFrame.TryRead(ref buffer, out FrameKind kind, out byte[] body))
            {
                _input.AdvanceTo(buffer.Start);
                return (kind, body);
            }

            _input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) throw new EndOfStreamException();
        }
    }

    /// <summary>Until the node has closed the connection; returns how many bytes came before.</summary>
    public async Task<long> UntilClosedAsync()
    {
        long bytes = 0;
        try
        {
            while (true)
            {
                ReadResult read = await _input.ReadAsync().AsTask().Soon();
                bytes += read.Buffer.Length;
                _input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return bytes;
            }
        }
        catch (IOException)
        {
            return bytes; // a reset
        }
    }

    public void Dispose() => _stream.Dispose();
}

/// <summary>A port that nodes dial, with a test behind it.</summary>
internal sealed class RawListener : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public RawListener(Hello hello)
    {
        Hello = hello;
        _listener.Server.ReceiveBufferSize = 64 * 1024; // does not grow then
        _listener.Start();
    }

    public Hello Hello { get; }

    public PeerAddress Address => new(Hello.Node, Hello.Name, "127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    public async Task<RawPeer> AcceptAsync() => new(await _listener.AcceptSocketAsync().Soon());

    /// <summary>Accepts a connection and answers its Hello; returns it with what the node said.</summary>
    public async Task<(RawPeer Peer, Hello Said)> GreetAsync(Hello? answer = null)
    {
        RawPeer peer = await AcceptAsync();
        Hello said = await peer.ReadHelloAsync();
        await peer.SendAsync(Frames.Make(answer ?? Hello));
        return (peer, said);
    }

    public void Dispose() => _listener.Dispose();
}
