using System.Globalization;
using Microsoft.Extensions.Logging;
using RaftKv.Raft;

namespace RaftKv.Transport;

/// <summary>The lines that the links log. Trouble passes the limiter: one line per peer and kind of trouble in 30 s.</summary>
internal sealed partial class TransportLog(ILogger logger, LogLimiter limiter)
{
    public void LinkUp(PeerAddress peer, ushort protocol, ulong bootId) => Up(peer, protocol, bootId.ToString("x16", CultureInfo.InvariantCulture));

    public void LinkDown(PeerAddress peer, string reason)
    {
        if (limiter.Allows(peer.Name, reason)) Down(peer, reason);
    }

    public void CannotOpen(PeerAddress peer, string reason, Exception exception)
    {
        string detail = DetailOf(exception);
        if (limiter.Allows(peer.Name, detail)) NotOpened(peer, reason, detail);
    }

    public void RefusedDialled(PeerAddress peer, string refusal)
    {
        if (limiter.Allows(peer.Name, refusal)) PeerRefused(peer, refusal);
    }

    public void RefusedAccepted(NodeId node, string remote, string refusal)
    {
        if (limiter.Allows("accepted " + node, refusal)) ConnectionRefused(remote, refusal);
    }

    public void TooManyHandshakes(string remote, int limit)
    {
        if (limiter.Allows("listener", RefuseReason.TooMany)) HandshakesExceeded(remote, limit);
    }

    /// <param name="peer">Null before the handshake.</param>
    public void AcceptedFailed(string? peer, string remote, string reason, Exception exception)
    {
        bool isTrouble = reason is CloseReason.Malformed or CloseReason.HelloTimeout or CloseReason.Failed or CloseReason.TimedOut;
        if (!isTrouble || !limiter.Allows("accepted " + (peer ?? remote), reason)) return;
        if (reason == CloseReason.Failed) ReceiveFailed(exception, peer ?? "unknown", remote);
        else AcceptedClosed(peer ?? "unknown", remote, reason, DetailOf(exception));
    }

    private static string DetailOf(Exception exception) => exception is OperationCanceledException ? "no answer in time" : exception.Message;

    [LoggerMessage(1, LogLevel.Information, "Link to {Peer} is up: protocol {Protocol}, boot id {BootId}")]
    private partial void Up(PeerAddress peer, ushort protocol, string bootId);

    [LoggerMessage(2, LogLevel.Warning, "Link to {Peer} is down: {Reason}")]
    private partial void Down(PeerAddress peer, string reason);

    [LoggerMessage(3, LogLevel.Warning, "Cannot reach {Peer} ({Reason}): {Detail}")]
    private partial void NotOpened(PeerAddress peer, string reason, string detail);

    [LoggerMessage(4, LogLevel.Error, "Refused to use {Peer}: {Refusal}")]
    private partial void PeerRefused(PeerAddress peer, string refusal);

    [LoggerMessage(5, LogLevel.Error, "Refused a connection from {Remote}: {Refusal}")]
    private partial void ConnectionRefused(string remote, string refusal);

    [LoggerMessage(6, LogLevel.Warning, "Refused a connection from {Remote}: {Limit} others have not said hello yet")]
    private partial void HandshakesExceeded(string remote, int limit);

    [LoggerMessage(7, LogLevel.Warning, "Closed a connection of peer {Peer} from {Remote} ({Reason}): {Detail}")]
    private partial void AcceptedClosed(string peer, string remote, string reason, string detail);

    [LoggerMessage(8, LogLevel.Error, "Closed a connection of peer {Peer} from {Remote}: receiving failed")]
    private partial void ReceiveFailed(Exception exception, string peer, string remote);
}
