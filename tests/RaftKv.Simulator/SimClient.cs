using System.Buffers.Binary;
using System.Text;
using RaftKv.Checking;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// A client: one call at a time, at any node, on any key; notes what it asked and what it was told. After an unknown outcome
/// it goes on as another process, for the old one never returned.
/// </summary>
internal sealed class SimClient(World world, SplitMix random)
{
    private const long DeadlineMicros = 2_000_000;
    private readonly Dictionary<int, ulong> _lastSeen = [];
    private int _process = world.TakeProcessId();

    public void Start() => world.After(random.Below(200_000), Next);

    /// <summary>Calls until it gets a definite answer or <paramref name="until"/> has passed.</summary>
    public void Insist(int key, RegisterRequest request, long until, Action onDone)
    {
        if (world.Now > until) throw new InvariantViolatedException($"no progress: {request} of {World.KeyName(key)} had no definite answer in the quiet phase");
        Call(key, request, world.Nodes[(int)random.Below(world.Nodes.Count)], outcome =>
        {
            if (outcome.Kind == OutcomeKind.Ok) onDone();
            else world.After(20_000, () => Insist(key, request.Kind == RequestKind.Put ? RegisterRequest.Put(world.TakeValue()) : request, until, onDone));
        });
    }

    private void Next()
    {
        if (world.IsQuiet) return;
        int key = (int)random.Below(world.Options.Keys);
        Call(key, Draw(key), world.Nodes[(int)random.Below(world.Nodes.Count)], _ => world.After(random.Below(2 * world.Options.ThinkMicros), Next));
    }

    private RegisterRequest Draw(int key)
    {
        if (random.Below(100) < world.Options.ReadPercent) return RegisterRequest.Get;
        bool isDelete = random.Below(100) < 15;
        bool isConditional = random.Below(100) < world.Options.ConditionPercent;
        ulong seen = _lastSeen.GetValueOrDefault(key);
        if (isDelete) return isConditional && seen > 0 ? RegisterRequest.DeleteIfMatch(seen) : RegisterRequest.Delete;
        long value = world.TakeValue();
        if (!isConditional) return RegisterRequest.Put(value);
        return seen == 0 ? RegisterRequest.PutIfNoneMatch(value) : RegisterRequest.PutIfMatch(value, seen);
    }

    private void Call(int key, RegisterRequest request, SimNode node, Action<RegisterOutcome> onDone)
    {
        byte[] keyBytes = Encoding.UTF8.GetBytes(World.KeyName(key));
        long calledAt = world.Now;
        byte[] encoded = Encode(keyBytes, request).Encode();
        KvOperation operation = KvRequest.Decode(encoded).Operation;
        Operation open = new(World.KeyName(key), _process, calledAt, Operation.Never, request, RegisterOutcome.Unknown, node.Name);
        SimCall call = new(world, encoded, operation, KeyHash.Of(keyBytes), node.Now + DeadlineMicros, told =>
        {
            world.Record(open, open with { Return = world.Now, Outcome = told });
            if (told.Kind == OutcomeKind.Unknown) _process = world.TakeProcessId();
            else if (told.Kind != OutcomeKind.Failed) _lastSeen[key] = told.Revision ?? 0;
            onDone(told);
        });
        world.Trace(() => $"client {_process} asks {node.Name}: {request} of {World.KeyName(key)}");
        world.Open(open);
        if (!node.TryCall(call)) call.Refuse();
    }

    private static KvRequest Encode(byte[] key, RegisterRequest request)
    {
        KvCondition condition = request.Condition switch
        {
            ConditionKind.IfMatch => KvCondition.RevisionIs,
            ConditionKind.IfNoneMatch => KvCondition.Absent,
            _ => KvCondition.None,
        };
        byte[] value = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(value, request.Value);
        return request.Kind switch
        {
            RequestKind.Get => new KvRequest(KvOperation.Get, key),
            RequestKind.Delete => new KvRequest(KvOperation.Delete, key, default, condition, request.MatchRevision),
            _ => new KvRequest(KvOperation.Put, key, value, condition, request.MatchRevision),
        };
    }
}

/// <summary>A client's call at a simulated node.</summary>
internal sealed class SimCall(World world, byte[] request, KvOperation operation, ulong hash, long deadline, Action<RegisterOutcome> onDone)
    : KvCall(request, operation, hash, deadline)
{
    private bool _isAnswered;

    /// <summary>The node died: whatever it was doing, the client will not hear of it.</summary>
    public void OnConnectionLost() => Answer(RegisterOutcome.Unknown);

    /// <summary>Refused at the door, or nobody there: definitely not applied.</summary>
    public void Refuse() => Answer(RegisterOutcome.Failed);

    protected override void OnCompleted(KvResponse response)
    {
        world.Trace(() => $"answer to {Operation} of {response.Group}: {response.Error?.Code ?? "ok"} revision {response.Revision} at {response.Index}/{response.Term} by {response.Node} {response.Detail}");
        Answer(OutcomeOf(response));
    }

    private void Answer(RegisterOutcome outcome)
    {
        if (_isAnswered) return;
        _isAnswered = true;
        world.After(10, () => onDone(outcome));
    }

    private RegisterOutcome OutcomeOf(KvResponse response)
    {
        if (response.Error == ErrorCode.PreconditionFailed) return RegisterOutcome.Refused(response.Revision);
        if (response.Error is { } error) return error.Outcome == ErrorOutcome.Unknown ? RegisterOutcome.Unknown : RegisterOutcome.Failed;
        return Operation switch
        {
            KvOperation.Get => response.Existed ? RegisterOutcome.Found(BinaryPrimitives.ReadInt64LittleEndian(response.Value.Span), response.Revision) : RegisterOutcome.Absent,
            KvOperation.Delete => response.Existed ? RegisterOutcome.Deleted(response.Revision, response.PrevRevision) : RegisterOutcome.NothingDeleted,
            _ => RegisterOutcome.Written(response.Revision, response.PrevRevision),
        };
    }
}
