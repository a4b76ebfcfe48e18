using System.Collections.Immutable;
using System.Text;
using RaftKv.Checking;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// A client whose requests are on many keys: batches, transactions and lists, through the plans that the server's door uses. Each item is one operation in
/// its key's history, from when the request was sent to when it was answered. Two keys are only ever written together, by transactions: whoever reads both at
/// once must find them at one revision.
/// </summary>
internal sealed class ManyKeysClient(World world, SplitMix random)
{
    private const long DeadlineMicros = 2_000_000;
    private const int MaxAttempts = 5;
    private const string Left = "k{pair}left";
    private const string Right = "k{pair}right";
    private readonly int _process = world.TakeProcessId();
    private ulong _pairRevision;

    public void Start() => world.After(random.Below(200_000), Next);

    private void Next()
    {
        if (world.IsQuiet) return;
        switch (random.Below(10))
        {
            case < 4: Batch(); break;
            case < 7: WritePair(); break;
            case < 8: ReadPair(); break;
            default: List(); break;
        }
    }

    private void Later() => world.After(random.Below(4 * world.Options.ThinkMicros), Next);

    private void Batch()
    {
        (string Key, RegisterRequest Request)[] asked = [.. Enumerable.Range(0, 1 + (int)random.Below(5)).Select(_ => (World.KeyName((int)random.Below(world.Options.Keys)), Draw()))];
        KvRequest[] items = [.. asked.Select(item => SimClient.Encode(world, random, Bytes(item.Key), item.Request))];
        bool isKeyed = IsKeyed();
        KvBatchPlan plan = new(items, isKeyed ? SimClient.NewUuid7(world, random) : default, world.Map, random.Below(2) == 0 ? 20 : 1_000_000);
        Operation[] open = [.. asked.Select(item => Open(item.Key, item.Request))];
        List<(KvBatchPart Part, KvResponse First)> written = [];
        world.Trace(() => $"client {_process} begins a batch{(isKeyed ? " with an idempotency key" : "")}: {string.Join(", ", asked.Select(item => $"{item.Request} of {item.Key}"))}");
        Ask();

        void Ask()
        {
            IReadOnlyList<KvBatchPart> parts = plan.TakeParts();
            int waiting = parts.Count;
            if (waiting == 0) Finish();
            foreach (KvBatchPart part in parts)
            {
                Send(part.Request, part.Hash, isKeyed || part.Operation == KvOperation.GetMany, answer =>
                {
                    plan.OnAnswer(part, answer);
                    if (part.Operation == KvOperation.Batch && answer.Error is null) written.Add((part, answer));
                    if (--waiting == 0) Ask();
                });
            }
        }

        void Finish()
        {
            for (int i = 0; i < items.Length; i++) Close(open[i], SimCall.OutcomeOf(items[i].Operation, plan.Results[i]), SimCall.PositionOf(items[i].Operation, plan.Results[i], i));
            if (isKeyed && random.Below(100) < 20)
                foreach (var (part, first) in written) RepeatLate(part.Request, part.Hash, first);
            Later();
        }
    }

