using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>Why a connection ended: the tag <c>reason</c> of the closed connections, and the word in the log.</summary>
internal static class CloseReason
{
    public const string ClosedByPeer = "closed_by_peer";
    public const string Reset = "reset";
    public const string TimedOut = "timed_out";
    public const string Unreachable = "unreachable";
    public const string HelloTimeout = "hello_timeout";
    public const string Malformed = "malformed";
    public const string Truncated = "truncated";
    public const string Refused = "refused";

    /// <summary>The peer has dialled again, so this connection is dead to it.</summary>
    public const string Superseded = "superseded";

    /// <summary>The peer's process is another one than at the other end of this connection.</summary>
    public const string PeerRestarted = "peer_restarted";

    /// <summary>A connection for snapshots over which none has gone for long.</summary>
    public const string Idle = "idle";

    public const string Stopping = "stopping";

    /// <summary>Our own mistake, or the receiver's.</summary>
    public const string Failed = "failed";

    /// <summary>The reason of an exception from a connection's pipes; our own decision to end it comes first, for it causes such exceptions.</summary>
    public static string Of(Exception exception, PeerConnection connection) => connection.AbortReason ?? exception switch
    {
        MalformedException => Malformed,
        EndOfStreamException => ClosedByPeer,
        ConnectionAbortedException => Reset,
        OperationCanceledException => HelloTimeout, // nothing else cancels
        _ when SocketErrorOf(exception) == SocketError.TimedOut => TimedOut,
        IOException or SocketException or ObjectDisposedException => Reset,
        _ => Failed,
    };

    private static SocketError? SocketErrorOf(Exception exception) => ((exception as SocketException) ?? (exception.InnerException as SocketException))?.SocketErrorCode;
}
