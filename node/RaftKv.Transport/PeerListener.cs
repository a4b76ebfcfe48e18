using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport;

/// <summary>
/// Accepted connections: hello, then frames to the receiver until the connection ends. Whatever comes in, at worst this one connection is closed.
/// </summary>
/// <remarks>
/// <see cref="ServeAsync"/> runs once per connection, on the thread pool; the receiver is called from there, and while it does not return this
/// connection is not read. At most MaxHandshaking connections without a Hello, and one per peer and channel with one.
/// </remarks>
internal sealed class PeerListener(
    Hello own,
    IReadOnlyDictionary<(NodeId Node, PeerChannel Channel), PeerLink> links,
    IPeerReceiver receiver,
    TransportOptions options,
    TransportMetrics metrics,
    TransportLog log,
    Func<Hello, string?> admit, Func<NodeId, ulong> metDiskOf)
{
    private readonly Lock _gate = new();

    /// <summary>A new connection and the end of the one before are told in the order in which they are decided.</summary>
    private readonly Lock _told = new();
    private readonly HashSet<PeerConnection> _connections = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _handshaking;
    private bool _stopped;

    /// <summary>For a socket just accepted, which may be closed already.</summary>
    public void Tune(Socket socket)
    {
        try
        {
            SocketTuning.Apply(socket, options);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The first read reports it.
        }
    }

    /// <summary>Serves one connection to its end. Never fails. The caller closes the connection.</summary>
    public async Task ServeAsync(PeerConnection connection)
    {
        if (!TryAdmit(connection)) return;
        PeerLink? link = null;
        string reason;
        try
        {
            link = await TryShakeHandsAsync(connection);
            if (link is null) return;
            reason = await ReceiveAsync(link, connection);
        }
        catch (Exception exception)
        {
            reason = CloseReason.Of(exception, connection);
            log.AcceptedFailed(link?.Peer.Name, connection.Remote, reason, exception);
        }
        finally
        {
            if (link is not null) TellEnd(link, connection);
            Leave(connection);
        }

        metrics.Closed(link?.Peer.Name ?? TransportMetrics.NoPeer, link?.Channel, Direction.Accepted, connection.AbortReason ?? reason);
    }

    private void TellBegin(PeerLink link, PeerConnection connection, Hello hello)
    {
        lock (_told)
        {
            link.OnAccepted(connection, hello);
            if (link.Channel == PeerChannel.Messages) receiver.OnConnection(link.Peer.Node, hello.BootId);
        }
    }

    private void TellEnd(PeerLink link, PeerConnection connection)
    {
        lock (_told)
        {
            if (link.OnAcceptedEnded(connection) && connection.AbortReason is null && link.Channel == PeerChannel.Messages) receiver.OnConnection(link.Peer.Node, bootId: 0);
        }
    }

    /// <summary>Closes all connections and waits until the receiver is not called any more.</summary>
    public Task StopAsync()
    {
        PeerConnection[] open;
        lock (_gate)
        {
            _stopped = true;
            open = [.. _connections];
            if (open.Length == 0) _idle.TrySetResult();
        }

        foreach (PeerConnection connection in open) connection.Abort(CloseReason.Stopping);
        return _idle.Task;
    }

    private bool TryAdmit(PeerConnection connection)
    {
        lock (_gate)
        {
            if (_stopped) return false;
            if (_handshaking < options.MaxHandshaking)
            {
                _handshaking++;
                _connections.Add(connection);
                return true;
            }
        }

        log.TooManyHandshakes(connection.Remote, options.MaxHandshaking);
        metrics.Refused(TransportMetrics.NoPeer, Direction.Accepted, RefuseReason.TooMany);
        return false;
    }

    private void Leave(PeerConnection connection)
    {
        lock (_gate)
        {
            _connections.Remove(connection);
            if (_stopped && _connections.Count == 0) _idle.TrySetResult();
        }
    }

    /// <summary>The peer at the other end; null when it was refused, which has been counted and logged.</summary>
    private async Task<PeerLink?> TryShakeHandsAsync(PeerConnection connection)
    {
        try
        {
            using CancellationTokenSource deadline = new(options.HelloTimeout);
            Hello hello = await Handshake.ReceiveAsync(connection.Input, deadline.Token);
            string? refusal = Hello.Refusal(own, hello);
            links.TryGetValue((hello.Node, hello.Channel), out PeerLink? link);
            if (refusal is null && link is null)
            {
                Refuse(connection, hello, RefuseReason.UnknownNode, $"node {hello.Name} ({hello.Node}) is not one of this node's peers");
                return null;
            }

            string reason = RefuseReason.Hello;
            if (refusal is null)
            {
                refusal = admit(hello);
                reason = RefuseReason.NotAdmitted;
            }

            await Handshake.SendAsync(connection.Output, own with { MetDiskId = metDiskOf(hello.Node) }, deadline.Token);
            if (refusal is not null)
            {
                Refuse(connection, hello, reason, refusal);
                return null;
            }

            TellBegin(link!, connection, hello);
            metrics.Opened(link!.Peer.Name, link.Channel, Direction.Accepted);
            return link;
        }
        finally
        {
            lock (_gate) _handshaking--;
        }
    }

    private void Refuse(PeerConnection connection, Hello hello, string reason, string refusal)
    {
        log.RefusedAccepted(hello.Node, connection.Remote, refusal);
        metrics.Refused(links.TryGetValue((hello.Node, hello.Channel), out PeerLink? link) ? link.Peer.Name : TransportMetrics.NoPeer, Direction.Accepted, reason);
    }

    /// <summary>Delivers frames until the connection ends; returns why it did.</summary>
    private async Task<string> ReceiveAsync(PeerLink link, PeerConnection connection)
    {
        while (true)
        {
            ReadResult read = await connection.Input.ReadAsync();
            if (connection.AbortReason is { } reason) return reason;
            ReadOnlySequence<byte> buffer = read.Buffer;
            Deliver(link, ref buffer, connection);
            connection.Input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) return buffer.IsEmpty ? CloseReason.ClosedByPeer : CloseReason.Truncated;
        }
    }

    private void Deliver(PeerLink link, ref ReadOnlySequence<byte> buffer, PeerConnection connection)
    {
        int frames = 0;
        long before = buffer.Length;
        try
        {
            while (connection.AbortReason is null && FrameStream.TryRead(ref buffer, link.Channel, out FrameKind kind, out byte[] body))
            {
                receiver.OnFrame(link.Peer.Node, kind, body);
                frames++;
            }
        }
        finally
        {
            if (frames > 0) metrics.Received(link.Peer.Name, link.Channel, frames, before - buffer.Length);
        }
    }
}
