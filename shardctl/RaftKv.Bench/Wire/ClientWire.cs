namespace RaftKv.Bench.Wire;

/// <summary>
/// The client's half of a protocol on one connection: requests to bytes, bytes to answers. Pure: no socket, no clock. A connection
/// has slots; each carries one request at a time.
/// </summary>
/// <remarks>Owned by its connection; not thread-safe. One life is one connection: after it is lost, a new wire begins.</remarks>
internal abstract class ClientWire
{
    /// <summary>The peer takes no more requests here; those under way it still answers.</summary>
    public bool IsClosing { get; protected set; }

    /// <summary>What is said before the first request.</summary>
    public virtual void Begin(ByteQueue to)
    {
    }

    /// <summary>Writes a request, or as much of it as the peer takes now; the rest follows as <see cref="Read"/> learns that it takes more.</summary>
    /// <param name="slot">One without a request under way.</param>
    public abstract void Write(int slot, in Operation operation, ByteQueue to);

    /// <summary>
    /// Reads what has come, as far as it is complete, and returns how many bytes that was. May answer the peer through <paramref name="to"/>.
    /// Throws <see cref="WireException"/> when the connection cannot go on.
    /// </summary>
    public abstract int Read(ReadOnlySpan<byte> bytes, ByteQueue to, List<Answer> answers);
}

/// <summary>The peer breaks the protocol, or ends the connection by its means. The message is a reason to count by.</summary>
internal sealed class WireException(string message) : Exception(message);
