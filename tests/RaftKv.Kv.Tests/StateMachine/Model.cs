using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>What a shard should do, as a dictionary: written from the design (§8, §9), not from the code.</summary>
internal sealed class Model(HashRange range, Limits limits)
{
    private readonly SortedDictionary<string, Current> _current = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Record> _records = [];
    private readonly Dictionary<string, List<(ulong Revision, Current? Current)>> _history = [];

    public ulong Revision { get; private set; }

    public ulong TimeMillis { get; private set; }

    public ulong Floor { get; private set; }

    public int Records => _records.Count;

    /// <summary>The earliest deadline of anything.</summary>
    public ulong? NextDeadline
    {
        get
        {
            ulong[] deadlines = [.. _records.Values.Select(record => record.Deadline), .. _current.Values.Select(current => current.Deadline).Where(deadline => deadline > 0)];
            return deadlines.Length == 0 ? null : deadlines.Min();
        }
    }

    private ShardEpoch _epoch = ShardEpoch.Initial;

    public sealed record Current(ulong Revision, ulong Created, ulong Version, byte[] Value, ulong Deadline);

    private sealed record Record(string Request, object First, ulong Deadline, ulong? Timestamp);

    public Current? Find(byte[] key) => _current.GetValueOrDefault(Convert.ToHexString(key));

    /// <summary>What the key was after the write of that revision, or the last one before it.</summary>
    public Current? FindAt(byte[] key, ulong revision) => _history.GetValueOrDefault(Convert.ToHexString(key), []).LastOrDefault(change => change.Revision <= revision).Current;

    /// <summary>The results that the entry's owner is told: a transaction's, or one per item; none for what is no command.</summary>
    public object[] Apply(Entry entry)
    {
        TimeMillis = Math.Max(TimeMillis, entry.StampMillis);
        if (entry.Kind == EntryKind.Configuration) _epoch = _epoch with { ConfVersion = _epoch.ConfVersion + 1 };
        if (entry.Kind != EntryKind.Command) return [];
        KvRequest request = KvRequest.Decode(entry.Payload);
        switch (request.Operation)
        {
            case KvOperation.Expire:
                Expire(entry.RevisionFloor);
                return [];
            case KvOperation.Batch:
                KvBatch batch = KvBatch.Decode(request.Value);
                return [.. batch.Items.Select(item => ApplyOnce(entry, item.Request with { IdempotencyKey = request.IdempotencyKey }, item.Position, $"batch {batch.Fingerprint}"))];
            case KvOperation.Txn:
                return [ApplyTxnOnce(entry, request)];
            default:
                return [ApplyOnce(entry, request, 0, Convert.ToHexString(entry.Payload.Span))];
        }
    }

    private void Expire(ulong floor)
    {
        foreach (var (id, record) in _records.Where(pair => pair.Value.Deadline <= TimeMillis).ToArray())
        {
            _records.Remove(id);
            Floor = Math.Max(Floor, record.Timestamp ?? 0);
        }

        foreach (var (key, current) in _current.Where(pair => pair.Value.Deadline > 0 && pair.Value.Deadline <= TimeMillis).OrderBy(pair => (pair.Value.Deadline, pair.Value.Revision)).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToArray())
        {
            Revision = Math.Max(floor, Revision + 1);
            Set(key, null);
        }
    }

    private void Set(string key, Current? current)
    {
        if (current is null) _current.Remove(key);
        else _current[key] = current;
        if (!_history.TryGetValue(key, out var changes)) _history.Add(key, changes = []);
        changes.Add((Revision, current));
    }

    /// <summary>At most once: the first result again for a repetition, and nothing for what must not be (design §9).</summary>
    private KvApplied ApplyOnce(in Entry entry, KvRequest request, uint item, string whole)
    {
        if (!range.Contains(KeyHash.Of(request.Key.Span))) return Result(ErrorCode.WrongShard);
        if (request.IdempotencyKey.IsEmpty) return Apply(request, entry.RevisionFloor);
        string id = $"{Convert.ToHexString(request.Key.Span)}/{Convert.ToHexString(request.IdempotencyKey.Span)}/{item}";
        if (_records.TryGetValue(id, out Record? record)) return record.Request == whole ? (KvApplied)record.First with { Epoch = _epoch } : Result(ErrorCode.IdempotencyKeyReused);
        ulong? timestamp = TimestampOf(request.IdempotencyKey);
        if (timestamp <= Floor) return Result(ErrorCode.IdempotencyWindowPassed);
        if (_records.Count >= limits.MaxIdempotencyRecordsPerShard) return Result(ErrorCode.IdempotencyRecordsFull) with { Exceeded = Full };
        KvApplied first = Apply(request, entry.RevisionFloor);
        _records.Add(id, new Record(whole, first with { FirstIndex = entry.Index, FirstTerm = entry.Term }, TimeMillis + (ulong)limits.IdempotencyWindowMillis, timestamp));
        return first;
    }

    private KvTxnApplied ApplyTxnOnce(in Entry entry, KvRequest request)
    {
        KvTxn txn = KvTxn.Decode(request.Value);
        string[] keys = [.. txn.Keys.Select(key => Convert.ToHexString(key.Span)).Order(StringComparer.Ordinal)];
        if (!keys.All(key => range.Contains(KeyHash.Of(Convert.FromHexString(key))))) return Refused(ErrorCode.WrongShard);
        if (request.IdempotencyKey.IsEmpty) return Run(txn, entry.RevisionFloor);
        string id = $"{keys[0]}/{Convert.ToHexString(request.IdempotencyKey.Span)}/0";
        string whole = Convert.ToHexString(entry.Payload.Span);
        if (_records.TryGetValue(id, out Record? record)) return record.Request == whole ? (KvTxnApplied)record.First with { Epoch = _epoch } : Refused(ErrorCode.IdempotencyKeyReused);
        if (TimestampOf(request.IdempotencyKey) <= Floor) return Refused(ErrorCode.IdempotencyWindowPassed);
        if (_records.Count >= limits.MaxIdempotencyRecordsPerShard) return Refused(ErrorCode.IdempotencyRecordsFull) with { Exceeded = Full };
        KvTxnApplied first = Run(txn, entry.RevisionFloor);
        if (first.Error is not null) return first;
        _records.Add(id, new Record(whole, first with { FirstIndex = entry.Index, FirstTerm = entry.Term }, TimeMillis + (ulong)limits.IdempotencyWindowMillis, TimestampOf(request.IdempotencyKey)));
        return first;
    }