    /// <summary>A compare-and-put of two keys. To each key's history it is a put of its own, the left one with the condition.</summary>
    private void WritePair()
    {
        ulong seen = random.Below(10) == 0 ? 0 : _pairRevision;
        RegisterRequest left = seen == 0 ? RegisterRequest.PutIfNoneMatch(world.TakeValue()) : RegisterRequest.PutIfMatch(world.TakeValue(), seen);
        RegisterRequest right = RegisterRequest.Put(world.TakeValue());
        KvRequest Plain(string key, RegisterRequest request) => SimClient.Encode(world, random, Bytes(key), request) with { Condition = KvCondition.None, Revision = 0 };
        KvTxn txn = new([new KvCompare(Bytes(Left), KvTarget.Revision, KvRelation.Equal, seen)], [Plain(Left, left), Plain(Right, right)], Gets);
        bool isKeyed = IsKeyed();
        byte[] request = new KvRequest(KvOperation.Txn, default, txn.Encode(), IdempotencyKey: isKeyed ? SimClient.NewUuid7(world, random) : default).Encode();
        Operation openLeft = Open(Left, left);
        Operation openRight = Open(Right, right);
        world.Trace(() => $"client {_process} writes the pair if it is at {seen}{(isKeyed ? ", with an idempotency key" : "")}");
        Send(request, PairHash, isKeyed, answer =>
        {
            if (answer.Error is not null)
            {
                RegisterOutcome outcome = SimCall.OutcomeOf(KvOperation.Put, answer);
                Close(openLeft, outcome, null);
                Close(openRight, outcome, null);
            }
            else
            {
                CheckPair(answer.Items);
                _pairRevision = answer.Items[0].Revision;
                Close(openLeft, answer.Succeeded ? SimCall.OutcomeOf(KvOperation.Put, answer.Items[0]) : RegisterOutcome.Refused(answer.Items[0].Revision), SimCall.PositionOf(KvOperation.Txn, answer, 0));
                Close(openRight, answer.Succeeded ? SimCall.OutcomeOf(KvOperation.Put, answer.Items[1]) : RegisterOutcome.Failed, SimCall.PositionOf(KvOperation.Txn, answer, 1));
                if (isKeyed && random.Below(100) < 20) RepeatLate(request, PairHash, answer);
            }

            Later();
        });
    }

    private void ReadPair()
    {
        KvRequest request = new(KvOperation.ReadTxn, default, new KvTxn([], Gets, []).Encode());
        Operation[] open = [Open(Left, RegisterRequest.Get), Open(Right, RegisterRequest.Get)];
        Send(request.Encode(), PairHash, mayRepeat: true, answer =>
        {
            if (answer.Error is null) CheckPair(answer.Items);
            for (int i = 0; i < open.Length; i++) Close(open[i], SimCall.OutcomeOf(KvOperation.Get, answer.Error is null ? answer.Items[i] : answer), SimCall.PositionOf(KvOperation.ReadTxn, answer));
            Later();
        });
    }

    /// <summary>All keys of the histories. Whatever it shows, or does not, is a read of each key.</summary>
    private void List()
    {
        string[] keys = [.. Enumerable.Range(0, world.Options.Keys).Select(World.KeyName), Left, Right];
        Operation[] open = [.. keys.Select(key => Open(key, RegisterRequest.Get))];
        KvListPlan plan = new(new KvListQuery("k"u8.ToArray(), "l"u8.ToArray()), world.Map, maxBytes: 1 + random.Below(100_000));
        long maxRows = 1 + random.Below(4);
        List<KvListItem> items = [];
        world.Trace(() => $"client {_process} lists");
        Ask();

        void Ask()
        {
            while (plan.TryTake(out KvListItem item)) items.Add(item);
            IReadOnlyList<KvListPart> parts = plan.TakeParts(maxRows);
            int waiting = parts.Count;
            if (waiting == 0) Fetch(0);
            foreach (KvListPart part in parts)
            {
                Send(part.Request, part.Hash, mayRepeat: true, answer =>
                {
                    plan.OnAnswer(part, answer);
                    if (--waiting == 0) Ask();
                });
            }
        }

        // Values that were too large to come along.
        void Fetch(int from)
        {
            int next = items.FindIndex(from, item => item.Row.IsValueLeftOut);
            if (next < 0 || plan.Failure is not null)
            {
                Finish();
                return;
            }

            KvRow row = items[next].Row;
            Send(new KvRequest(KvOperation.Get, row.Key, Revision: items[next].AsOf).Encode(), KeyHash.Of(row.Key.Span), mayRepeat: true, answer =>
            {
                if (answer.Error is null)
                {
                    Invariant.Holds(answer.Revision == row.Revision, $"listed at {row.Revision}, found at {answer.Revision}");
                    items[next] = items[next] with { Row = row with { Value = answer.Value } };
                }
                else
                {
                    plan.OnLost(answer);
                }

                Fetch(next + 1);
            });
        }

        void Finish()
        {
            for (int i = 1; i < items.Count; i++) Invariant.Holds(items[i - 1].Row.Key.Span.SequenceCompareTo(items[i].Row.Key.Span) < 0, "a list out of order");
            Dictionary<string, KvRow> shown = items.ToDictionary(item => Encoding.UTF8.GetString(item.Row.Key.Span), item => item.Row);
            if (plan.Failure is null) Invariant.Holds(shown.GetValueOrDefault(Left).Revision == shown.GetValueOrDefault(Right).Revision, "a list shows half a transaction");
            for (int i = 0; i < keys.Length; i++)
                Close(open[i], plan.Failure is not null ? RegisterOutcome.Failed : shown.TryGetValue(keys[i], out KvRow row) ? SimCall.Found(row.Value, row.Revision) : RegisterOutcome.Absent, null); // A list stands at no one index.
            Later();
        }
    }

