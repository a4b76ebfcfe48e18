using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>
/// One client's request while this node works on it. The door makes it and posts it to STEP; it is completed once, from
/// the STEP or the APPLY thread.
/// </summary>
/// <remarks>All state but the completion flag belongs to STEP.</remarks>
public abstract class KvCall(byte[] request, KvOperation operation, ulong hash, long deadlineMicros)
{
    private int _isCompleted;

    /// <summary>Who kept silent last (none: the replica here), and how long it is given when it is asked once more; 0: nobody did.</summary>
    private (NodeId Node, long Micros) _slow;

    /// <summary>The encoded <see cref="KvRequest"/>, immutable from here on.</summary>
    public byte[] Request { get; } = request;

    public KvOperation Operation { get; } = operation;

    public bool IsWrite => KvRequest.IsWriteOperation(Operation);

    public bool IsTransfer => Operation == KvOperation.Transfer;

    /// <summary>It may be tried again even when an earlier attempt may have been applied: a read, or a write with an idempotency key.</summary>
    public bool IsRepeatable { get; } = KvRequest.IsWriteOperation(operation) ? KvRequest.HasIdempotencyKey(request) : operation != KvOperation.Transfer;

    /// <summary>Any replica may serve it, as it is.</summary>
    public bool IsStaleRead => KvRequest.IsStaleRead(Request);

    /// <summary>The leader may serve it under a lease, if the cluster has them.</summary>
    public bool IsLeaseRead => KvRequest.IsLeaseRead(Request);

    /// <summary>The key's hash.</summary>
    public ulong Hash { get; } = hash;

    /// <summary>On the host's clock, in µs.</summary>
    public long DeadlineMicros { get; } = deadlineMicros;

    public bool IsCompleted => Volatile.Read(ref _isCompleted) != 0;

    /// <summary>The attempt under way may have appended the write, or begun the transfer, somewhere: until it is known, its outcome is unknown.</summary>
    internal bool MayBeAppended { get; set; }

    /// <summary>
    /// An earlier attempt ended unknown. The request stays unknown until a later attempt with the same idempotency key is applied,
    /// replayed, or refused at apply (design §3.3).
    /// </summary>
    internal bool WasUnknown { get; set; }

    /// <summary>The number it was forwarded under, 0 if it is not forwarded.</summary>
    internal ulong ForwardNumber { get; set; }

    /// <summary>When it came to this node.</summary>
    internal long PostedAt { get; set; }

    /// <summary>When the attempt under way began; 0 when none is.</summary>
    internal long AttemptedAt { get; set; }

    /// <summary>After so long without an answer, in µs, it is tried again, if it may be.</summary>
    internal long RetryAfterMicros { get; set; }

    internal NodeId ForwardedTo { get; set; }

    /// <summary>It was given to the follower here; should that come to nothing, the leader is asked next.</summary>
    internal bool WasReadHere { get; set; }

    /// <summary>The silence of the node it was forwarded to was drawn the consequence of.</summary>
    internal bool IsHintForgotten { get; set; }

    internal GroupId Group { get; set; }

    /// <summary>Waiting for a leader to be known.</summary>
    internal bool IsParked { get; set; }

    /// <summary>The node has not answered in time: the next time it is given twice as long. Another one is not to be paid back for it.</summary>
    internal void OnSilence(NodeId node, long retryMicros) => _slow = (node, 2 * PatienceWith(node, retryMicros));

    internal void ForgetSilence(long retryMicros) => (_slow, RetryAfterMicros) = (default, retryMicros);

    /// <summary>How long to wait for its answer, in µs.</summary>
    internal long PatienceWith(NodeId node, long retryMicros) => node == _slow.Node && _slow.Micros > 0 ? _slow.Micros : retryMicros;

    /// <summary>Completes the call; only the first answer counts.</summary>
    internal void TryComplete(KvResponse response)
    {
        if (Interlocked.Exchange(ref _isCompleted, 1) == 0) OnCompleted(WasUnknown ? response.AfterUnknown() : response);
    }

    /// <summary>Hands the answer to the client. Must not block: it runs on the STEP or APPLY thread.</summary>
    protected abstract void OnCompleted(KvResponse response);
}
