using RaftKv.MultiRaft.Wire;

namespace RaftKv.Transport;

/// <summary>The limits and times of the peer links. The defaults are meant for production.</summary>
public sealed record TransportOptions
{
    /// <summary>The largest frame that is sent or accepted.</summary>
    internal const int MaxFrameBytes = PeerFrame.HeaderBytes + PeerFrame.MaxBodyBytes;

    /// <summary>Frames that wait for one peer, or are being written to it. The next one is dropped.</summary>
    public int MaxQueuedFrames { get; init; } = 4096;

    /// <summary>
    /// A frame is queued while the bytes before it are fewer than this; so a peer's queue never holds more than this plus one frame,
    /// and a frame larger than the limit still gets through.
    /// </summary>
    public long MaxQueuedBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>The same two for the channel of snapshots, whose sender waits for each piece to be asked for.</summary>
    public int MaxQueuedBulkFrames { get; init; } = 64;

    /// <inheritdoc cref="MaxQueuedBulkFrames"/>
    public long MaxQueuedBulkBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>A connection for snapshots is closed when nothing was sent on it for so long.</summary>
    public TimeSpan BulkIdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>From the connection's start until the other side's Hello must be complete.</summary>
    public TimeSpan HelloTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Resolving the name and establishing the connection.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The wait after the first failure; it doubles with each further one.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest wait. A connection that lived at least as long makes the next wait a short one again.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Accepted connections whose Hello has not arrived yet. The next one is closed at once.</summary>
    public int MaxHandshaking { get; init; } = 64;

    /// <summary>Sent bytes that are not acknowledged for so long end the connection (TCP_USER_TIMEOUT; a peer that does not read for so long counts too).</summary>
    public TimeSpan UserTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>An idle connection is probed after so long and then every second; three lost probes end it.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The same trouble with the same peer is logged once in so long; the counters count every case.</summary>
    public TimeSpan RepeatLogAfter { get; init; } = TimeSpan.FromSeconds(30);
}