    private static ulong PairHash { get; } = KeyHash.Of(Bytes(Left));

    private static ImmutableArray<KvRequest> Gets { get; } = [new(KvOperation.Get, Bytes(Left)), new(KvOperation.Get, Bytes(Right))];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static void CheckPair(ImmutableArray<KvResponse> items) =>
        Invariant.Holds(items[0].Revision == items[1].Revision, $"half a transaction: {Left} is at {items[0].Revision}, {Right} at {items[1].Revision}");

    private RegisterRequest Draw() => random.Below(10) switch
    {
        < 4 => RegisterRequest.Get,
        < 5 => RegisterRequest.Delete,
        _ => RegisterRequest.Put(world.TakeValue()),
    };

    private bool IsKeyed() => random.Below(100) < world.Options.KeyedPercent;

    /// <summary>Asks one node; what may be repeated is, elsewhere, until its outcome is known.</summary>
    private void Send(byte[] request, ulong hash, bool mayRepeat, Action<KvResponse> onDone, int attempt = 1, bool wasUnknown = false)
    {
        SimNode node = world.Nodes[(int)random.Below(world.Nodes.Count)];
        SimCall.Send(world, node, request, hash, DeadlineMicros, told =>
        {
            KvResponse answer = wasUnknown ? told.AfterUnknown() : told;
            bool isUnknown = answer.Error is { Outcome: ErrorOutcome.Unknown };
            if (mayRepeat && isUnknown && attempt < MaxAttempts) world.After(random.Below(500_000), () => Send(request, hash, mayRepeat, onDone, attempt + 1, wasUnknown: true));
            else onDone(answer);
        });
    }

    /// <summary>A duplicate that turns up late may answer the first result, or be refused, but must never be applied again.</summary>
    private void RepeatLate(byte[] request, ulong hash, KvResponse first) => world.After(random.Below(40_000_000), () =>
    {
        if (world.IsQuiet) return;
        Send(request, hash, mayRepeat: false, late =>
        {
            if (late.Error is not null) return;
            for (int i = 0; i < first.Items.Length; i++)
                Invariant.Holds(
                    late.Items[i].Error is { } error && error != ErrorCode.PreconditionFailed || (late.Items[i].Revision == first.Items[i].Revision && late.Items[i].IsReplay),
                    $"a late repetition of item {i} was told {late.Items[i]}, at first it was {first.Items[i]}");
        });
    });

    private Operation Open(string key, RegisterRequest request)
    {
        Operation open = new(key, _process, world.Now, Operation.Never, request, RegisterOutcome.Unknown, "many");
        world.Open(open);
        return open;
    }

    private void Close(Operation open, RegisterOutcome outcome, Position? position) => world.Record(open, open with { Return = world.Now, Outcome = outcome, Position = position });
}
