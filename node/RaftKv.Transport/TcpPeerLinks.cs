using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport;

/// <summary>
/// The links to all other nodes, one TCP connection per peer and direction for messages and, while there are any, one for snapshots: this
/// node dials every peer and sends on the connections it dialled; what it accepts (through <see cref="PeerConnectionHandler"/>) it only
/// receives from. So two nodes that dial each other at the same moment have nothing to settle, and a snapshot's pieces stand in nobody's way.
/// </summary>
/// <remarks>
/// All members may be called from any thread. Frames on one channel to one peer arrive in the order in which they were sent, or not at all;
/// after a lost connection earlier frames are not repeated. Memory per peer and channel: the send queue
/// (<see cref="TransportOptions.MaxQueuedBytes"/> and one frame), and on the receiving side the transport's read buffer and one frame twice
/// (buffered, and its copy).
/// </remarks>
public sealed class TcpPeerLinks : IPeerLinks, IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly FrozenDictionary<(NodeId Node, PeerChannel Channel), PeerLink> _links;
    private readonly TransportMetrics _metrics;
    private readonly Lock _gate = new();
    private Task[]? _running;
    private Task? _disposal;

    /// <param name="own">What this node says of itself; the addressee is filled in for each peer.</param>
    /// <param name="peers">All other nodes; others are refused.</param>
    /// <param name="receiver">May be called as soon as the port listens, before <see cref="Start"/>.</param>
    /// <param name="admit">Asked about each peer that the handshake itself does not refuse: the reason to refuse it, or null. It may block on a disk.</param>
    /// <param name="metDiskOf">The disk with which this node first met a peer, 0 if it never did: the peer is told.</param>
    public TcpPeerLinks(
        Hello own, IReadOnlyCollection<PeerAddress> peers, IPeerReceiver receiver, ILogger logger, TransportOptions? options = null, TimeProvider? time = null, Func<Hello, string?>? admit = null,
        Func<NodeId, ulong>? metDiskOf = null)
    {
        if (peers.Any(peer => peer.Node == own.Node)) throw new ArgumentException($"node {own.Name} is among its own peers", nameof(peers));
        own = own with { Addressee = default, Channel = default };
        admit ??= static _ => null;
        metDiskOf ??= static _ => 0;
        options ??= new TransportOptions();
        time ??= TimeProvider.System;
        _metrics = new TransportMetrics(own.Name);
        TransportLog log = new(logger, new LogLimiter(options.RepeatLogAfter, time));
        _links = peers.SelectMany(_ => Enum.GetValues<PeerChannel>(), (peer, channel) => new PeerLink(own, peer, channel, options, _metrics, log, time, admit, metDiskOf))
            .ToFrozenDictionary(link => (link.Peer.Node, link.Channel));
        Nodes = [.. peers.Select(peer => peer.Node)];
        Listener = new PeerListener(own, _links, receiver, options, _metrics, log, admit, metDiskOf);
    }

    /// <inheritdoc/>
    public IReadOnlyCollection<NodeId> Nodes { get; }

    internal PeerListener Listener { get; }

    /// <summary>The meter of this instance (all are named <see cref="TransportMetrics.MeterName"/>), so that a test can listen to one node.</summary>
    internal System.Diagnostics.Metrics.Meter Meter => _metrics.Meter;

    /// <summary>Begins to dial the peers. Once.</summary>
    public void Start()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposal is not null, this);
            if (_running is not null) throw new InvalidOperationException("the links have been started before");
            _running = [.. _links.Values.Select(link => Task.Run(() => link.RunAsync(_stopping.Token)))];
        }
    }

    /// <inheritdoc/>
    public SendStatus Send(NodeId to, ReadOnlySpan<byte> frame) => Send(to, PeerChannel.Messages, frame);

    /// <inheritdoc/>
    /// <remarks>The connection is dialled for the first frame, which waits for it, and closed after <see cref="TransportOptions.BulkIdleTimeout"/>.</remarks>
    public void SendBulk(NodeId to, ReadOnlySpan<byte> frame) => Send(to, PeerChannel.Bulk, frame);

    public ulong BootIdOf(NodeId node) => _links.TryGetValue((node, PeerChannel.Messages), out PeerLink? link) ? link.BootId : 0;

    /// <summary>Where the peer says that clients reach it, as of the last handshake; null while it has not said.</summary>
    public string? ClientUrlOf(NodeId node) => _links.TryGetValue((node, PeerChannel.Messages), out PeerLink? link) && link.ClientUrl.Length > 0 ? link.ClientUrl : null;

    /// <summary>The send queue of one peer, for tests.</summary>
    internal long QueuedBytesTo(NodeId node, PeerChannel channel = PeerChannel.Messages) => _links[(node, channel)].QueuedBytes;

    /// <summary>Closes every connection, dialled and accepted. Afterwards the receiver is not called any more and frames are dropped.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_gate) return new ValueTask(_disposal ??= StopAsync());
    }

    private SendStatus Send(NodeId to, PeerChannel channel, ReadOnlySpan<byte> frame)
    {
        if (_links.TryGetValue((to, channel), out PeerLink? link)) return link.Send(frame);
        _metrics.Dropped(TransportMetrics.NoPeer, channel, DropReason.UnknownPeer);
        return SendStatus.Unreachable;
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await Task.WhenAll([Listener.StopAsync(), .. _running ?? []]);
        foreach (PeerLink link in _links.Values) link.Dispose();
        _stopping.Dispose();
        _metrics.Dispose();
    }
}
