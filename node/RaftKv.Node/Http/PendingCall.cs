using System.Threading.Tasks.Sources;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Node.Native;

namespace RaftKv.Node.Http;

/// <summary>A call that a request waits for. Awaited once, and disposed when its answer is written.</summary>
/// <remarks>
/// Not reused: an attempt that lost the race against the deadline may still complete it later. The waiter continues on the
/// thread pool, never on the STEP or APPLY thread that completes it.
/// </remarks>
/// <param name="room">For the values of its answer; a read that finds none there is refused. Null: the answer is bounded otherwise.</param>
internal sealed class PendingCall(byte[] request, KvOperation operation, ulong hash, long deadlineMicros, AnswerRoom? room)
    : KvCall(request, operation, hash, deadlineMicros), IValueTaskSource<KvResponse>, IDisposable
{
    private long _roomTaken;
    private ManualResetValueTaskSourceCore<KvResponse> _completion = new() { RunContinuationsAsynchronously = true };

    public ValueTask<KvResponse> Completion => new(this, _completion.Version);

    /// <summary>When it was made, in µs on the host's clock.</summary>
    public long StartedAt { get; } = BootClock.NowMicros;

    /// <summary>When its answer was there.</summary>
    public long CompletedAt { get; private set; }

    /// <summary>Answers a call that was never posted.</summary>
    public void Refuse(KvResponse response) => OnCompleted(response);

    protected override void OnCompleted(KvResponse response)
    {
        CompletedAt = BootClock.NowMicros;
        _completion.SetResult(WithRoom(response));
    }

    /// <summary>Once, after the completion was awaited.</summary>
    public void Dispose() => room?.GiveBack(_roomTaken);

    private KvResponse WithRoom(KvResponse response)
    {
        long bytes = response.ValueBytes;
        if (room is null || bytes == 0) return response;
        if (IsWrite) room.Take(bytes);
        else if (!room.TryTake(bytes))
            return KvResponse.Fail(ErrorCode.Overloaded, $"{room.Bytes} bytes of answers wait for clients that do not take them, the limit is {room.MaxBytes}", response.Node, response.Group).Over(room.MaxBytes, room.Bytes);
        _roomTaken = bytes;
        return response;
    }

    KvResponse IValueTaskSource<KvResponse>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<KvResponse>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<KvResponse>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);
}
