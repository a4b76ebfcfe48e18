using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.Node.Native;
using RaftKv.Node.Telemetry;

namespace RaftKv.Node.Http;

/// <summary>The way from a request to STEP, and back with its answer.</summary>
internal sealed class Door(string nodeName, Limits limits, GroupWorker worker, NodeMetrics metrics)
{
    public string NodeName => nodeName;

    public Limits Limits => limits;

    /// <summary>When a request that names <paramref name="timeoutMillis"/> must be answered, in µs on the host's clock.</summary>
    public static long DeadlineIn(int timeoutMillis) => BootClock.NowMicros + timeoutMillis * 1000L;

    /// <summary>Gives up on the deadline only: a client that goes away abandons the wait, not the write.</summary>
    public ValueTask<KvResponse> CallAsync(byte[] request, KvOperation operation, ulong hash, long deadline) => Begin(request, operation, hash, deadline).Completion;

    /// <summary>The same, for a write that is to be measured: <see cref="OnAnswered"/>.</summary>
    public PendingCall Begin(byte[] request, KvOperation operation, ulong hash, long deadline)
    {
        PendingCall call = new(request, operation, hash, deadline);
        if (!worker.TryPost(call, request.Length)) call.Refuse(KvResponse.Fail(ErrorCode.Overloaded, "this node has too much waiting", nodeName));
        return call;
    }

    /// <summary>The answer to a write is written.</summary>
    public void OnAnswered(PendingCall call, KvResponse written)
    {
        if (written.Index.Value == 0) return; // Not applied, as far as is known.
        long now = BootClock.NowMicros;
        metrics.Written(now - call.StartedAt);
        if (written.Node == nodeName) metrics.Replied(now - call.CompletedAt);
    }
}
