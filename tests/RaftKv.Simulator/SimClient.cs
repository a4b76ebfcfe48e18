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
/// <param name="planned">Issues its requests by the client library's plan; null for a client that repeats as it likes.</param>
internal sealed class SimClient(World world, SplitMix random, PlannedRequests? planned = null)
{
    private const long DeadlineMicros = 2_000_000;
    private const int MaxAttempts = 5;
    private readonly Dictionary<int, ulong> _lastSeen = [];
    private int _process = world.TakeProcessId();

    public void Start() => world.After(random.Below(200_000), Next);

    /// <summary>Calls until it gets a definite answer or <paramref name="until"/> has passed.</summary>
    public void Insist(SimNode node, int key, RegisterRequest request, long until, Action onDone)
    {
        if (world.Now > until) throw new InvariantViolatedException($"no progress: {request} of {World.KeyName(key)} had no definite answer from {node.Name} in the quiet phase: {world.DescribeGroups()}");
        Call(key, request, node, outcome =>
        {
            if (outcome.Kind == OutcomeKind.Ok) onDone();
            else world.After(20_000, () => Insist(node, key, request.Kind == RequestKind.Put ? RegisterRequest.Put(world.TakeValue()) : request, until, onDone));
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

    /// <summary>
    /// Asks one node; a write with an idempotency key is repeated elsewhere until its outcome is known. However many attempts it takes,
    /// to the history it is one operation.
    /// </summary>
    private void Call(int key, RegisterRequest request, SimNode node, Action<RegisterOutcome> onDone)
    {
        bool isKeyed = request.Kind != RequestKind.Get && random.Below(100) < world.Options.KeyedPercent;
        byte[] keyBytes = Encoding.UTF8.GetBytes(World.KeyName(key));
        KvRequest asked = Encode(world, random, keyBytes, request) with { IdempotencyKey = isKeyed ? NewUuid7(world, random) : default };
        byte[] encoded = asked.Encode();
        Operation open = new(World.KeyName(key), _process, world.Now, Operation.Never, request, RegisterOutcome.Unknown, node.Name);
        world.Open(open);
        if (planned is null) Attempt(1, false);
        else Plan();

        void Attempt(int number, bool wasUnknown)
        {
            SimNode target = number == 1 ? node : world.Nodes[(int)random.Below(world.Nodes.Count)];
            world.Trace(() => $"client {_process} asks {target.Name}: {request} of {World.KeyName(key)}{(isKeyed ? $" with an idempotency key, attempt {number}" : "")}");
            SimCall.Send(world, target, encoded, KeyHash.Of(keyBytes), DeadlineMicros, answer =>
            {
                RegisterOutcome told = SimCall.OutcomeOf(asked.Operation, answer);
                bool isOpen = told.Kind == OutcomeKind.Unknown || (told.Kind == OutcomeKind.Failed && wasUnknown);
                if (isKeyed && isOpen && number < MaxAttempts) world.After(random.Below(500_000), () => Attempt(number + 1, true));
                else Finish(isOpen ? RegisterOutcome.Unknown : told, answer);
            });
        }

        void Plan()
        {
            world.Trace(() => $"client {_process} plans: {request} of {World.KeyName(key)}{(isKeyed ? " with an idempotency key" : "")}");
            Client.RequestKind kind = request.Kind == RequestKind.Get ? Client.RequestKind.Read : isKeyed ? Client.RequestKind.KeyedWrite : Client.RequestKind.Write;
            planned.Issue(kind, encoded, KeyHash.Of(keyBytes), (outcome, last) => Finish(outcome switch
            {
                Client.RequestOutcome.Applied => SimCall.OutcomeOf(asked.Operation, last!),
                Client.RequestOutcome.Unknown => RegisterOutcome.Unknown,
                _ => last?.Error == ErrorCode.PreconditionFailed ? RegisterOutcome.Refused(last.Revision) : RegisterOutcome.Failed,
            }, last));
        }

        void Finish(RegisterOutcome told, KvResponse? last)
        {
            world.Record(open, open with { Return = world.Now, Outcome = told, Position = last is null ? null : SimCall.PositionOf(asked.Operation, last) });
            if (told.Kind == OutcomeKind.Unknown) _process = world.TakeProcessId();
            else if (told.Kind != OutcomeKind.Failed) _lastSeen[key] = told.Revision ?? 0;
            if (isKeyed && told.Kind == OutcomeKind.Ok && random.Below(100) < 20) world.After(random.Below(40_000_000), () => RepeatLate(encoded, keyBytes, told));
            if (request.Kind == RequestKind.Put && told.Kind == OutcomeKind.Ok && random.Below(100) < 20) world.After(random.Below(12_000_000), () => ReadThePast(keyBytes, request.Value, told.Revision!.Value));
            if (random.Below(100) < 10) world.After(random.Below(300_000), () => ReadStale(keyBytes));
            onDone(told);
        }
    }

    /// <summary>Any replica answers, from what it has, and says how old that may be.</summary>
    private void ReadStale(byte[] keyBytes)
    {
        if (world.IsQuiet) return;
        byte[] request = new KvRequest(KvOperation.Get, keyBytes, Consistency: KvConsistency.Stale).Encode();
        SimCall.Send(world, world.Nodes[(int)random.Below(world.Nodes.Count)], request, KeyHash.Of(keyBytes), DeadlineMicros, _ => { });
    }

    /// <summary>What was written is read at its revision for as long as the history is kept; then nothing is, and never anything else.</summary>
    private void ReadThePast(byte[] keyBytes, long value, ulong revision)
    {
        if (world.IsQuiet) return;
        byte[] request = new KvRequest(KvOperation.Get, keyBytes, Revision: revision).Encode();
        SimCall.Send(world, world.Nodes[(int)random.Below(world.Nodes.Count)], request, KeyHash.Of(keyBytes), DeadlineMicros, answer =>
        {
            world.CountPast(answer.Error);
            if (answer.Error is not null) return;
            Invariant.Holds(answer.Revision == revision && BinaryPrimitives.ReadInt64LittleEndian(answer.Value.Span) == value, $"{Encoding.UTF8.GetString(keyBytes)} was written at {revision}, and is read there as of {answer.Revision}");
        });
    }

    /// <summary>
    /// A duplicate turns up long after its request was answered, perhaps after the window has passed: it may answer the first result, or
    /// be refused, but must never be applied again.
    /// </summary>
    private void RepeatLate(byte[] encoded, byte[] keyBytes, RegisterOutcome first)
    {
        if (world.IsQuiet) return;
        SimCall.Send(world, world.Nodes[(int)random.Below(world.Nodes.Count)], encoded, keyBytes, DeadlineMicros, told =>
            Invariant.Holds(told.Kind is OutcomeKind.Unknown or OutcomeKind.Failed || told == first, $"a late repetition of {Encoding.UTF8.GetString(keyBytes)} was told {told}, at first it was {first}"));
    }

    /// <summary>A UUIDv7 (RFC 9562) of virtual time, as our client makes them.</summary>
    internal static byte[] NewUuid7(World world, SplitMix random)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, (1_700_000_000_000 + (ulong)world.Now / 1000) << 16 | 0x7000 | (ulong)random.Below(4096));
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], 0x8000_0000_0000_0000 | (random.Next() >> 2));
        return Encoding.ASCII.GetBytes(new Guid(bytes, bigEndian: true).ToString("D"));
    }

    internal static KvRequest Encode(World world, SplitMix random, byte[] key, RegisterRequest request)
    {
        KvCondition condition = request.Condition switch
        {
            ConditionKind.IfMatch => KvCondition.RevisionIs,
            ConditionKind.IfNoneMatch => KvCondition.Absent,
            _ => KvCondition.None,
        };
        byte[] value = new byte[8 + (int)random.Below(world.Options.MaxPaddingBytes + 1)];
        BinaryPrimitives.WriteInt64LittleEndian(value, request.Value);
        return request.Kind switch
        {
            RequestKind.Get => new KvRequest(KvOperation.Get, key, Consistency: world.Options.HasLeases && random.Chance(500_000) ? KvConsistency.Lease : KvConsistency.Linearizable),
            RequestKind.Delete => new KvRequest(KvOperation.Delete, key, default, condition, request.MatchRevision),
            _ => new KvRequest(KvOperation.Put, key, value, condition, request.MatchRevision),
        };
    }
}
