using System.IO.Pipelines;

namespace RaftKv.Transport;

/// <summary>
/// One connection as the code above sees it: bytes in, bytes out, and a way to end it. Whether TLS lies between the pipes and the socket is
/// known only to those who make one: <see cref="PeerDialer"/> and <see cref="PeerConnectionHandler"/>.
/// </summary>
/// <param name="remote">For logs.</param>
/// <param name="abort">Makes pending and later reads and writes fail soon; called at most once, from any thread.</param>
/// <remarks>The pipes belong to one reading and one writing loop; <see cref="Abort"/> may be called from any thread.</remarks>
internal sealed class PeerConnection(IDuplexPipe pipe, string remote, Action abort)
{
    private string? _abortReason;

    public PipeReader Input => pipe.Input;

    public PipeWriter Output => pipe.Output;

    public string Remote => remote;

    /// <summary>Why this side ended the connection; null while it has not.</summary>
    public string? AbortReason => Volatile.Read(ref _abortReason);

    /// <summary>Ends the connection at once. The first reason stays.</summary>
    public void Abort(string reason)
    {
        if (Interlocked.CompareExchange(ref _abortReason, reason, null) is null) abort();
    }
}
