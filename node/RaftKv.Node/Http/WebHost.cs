using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RaftKv.Contracts;
using RaftKv.Transport;

namespace RaftKv.Node.Http;

/// <summary>Kestrel with the two ports: clients (both protocols) and peers.</summary>
internal static class WebHost
{
    public static WebApplication Build(BoundPorts ports, Limits limits, HttpApi api, PeerConnectionHandler peers, ConnectionGate gate, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.AddSingleton(peers);
        builder.Services.AddSingleton(gate);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            Limit(kestrel.Limits, limits);
            kestrel.AddServerHeader = false;
            kestrel.Listen(new SharedPortEndPoint(ports.Client, isHttp2: false), listen => Serve(listen, HttpProtocols.Http1, gate));
            kestrel.Listen(new SharedPortEndPoint(ports.Client, isHttp2: true), listen => Serve(listen, HttpProtocols.Http2, gate));
            kestrel.Listen(ports.Peer, listen => listen.UseConnectionHandler<PeerConnectionHandler>());
        });
        // A peer's frames are handed to STEP by the thread that received them, one hop less.
        builder.Services.Configure<SocketTransportOptions>(sockets => (sockets.CreateBoundListenSocket, sockets.UnsafePreferInlineScheduling) = (ports.SocketOf, true));
        builder.Services.AddSingleton<IConnectionListenerFactory, SharedPortTransport>();
        WebApplication app = builder.Build();
        app.Run(api.HandleAsync);
        return app;
    }

    private static void Serve(ListenOptions listen, HttpProtocols protocol, ConnectionGate gate)
    {
        listen.Protocols = protocol;
        listen.Use(next => async connection =>
        {
            try
            {
                await next(connection);
            }
            finally
            {
                gate.Leave();
            }
        });
    }

    private static void Limit(KestrelServerLimits kestrel, Limits limits)
    {
        kestrel.MaxRequestLineSize = limits.MaxRequestLineBytes;
        kestrel.MaxRequestHeadersTotalSize = limits.MaxHeaderBytes;
        kestrel.MaxRequestHeaderCount = limits.MaxHeaders;
        kestrel.MaxRequestBodySize = null; // BodyReader has its own limit, and answers so that the connection stays usable.
        kestrel.Http2.MaxStreamsPerConnection = 1000;
        kestrel.Http2.InitialStreamWindowSize = Limits.Mebi;
        kestrel.Http2.InitialConnectionWindowSize = 4 * Limits.Mebi;
        kestrel.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(20);
        kestrel.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
    }

    /// <summary>The node handles SIGTERM itself: HTTP is only the first of what it stops.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
