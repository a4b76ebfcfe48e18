using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.Node.Native;

namespace RaftKv.Node.Http;

/// <summary>The way from a request to STEP, and back with its answer.</summary>
internal sealed class Door(string nodeName, Limits limits, GroupWorker worker)
{
    public string NodeName => nodeName;

    public Limits Limits => limits;

    /// <summary>When a request that names <paramref name="timeoutMillis"/> must be answered, in µs on the host's clock.</summary>
    public static long DeadlineIn(int timeoutMillis) => BootClock.NowMicros + timeoutMillis * 1000L;

    /// <summary>Gives up on the deadline only: a client that goes away abandons the wait, not the write.</summary>
    public ValueTask<KvResponse> CallAsync(byte[] request, KvOperation operation, ulong hash, long deadline)
    {
        PendingCall call = new(request, operation, hash, deadline);
        return worker.TryPost(call, request.Length) ? call.Completion : new ValueTask<KvResponse>(KvResponse.Fail(ErrorCode.Overloaded, "this node has too much waiting", nodeName));
    }
}
