using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace RaftKv.Transport;

/// <summary>
/// What Kestrel calls for every connection to the peer port: <c>kestrel.Listen(address, port, listen =&gt; listen.UseConnectionHandler&lt;PeerConnectionHandler&gt;())</c>.
/// With TLS, <c>listen.UseHttps(…)</c> comes before it and nothing changes here.
/// </summary>
/// <remarks>A singleton. Kestrel disposes the connection when the returned task ends; the task never fails.</remarks>
public sealed class PeerConnectionHandler(TcpPeerLinks links) : ConnectionHandler
{
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionSocketFeature>() is { } transport) links.Listener.Tune(transport.Socket);
        PeerConnection accepted = new(connection.Transport, RemoteOf(connection), () => Abort(connection));

        // Otherwise Kestrel would wait out its shutdown time for connections that never end by themselves.
        CancellationToken serverStops = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using (serverStops.UnsafeRegister(static state => ((PeerConnection)state!).Abort(CloseReason.Stopping), accepted))
        {
            await links.Listener.ServeAsync(accepted);
        }
    }

    private static void Abort(ConnectionContext connection)
    {
        connection.Abort(new ConnectionAbortedException("closed by this node"));
        connection.Transport.Input.CancelPendingRead();
    }

    /// <summary>Without the port, which is new in every connection: logs are limited per remote address.</summary>
    private static string RemoteOf(ConnectionContext connection) => connection.RemoteEndPoint switch
    {
        IPEndPoint ip => ip.Address.ToString(),
        { } other => other.ToString() ?? "?",
        null => "?",
    };
}