    /// <summary>On a copy of the keys, which becomes the state only if the result is not too large.</summary>
    private KvTxnApplied Run(KvTxn txn, ulong floor)
    {
        bool holds = txn.Compare.All(Holds);
        ulong revision = Math.Max(floor, Revision + 1);
        Dictionary<string, Current?> written = [];
        List<KvTxnItem> items = [];
        foreach (KvRequest operation in holds ? txn.Then : txn.Else)
        {
            string key = Convert.ToHexString(operation.Key.Span);
            Current? current = written.TryGetValue(key, out Current? own) ? own : _current.GetValueOrDefault(key);
            switch (operation.Operation)
            {
                case KvOperation.Get:
                    items.Add(current is null ? default : new KvTxnItem(current.Revision, 0, current.Created, current.Version, true, TtlOf(current), current.Value));
                    break;
                case KvOperation.Delete:
                    if (current is not null) written[key] = null;
                    items.Add(new KvTxnItem(current is null ? 0 : revision, current?.Revision ?? 0, 0, 0, current is not null));
                    break;
                default:
                    Current next = new(revision, current?.Created ?? revision, (current?.Version ?? 0) + 1, operation.Value.ToArray(), operation.TtlMillis == 0 ? 0 : TimeMillis + operation.TtlMillis);
                    written[key] = next;
                    items.Add(new KvTxnItem(revision, current?.Revision ?? 0, next.Created, next.Version, current is not null));
                    break;
            }
        }

        long sum = 0;
        foreach (KvTxnItem item in items)
            if ((sum += item.Value.Length) > limits.MaxBatchBytes) return Refused(ErrorCode.BatchTooLarge) with { Exceeded = new LimitExceeded(limits.MaxBatchBytes, sum) };
        if (written.Count > 0) Revision = revision;
        foreach (var (key, current) in written) Set(key, current);
        return new KvTxnApplied(null, holds, Revision, [.. items], _epoch);
    }

    private bool Holds(KvCompare compare)
    {
        Current? current = Find(compare.Key.ToArray());
        if (compare.Target == KvTarget.Value && current is null) return false;
        int sign = compare.Target switch
        {
            KvTarget.Value => current!.Value.AsSpan().SequenceCompareTo(compare.Value.Span),
            KvTarget.Exists => (current is null ? 0UL : 1UL).CompareTo(compare.Number),
            KvTarget.Revision => (current?.Revision ?? 0).CompareTo(compare.Number),
            KvTarget.Version => (current?.Version ?? 0).CompareTo(compare.Number),
            _ => (current?.Created ?? 0).CompareTo(compare.Number),
        };
        return compare.Relation switch { KvRelation.Equal => sign == 0, KvRelation.NotEqual => sign != 0, KvRelation.Less => sign < 0, _ => sign > 0 };
    }

    private LimitExceeded Full => new(limits.MaxIdempotencyRecordsPerShard, _records.Count);

    private KvTxnApplied Refused(ErrorCode error) => new(error, false, 0, [], _epoch);

    /// <summary>0 is for ever; what is left of anything else is at least a millisecond.</summary>
    public ulong TtlOf(Current? current) => current is null || current.Deadline == 0 ? 0 : current.Deadline <= TimeMillis ? 1 : current.Deadline - TimeMillis;

    private static ulong? TimestampOf(ReadOnlyMemory<byte> idempotencyKey)
    {
        string text = System.Text.Encoding.UTF8.GetString(idempotencyKey.Span);
        return text.Length == 36 ? Convert.ToUInt64(text[..8] + text[9..13], 16) : null;
    }

    private KvApplied Apply(KvRequest request, ulong floor)
    {
        byte[] key = request.Key.ToArray();
        Current? old = Find(key);
        bool holds = request.Condition switch
        {
            KvCondition.None => true,
            KvCondition.Absent => old is null,
            _ => (old?.Revision ?? 0) == request.Revision,
        };
        if (!holds) return Result(ErrorCode.PreconditionFailed, old?.Revision ?? 0, 0, old?.Created ?? 0, old?.Version ?? 0, old is not null);
        if (request.Operation == KvOperation.Delete)
        {
            if (old is null) return Result(null, Revision);
            Revision = Math.Max(floor, Revision + 1);
            Set(Convert.ToHexString(key), null);
            return Result(null, Revision, old.Revision, 0, 0, existed: true);
        }

        Revision = Math.Max(floor, Revision + 1);
        Current next = new(Revision, old?.Created ?? Revision, (old?.Version ?? 0) + 1, request.Value.ToArray(), request.TtlMillis == 0 ? 0 : TimeMillis + request.TtlMillis);
        Set(Convert.ToHexString(key), next);
        return Result(null, next.Revision, old?.Revision ?? 0, next.Created, next.Version, old is not null);
    }

    private KvApplied Result(ErrorCode? error, ulong revision = 0, ulong previous = 0, ulong created = 0, ulong version = 0, bool existed = false) =>
        new(error, revision, previous, created, version, existed, _epoch);
}
