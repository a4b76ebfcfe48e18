using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Transport;

/// <summary>
/// One channel to one peer: the connection dialled to it, the queue before it, and what is known of the peer. Dial → shake hands → drain the
/// queue until the connection ends → wait → dial again. The one for messages is kept up; the one for snapshots is dialled when there is
/// something to send, and given up when there has been nothing for long.
/// </summary>
/// <remarks>
/// <see cref="Send"/>, <see cref="BootId"/> and the notices from the listener may come from any thread; the rest belongs to the loop in
/// <see cref="RunAsync"/>. While there is no connection the queue is closed and empty, but for the frames that a bulk connection is dialled for.
/// </remarks>
internal sealed class PeerLink(
    Hello own, PeerAddress peer, PeerChannel channel, TransportOptions options, TransportMetrics metrics, TransportLog log, TimeProvider time, Func<Hello, string?> admit, Func<NodeId, ulong> metDiskOf) : IDisposable
{
    private readonly SendQueue _queue = channel == PeerChannel.Bulk
        ? new(options.MaxQueuedBulkFrames, options.MaxQueuedBulkBytes)
        : new(options.MaxQueuedFrames, options.MaxQueuedBytes);
    private readonly Backoff _backoff = new(options.MinBackoff, options.MaxBackoff, HashCode.Combine(own.BootId, peer.Node));
    private readonly SemaphoreSlim _hint = new(0, 1);
    private readonly Lock _gate = new();
    private LinkDrain? _drain;
    private PeerConnection? _dialled;
    private ulong _dialledBootId;
    private PeerConnection? _accepted;
    private ulong _bootId;
    private volatile string _clientUrl = "";
    private long? _lastHint;
    private long _usedAt;
    private bool _wasUp;

    public PeerAddress Peer => peer;

    public PeerChannel Channel => channel;

    private bool IsOnDemand => channel == PeerChannel.Bulk;

    /// <summary>As the last handshake said, whoever dialled; 0 before the first.</summary>
    public ulong BootId => Volatile.Read(ref _bootId);

    /// <summary>As the last handshake said; empty before the first, and when the peer does not say.</summary>
    public string ClientUrl => _clientUrl;

    public long QueuedBytes => _queue.Bytes;

    /// <summary>What is dropped is counted.</summary>
    public SendStatus Send(ReadOnlySpan<byte> frame)
    {
        if (IsOnDemand) Volatile.Write(ref _usedAt, time.GetTimestamp());
        string? reason = frame.Length > TransportOptions.MaxFrameBytes ? DropReason.TooLarge : _queue.TryAdd(frame);
        if (reason is null) return SendStatus.Queued;
        metrics.Dropped(peer.Name, channel, reason);
        return reason == DropReason.QueueFull ? SendStatus.Full : SendStatus.Unreachable;
    }

    /// <summary>Keeps the link up, or ready to be dialled, until <paramref name="stopping"/>. Never fails.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            if (IsOnDemand && !await IsWantedAsync(stopping)) return;
            (PeerConnection Connection, Hello Hello)? opened = await TryOpenAsync(stopping);
            if (opened is var (connection, hello)) await UseAsync(connection, hello, stopping);
            else GiveUpWaiting();
            await PauseAsync(stopping);
        }
    }

    /// <summary>When the loop has ended and no notices come any more.</summary>
    public void Dispose() => _hint.Dispose();

    /// <summary>
    /// The peer has dialled us and shaken hands. An older connection of its is dead to it, whether or not we have noticed; and so is our own
    /// if the peer's process is another one. If we have none, this is the moment to try.
    /// </summary>
    public void OnAccepted(PeerConnection connection, Hello hello)
    {
        PeerConnection? superseded;
        PeerConnection? stale;
        bool down;
        lock (_gate)
        {
            superseded = _accepted;
            _accepted = connection;
            Volatile.Write(ref _bootId, hello.BootId);
            _clientUrl = hello.ClientUrl;
            stale = _dialledBootId != hello.BootId ? _dialled : null;
            down = _dialled is null || stale is not null;
        }

        superseded?.Abort(CloseReason.Superseded);
        stale?.Abort(CloseReason.PeerRestarted);
        if (down) Hint();
    }

    /// <summary>False: the peer has dialled again since.</summary>
    public bool OnAcceptedEnded(PeerConnection connection)
    {
        lock (_gate)
        {
            if (_accepted != connection) return false;
            _accepted = null;
            return true;
        }
    }

    /// <summary>Until a frame waits; false when <paramref name="stopping"/> comes first.</summary>
    private async Task<bool> IsWantedAsync(CancellationToken stopping)
    {
        _queue.Open();
        using (stopping.UnsafeRegister(static queue => ((SendQueue)queue!).Close(), _queue)) return await _queue.WaitAsync();
    }

    /// <summary>What a bulk connection was dialled for cannot be sent: it is dropped, as everything is while there is no connection.</summary>
    private void GiveUpWaiting()
    {
        _queue.Close();
        metrics.Dropped(peer.Name, channel, DropReason.LinkDown, _queue.Discard());
    }

    /// <summary>
    /// Cuts the next wait short, but not twice within the longest wait: two nodes whose connections break right after the handshake
    /// would otherwise call each other without a pause.
    /// </summary>
    private void Hint()
    {
        lock (_gate)
        {
            long now = time.GetTimestamp();
            if (_lastHint is { } last && time.GetElapsedTime(last, now) < options.MaxBackoff) return;
            _lastHint = now;
            if (_hint.CurrentCount == 0) _hint.Release();
        }
    }

    private async Task PauseAsync(CancellationToken stopping)
    {
        try
        {
            await _hint.WaitAsync(_backoff.Next(), stopping);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    /// <summary>Dials and shakes hands. Null when either failed, which has been counted and logged.</summary>
    private async Task<(PeerConnection Connection, Hello Hello)?> TryOpenAsync(CancellationToken stopping)
    {
        PeerConnection? connection = null;
        try
        {
            using (CancellationTokenSource deadline = Deadline(options.ConnectTimeout, stopping))
            {
                connection = await PeerDialer.ConnectAsync(peer, options, deadline.Token);
            }

            using (CancellationTokenSource deadline = Deadline(options.HelloTimeout, stopping))
            {
                await Handshake.SendAsync(connection.Output, own with { Addressee = peer.Node, Channel = channel, MetDiskId = metDiskOf(peer.Node) }, deadline.Token);
                Hello answer = await Handshake.ReceiveAsync(connection.Input, deadline.Token);
                if (Accepts(answer)) return (connection, answer);
            }
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            string reason = connection is null ? CloseReason.Unreachable : CloseReason.Of(exception, connection);
            log.CannotOpen(peer, reason, exception);
            metrics.Closed(peer.Name, channel, Direction.Dialled, reason);
        }
        catch (Exception)
        {
            // Stopping: the connection is closed below, and nobody asks why.
        }

        if (connection is not null) await EndAsync(connection, CloseReason.Refused);
        return null;
    }

    private bool Accepts(Hello answer)
    {
        string? refusal = Hello.Refusal(own, answer);
        string reason = RefuseReason.Hello;
        if (refusal is null && answer.Node != peer.Node)
        {
            refusal = $"node {answer.Name} ({answer.Node}) answers there, not {peer.Name} ({peer.Node})";
            reason = RefuseReason.WrongNode;
        }

        if (refusal is null)
        {
            refusal = admit(answer);
            reason = RefuseReason.NotAdmitted;
        }

        if (refusal is null) return true;
        log.RefusedDialled(peer, refusal);
        metrics.Refused(peer.Name, Direction.Dialled, reason);
        return false;
    }

    private async Task UseAsync(PeerConnection connection, Hello hello, CancellationToken stopping)
    {
        long opened = time.GetTimestamp();
        Up(connection, hello);
        string reason;
        using (CancellationTokenSource ended = new())
        using (stopping.UnsafeRegister(static state => ((PeerConnection)state!).Abort(CloseReason.Stopping), connection))
        {
            List<Task<string>> running = [DrainAsync(connection), WatchAsync(connection)];
            if (IsOnDemand) running.Add(IdleAsync(ended.Token));
            reason = await await Task.WhenAny(running);
            connection.Abort(reason);
            _queue.Close();
            await ended.CancelAsync();
            await Task.WhenAll(running);
        }

        reason = connection.AbortReason ?? reason;
        Down(connection, reason);
        await EndAsync(connection, reason);
        if (time.GetElapsedTime(opened) >= options.MaxBackoff) _backoff.Reset();
    }

    private void Up(PeerConnection connection, Hello hello)
    {
        lock (_gate)
        {
            _dialled = connection;
            _dialledBootId = hello.BootId;
            Volatile.Write(ref _bootId, hello.BootId);
            _clientUrl = hello.ClientUrl;
            if (_hint.CurrentCount > 0) _hint.Wait(0, CancellationToken.None); // it has been followed, or was not needed
        }

        _queue.Open();
        if (!IsOnDemand) log.LinkUp(peer, Handshake.Protocol(own, hello), hello.BootId);
        if (_wasUp) metrics.Reconnected(peer.Name, channel);
        _wasUp = true;
        metrics.Opened(peer.Name, channel, Direction.Dialled);
    }

    private void Down(PeerConnection connection, string reason)
    {
        lock (_gate) _dialled = null;
        if (reason is not (CloseReason.Stopping or CloseReason.Idle)) log.LinkDown(peer, reason);
        metrics.Dropped(peer.Name, channel, DropReason.LinkLost, _queue.Discard());
        metrics.Closed(peer.Name, channel, Direction.Dialled, reason);
    }

    private async Task<string> DrainAsync(PeerConnection connection)
    {
        try
        {
            await (_drain ??= new LinkDrain(peer.Name, channel, _queue, metrics)).RunAsync(connection.Output);
            return CloseReason.ClosedByPeer;
        }
        catch (Exception exception)
        {
            return CloseReason.Of(exception, connection);
        }
    }

    /// <summary>Until nothing has been sent for so long that the connection is not worth keeping, or it has ended otherwise.</summary>
    private async Task<string> IdleAsync(CancellationToken ended)
    {
        try
        {
            while (true)
            {
                TimeSpan left = options.BulkIdleTimeout - time.GetElapsedTime(Volatile.Read(ref _usedAt));
                if (left <= TimeSpan.Zero && _queue.Bytes == 0) return CloseReason.Idle;
                await Task.Delay(left > TimeSpan.Zero ? left : options.BulkIdleTimeout, time, ended);
            }
        }
        catch (OperationCanceledException)
        {
            return CloseReason.Idle; // It has ended before; nobody asks.
        }
    }

    /// <summary>The peer sends nothing on this connection; reading is how its end is noticed.</summary>
    private static async Task<string> WatchAsync(PeerConnection connection)
    {
        try
        {
            ReadResult read = await connection.Input.ReadAsync();
            return read.Buffer.IsEmpty ? CloseReason.ClosedByPeer : CloseReason.Malformed;
        }
        catch (Exception exception)
        {
            return CloseReason.Of(exception, connection);
        }
    }

    /// <summary>Closes the socket and gives the pipes' buffers back. Both loops have ended.</summary>
    private static async Task EndAsync(PeerConnection connection, string reason)
    {
        connection.Abort(reason);
        await connection.Input.CompleteAsync();
        await connection.Output.CompleteAsync(new ConnectionAbortedException(reason)); // with an exception: does not try to flush
    }

    private static CancellationTokenSource Deadline(TimeSpan timeout, CancellationToken stopping)
    {
        CancellationTokenSource source = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        source.CancelAfter(timeout);
        return source;
    }
}
