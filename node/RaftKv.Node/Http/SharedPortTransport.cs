using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace RaftKv.Node.Http;

/// <summary>One of the two faces of the client port: Kestrel sees two endpoints, one per protocol, on one socket.</summary>
internal sealed class SharedPortEndPoint(IPEndPoint address, bool isHttp2) : EndPoint
{
    public IPEndPoint Address => address;

    public bool IsHttp2 => isHttp2;

    public override string ToString() => $"{address} ({(isHttp2 ? "HTTP/2" : "HTTP/1.1")})";
}

/// <summary>
/// HTTP/1.1 and HTTP/2 on one port without TLS. Kestrel alone speaks only HTTP/1.1 there, for without TLS nothing negotiates;
/// but an HTTP/2 connection begins with 24 fixed bytes, so the accept loop looks at those and hands the connection on,
/// nothing consumed (dotnet-facts §4, way b).
/// </summary>
internal sealed class SharedPortTransport(IOptionsFactory<SocketTransportOptions> options, ConnectionGate gate, ILoggerFactory loggers) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly SocketTransportFactory _sockets = new(new OptionsWrapper<SocketTransportOptions>(OfClients(options)), loggers);
    private readonly Dictionary<IPEndPoint, SharedPort> _ports = [];

    public bool CanBind(EndPoint endpoint) => endpoint is SharedPortEndPoint;

    /// <remarks>Kestrel binds one endpoint after the other.</remarks>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        SharedPortEndPoint face = (SharedPortEndPoint)endpoint;
        if (!_ports.TryGetValue(face.Address, out SharedPort? port))
        {
            port = new SharedPort(await _sockets.BindAsync(face.Address, cancellationToken), gate);
            _ports.Add(face.Address, port);
        }

        return port.Open(face);
    }

    /// <summary>As the peers', but that requests of one connection which come together are answered together.</summary>
    /// <remarks>By the factory, never <c>new</c>: Kestrel configures the pool of buffers there, and the one without configuration rents empty ones.</remarks>
    private static SocketTransportOptions OfClients(IOptionsFactory<SocketTransportOptions> options)
    {
        SocketTransportOptions clients = options.Create(Microsoft.Extensions.Options.Options.DefaultName);
        clients.UnsafePreferInlineScheduling = false;
        return clients;
    }

    /// <summary>The socket, its accept loop, and a queue of connections for each protocol.</summary>
    private sealed class SharedPort : IAsyncDisposable
    {
        /// <summary>Connections that have not sent enough yet to tell; more are closed. And how long they may take.</summary>
        private const int MaxUndecided = 4096;
        private static readonly TimeSpan DecideTimeout = TimeSpan.FromSeconds(30);

        private readonly IConnectionListener _listener;
        private readonly ConnectionGate _gate;
        private readonly Channel<ConnectionContext> _http1 = Channel.CreateUnbounded<ConnectionContext>();
        private readonly Channel<ConnectionContext> _http2 = Channel.CreateUnbounded<ConnectionContext>();
        private readonly CancellationTokenSource _stopping = new();
        private int _undecided;
        private int _open;

        public SharedPort(IConnectionListener listener, ConnectionGate gate)
        {
            _listener = listener;
            _gate = gate;
            _ = AcceptAsync();
        }

        public IConnectionListener Open(SharedPortEndPoint face)
        {
            _open++;
            return new Face(face, this, (face.IsHttp2 ? _http2 : _http1).Reader);
        }

        private async Task AcceptAsync()
        {
            Exception? failure = null;
            try
            {
                while (await _listener.AcceptAsync() is { } connection) _ = _gate.TryEnter() ? DecideAsync(connection) : CloseAsync(connection);
            }
            catch (Exception exception)
            {
                failure = exception; // Kestrel logs it when it takes from the queues.
            }

            _http1.Writer.TryComplete(failure);
            _http2.Writer.TryComplete(failure);
        }

        private static async Task CloseAsync(ConnectionContext connection)
        {
            connection.Abort();
            await connection.DisposeAsync();
        }

        /// <summary>What is handed on leaves the gate when Kestrel has served it: <see cref="WebHost"/>.</summary>
        private async Task DecideAsync(ConnectionContext connection)
        {
            bool isTaken = false;
            try
            {
                if (Interlocked.Increment(ref _undecided) > MaxUndecided) return;
                using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed, _stopping.Token);
                deadline.CancelAfter(DecideTimeout);
                Channel<ConnectionContext> queue = await Http2Preface.BeginsAsync(connection.Transport.Input, deadline.Token) ? _http2 : _http1;
                isTaken = queue.Writer.TryWrite(connection);
            }
            catch (Exception exception) when (exception is OperationCanceledException or IOException or ConnectionAbortedException or ConnectionResetException)
            {
                // Gone, or silent for too long.
            }
            finally
            {
                Interlocked.Decrement(ref _undecided);
                if (!isTaken)
                {
                    await CloseAsync(connection);
                    _gate.Leave();
                }
            }
        }

        private async ValueTask UnbindAsync(CancellationToken cancellationToken)
        {
            await _stopping.CancelAsync();
            await _listener.UnbindAsync(cancellationToken);
        }

        /// <summary>Called once per face; the last one closes the socket.</summary>
        public async ValueTask DisposeAsync()
        {
            if (--_open > 0) return;
            await _listener.DisposeAsync();
            _stopping.Dispose();
        }

        private sealed class Face(SharedPortEndPoint endpoint, SharedPort port, ChannelReader<ConnectionContext> queue) : IConnectionListener
        {
            public EndPoint EndPoint => endpoint;

            public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
                await queue.WaitToReadAsync(cancellationToken) && queue.TryRead(out ConnectionContext? connection) ? connection : null;

            public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => port.UnbindAsync(cancellationToken);

            public ValueTask DisposeAsync() => port.DisposeAsync();
        }
    }
}
