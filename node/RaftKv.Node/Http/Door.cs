using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.Node.Native;
using RaftKv.Node.Telemetry;

namespace RaftKv.Node.Http;

/// <summary>The way from a request to STEP, and back with its answer.</summary>
internal sealed class Door(string nodeName, Limits limits, GroupWorker worker, NodeMetrics metrics)
{
    private readonly AnswerRoom _room = new(limits.MaxUntakenAnswerBytes);

    public string NodeName => nodeName;

    public Limits Limits => limits;

    /// <summary>When a request that names <paramref name="timeoutMillis"/> must be answered, in µs on the host's clock.</summary>
    public static long DeadlineIn(int timeoutMillis) => BootClock.NowMicros + timeoutMillis * 1000L;

    /// <summary>
    /// Ends at the deadline only: a client that goes away abandons the wait, not the write. The caller disposes of it when the answer is written; until then
    /// the answer's values are counted, and with too many of them reads are refused.
    /// </summary>
    public PendingCall Begin(byte[] request, KvOperation operation, ulong hash, long deadline) => Post(new PendingCall(request, operation, hash, deadline, _room));

    /// <summary>The same, for an answer without values, or whose values are counted otherwise: lists are bounded by how many there may be at once.</summary>
    public ValueTask<KvResponse> CallAsync(byte[] request, KvOperation operation, ulong hash, long deadline) =>
        Post(new PendingCall(request, operation, hash, deadline, room: null)).Completion;

    /// <summary>The answer to a write is written.</summary>
    public void OnAnswered(PendingCall call, KvResponse written)
    {
        if (written.Index.Value == 0) return; // Not applied, as far as is known.
        long now = BootClock.NowMicros;
        metrics.Written(now - call.StartedAt);
        if (written.Node == nodeName) metrics.Replied(now - call.CompletedAt);
    }

    private PendingCall Post(PendingCall call)
    {
        if (!worker.TryPost(call, call.Request.Length)) call.Refuse(KvResponse.Fail(ErrorCode.Overloaded, "this node has too much waiting", nodeName));
        return call;
    }
}
