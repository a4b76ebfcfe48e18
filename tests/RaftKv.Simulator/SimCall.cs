using System.Buffers.Binary;
using RaftKv.Checking;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>How a call ended for who made it.</summary>
internal enum CallEnd
{
    Answered,

    /// <summary>Nobody was there to take it.</summary>
    NotSent,

    /// <summary>The node died with it.</summary>
    Broken,
}

/// <summary>A client's call at a simulated node.</summary>
internal sealed class SimCall : KvCall
{
    private readonly World _world;
    private readonly Action<CallEnd, KvResponse> _onDone;
    private readonly GroupId _group;
    private readonly LogIndex _floor;
    private readonly long _begunAt;
    private bool _isAnswered;

    private SimCall(World world, byte[] request, KvOperation operation, ulong hash, long deadline, Action<CallEnd, KvResponse> onDone)
        : base(request, operation, hash, deadline)
    {
        _world = world;
        _onDone = onDone;
        _group = new GroupId(world.Map.ByHash(hash).Id);
        _floor = world.FloorOf(_group);
        _begunAt = world.Now;
    }

    /// <summary>Sends an encoded request to a node; <paramref name="onDone"/> hears once how the call ended and what the client may be told then.</summary>
    public static void Send(World world, SimNode node, byte[] request, ulong hash, long timeoutMicros, Action<CallEnd, KvResponse> onDone)
    {
        SimCall call = new(world, request, KvRequest.Decode(request).Operation, hash, node.Now + timeoutMicros, onDone);
        if (!node.TryCall(call)) call.Answer(CallEnd.NotSent, KvResponse.Fail(ErrorCode.NoLeader, "nobody there"));
    }

    /// <summary>The same for a client to which all that matters is what became of its request.</summary>
    public static void Send(World world, SimNode node, byte[] request, ulong hash, long timeoutMicros, Action<KvResponse> onDone) =>
        Send(world, node, request, hash, timeoutMicros, (_, response) => onDone(response));

    /// <summary>The same for a request on one key, and what the answer means for the history of that key.</summary>
    public static void Send(World world, SimNode node, byte[] request, ReadOnlySpan<byte> key, long timeoutMicros, Action<RegisterOutcome> onDone)
    {
        KvOperation operation = KvRequest.Decode(request).Operation;
        Send(world, node, request, KeyHash.Of(key), timeoutMicros, response => onDone(OutcomeOf(operation, response)));
    }

    /// <summary>The node died: whatever it was doing, the client will not hear of it.</summary>
    public void OnConnectionLost() => Answer(CallEnd.Broken, KvResponse.Fail(ErrorCode.OutcomeUnknown, "the connection was lost"));

    /// <summary>Refused at the door: definitely not applied.</summary>
    public void Refuse() => Answer(CallEnd.Answered, KvResponse.Fail(ErrorCode.Overloaded, "this node has too much waiting"));

    /// <summary>What the answer to a put, get or delete means for the history of its key.</summary>
    public static RegisterOutcome OutcomeOf(KvOperation operation, KvResponse response)
    {
        if (response.Error == ErrorCode.PreconditionFailed) return RegisterOutcome.Refused(response.Revision);
        if (response.Error is { } error) return error.Outcome == ErrorOutcome.Unknown ? RegisterOutcome.Unknown : RegisterOutcome.Failed;
        return operation switch
        {
            KvOperation.Get => response.Existed ? Found(response.Value, response.Revision) : RegisterOutcome.Absent,
            KvOperation.Delete => response.Existed ? RegisterOutcome.Deleted(response.Revision, response.PrevRevision) : RegisterOutcome.NothingDeleted,
            _ => RegisterOutcome.Written(response.Revision, response.PrevRevision),
        };
    }

    /// <summary>Where the answer says that it stands in its shard's order; null if it says nothing of that.</summary>
    /// <param name="item">Of a batch or transaction.</param>
    public static Position? PositionOf(KvOperation operation, KvResponse response, int item = 0)
    {
        if (response.Index.Value == 0) return null;
        return operation is KvOperation.Get or KvOperation.ReadTxn ? Position.OfRead(response.Group.Value, response.Index.Value) : Position.OfWrite(response.Group.Value, response.Index.Value, item);
    }

    public static RegisterOutcome Found(ReadOnlyMemory<byte> value, ulong revision) => RegisterOutcome.Found(BinaryPrimitives.ReadInt64LittleEndian(value.Span), revision);

    protected override void OnCompleted(KvResponse response)
    {
        _world.Trace(() => $"answer to {Operation} of {response.Group}: {response.Error?.Code ?? "ok"}{(response.IsReplay ? " replayed" : "")} revision {response.Revision} at {response.Index}/{response.Term} by {response.Node} {response.Detail}");
        if (response.IsReplay || response.Items.Any(item => item.IsReplay)) _world.CountReplay();
        else if (IsStaleRead) CheckAge(response);
        else if (response.Index != LogIndex.Zero) CheckFloor(response);
        CheckRoom(response);
        Answer(CallEnd.Answered, response);
    }

    /// <summary>
    /// Whoever asks after an answer from index i was given must be answered from i or later. It sees a read that did not wait for its index even
    /// when the value happens to be right.
    /// </summary>
    private void CheckFloor(KvResponse response)
    {
        Invariant.Holds(response.Index >= _floor, $"{_group}: answered from {response.Index}, but {_floor} had been shown before the call began");
        _world.RaiseFloor(_group, response.Index);
    }

    /// <summary>
    /// A stale read may miss what was shown within its age before the call began, by the clock of the node that served it; nothing older.
    /// </summary>
    private void CheckAge(KvResponse response)
    {
        if (response.Error is not null) return;
        _world.CountStale(response.AgeMicros is not null);
        if (response.AgeMicros is not { } age) return;
        SimNode server = _world.Nodes.First(node => node.Name == response.Node);
        LogIndex floor = _world.FloorOf(_group, server.TimeWhenItsClockRead(server.ClockAt(_begunAt) - age));
        Invariant.Holds(response.Index >= floor, $"{_group}: a stale read at {server.Name} says that it is at most {age} µs old and is of {response.Index}, but {floor} had been shown before");
    }

    /// <summary>Of a leader whose disk was below the floor all the time no put can have been taken (design §10).</summary>
    private void CheckRoom(KvResponse response)
    {
        if (response.Error is not null || response.IsReplay || response.Items.Any(item => item.IsReplay) || !KvRequest.HasPut(Request)) return;
        SimNode leader = _world.Nodes.First(node => node.Name == response.Node);
        Invariant.Holds(leader.FullSince is not { } since || since > _begunAt, $"{_group}: {leader.Name} took a put although its disk was full");
    }

    private void Answer(CallEnd end, KvResponse response)
    {
        if (_isAnswered) return;
        _isAnswered = true;
        _world.After(10, () => _onDone(end, response));
    }
}
