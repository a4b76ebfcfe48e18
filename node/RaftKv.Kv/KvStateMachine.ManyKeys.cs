using System.Buffers.Binary;
using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <content>Requests on several keys of the shard.</content>
public sealed partial class KvStateMachine
{
    /// <summary>Each item as if it had come alone, one after the other, in one entry.</summary>
    private KvApplied[] ApplyBatch(in Entry entry, in KvRequest request)
    {
        KvBatch batch = KvBatch.Decode(request.Value);
        KvApplied[] results = new KvApplied[batch.Items.Length];
        for (int i = 0; i < results.Length; i++)
        {
            KvBatchItem item = batch.Items[i];
            uint position = item.Position;
#if MUTANTS
            if (Mutants.On(Mutant.DedupIgnoresItem)) position = 0;
#endif
            results[i] = ApplyOnce(entry, item.Request, new WriteName(request.IdempotencyKey, position, batch.Fingerprint));
        }

        return results;
    }

    private KvTxnApplied ApplyTxn(in Entry entry, in KvRequest request)
    {
        KvTxn txn = KvTxn.Decode(request.Value);
        if (!OwnsAll(txn)) return RefusedTxn(ErrorCode.WrongShard);
        if (request.IdempotencyKey.IsEmpty) return Run(txn, entry.RevisionFloor);

        WriteName name = new(request.IdempotencyKey, 0, FingerprintOf(entry, request));
        Recollection recalled = Recall(txn.SmallestKey.Span, name);
        if (recalled.First is { } first) return KvTxnApplied.Replay(first, _meta.Epoch);
        if (recalled.Refusal is { } refusal) return RefusedTxn(refusal);
        if (FullBound() is { } full) return RefusedTxn(ErrorCode.IdempotencyRecordsFull, full);

        KvTxnApplied result = Run(txn, entry.RevisionFloor);
        if (result.Error is null) WriteDedup(recalled.RecordKey, name, entry, result);
        return result;
    }

    /// <summary>A transaction without writes, over the applied state; on the APPLY thread, between batches.</summary>
    internal KvTxnApplied ReadTxn(KvTxn txn)
    {
        if (!OwnsAll(txn)) return RefusedTxn(ErrorCode.WrongShard);
        KvTxnApplied result = Run(txn, revisionFloor: 0);
        CloseCursor();
        return result;
    }

    /// <summary>
    /// The first result of a transaction that was applied before, under a record of its smallest key, or why it must not be applied any more; null if
    /// there is no trace of it. On the APPLY thread, between batches.
    /// </summary>
    internal KvTxnApplied? RecallTxn(in KvRequest request)
    {
        if (!_meta.Range.Contains(KeyHash.Of(request.Key.Span))) return RefusedTxn(ErrorCode.WrongShard);
        Recollection recalled = Recall(request.Key.Span, new WriteName(request.IdempotencyKey, 0, BinaryPrimitives.ReadUInt64LittleEndian(request.Value.Span)));
        if (recalled.First is { } first) return KvTxnApplied.Replay(first, _meta.Epoch);
        return recalled.Refusal is { } refusal ? RefusedTxn(refusal) : null;
    }

    private bool OwnsAll(KvTxn txn)
    {
        foreach (ReadOnlyMemory<byte> key in txn.Keys)
            if (!_meta.Range.Contains(KeyHash.Of(key.Span))) return false;
        return true;
    }

    private KvTxnApplied RefusedTxn(ErrorCode error, LimitExceeded? exceeded = null) => new(error, false, 0, [], _meta.Epoch, Exceeded: exceeded);

    /// <summary>Looks everything up first and writes nothing meanwhile: so a result that is too large refuses the whole.</summary>
    private KvTxnApplied Run(KvTxn txn, ulong revisionFloor)
    {
        bool succeeded = txn.Compare.All(Holds);
        ulong revision = NextRevision(revisionFloor);
        TxnWrites writes = new();
        KvTxnItem[] items = new KvTxnItem[(succeeded ? txn.Then : txn.Else).Length];
        long valueBytes = 0;
        for (int i = 0; i < items.Length; i++)
        {
            KvRequest operation = (succeeded ? txn.Then : txn.Else)[i];
            items[i] = operation.Operation == KvOperation.Get ? Find(operation.Key, writes) : Plan(operation, revision, writes);
            valueBytes += items[i].Value.Length;
            if (valueBytes > _limits.MaxBatchBytes) return RefusedTxn(ErrorCode.BatchTooLarge, new LimitExceeded(_limits.MaxBatchBytes, valueBytes));
        }

        if (writes.Count > 0) TakeRevision(revisionFloor);
        int written = writes.Count;
#if MUTANTS
        if (Mutants.On(Mutant.HalfATransaction)) written = Math.Min(1, written);
#endif
        for (int i = 0; i < written; i++) WriteVersion(writes[i].Key.Span, writes[i].Replaced, writes[i].Version, writes[i].Value.Span, (uint)i);
        return new KvTxnApplied(null, succeeded, _meta.Revision, [.. items], _meta.Epoch);
    }

    private bool Holds(KvCompare compare)
    {
        KeyVersion current = CurrentVersion(compare.Key.Span);
        return compare.Holds(current, current.HasValue && compare.Target == KvTarget.Value ? CurrentValue(compare.Key.Span, current.Revision) : default);
    }

    /// <summary>What a get finds, the transaction's own writes before it included.</summary>
    private KvTxnItem Find(ReadOnlyMemory<byte> key, TxnWrites writes)
    {
        TxnWrite? own = writes.Find(key.Span);
        KeyVersion found = own?.Version ?? CurrentVersion(key.Span);
        if (!found.HasValue) return default;
        return new KvTxnItem(found.Revision, 0, found.Created, found.Version, true, TtlLeft(found), own?.Value ?? CurrentValue(key.Span, found.Revision).ToArray());
    }

    private KvTxnItem Plan(in KvRequest operation, ulong revision, TxnWrites writes)
    {
        KeyVersion current = CurrentVersion(operation.Key.Span);
        ulong replaced = current.HasValue ? current.Revision : 0;
        if (operation.Operation == KvOperation.Delete)
        {
            if (current.HasValue) writes.Add(new TxnWrite(operation.Key, current, new KeyVersion(revision, true, 0, 0, 0), default));
            return new KvTxnItem(current.HasValue ? revision : 0, replaced, 0, 0, current.HasValue);
        }

        KeyVersion next = Following(current, revision, operation.TtlMillis);
        writes.Add(new TxnWrite(operation.Key, current, next, operation.Value));
        return new KvTxnItem(revision, replaced, next.Created, next.Version, current.HasValue);
    }

    /// <summary>A version that a transaction will write.</summary>
    private sealed record TxnWrite(ReadOnlyMemory<byte> Key, KeyVersion Replaced, KeyVersion Version, ReadOnlyMemory<byte> Value);

    /// <summary>What a transaction will write, one version a key.</summary>
    private sealed class TxnWrites
    {
        private readonly List<TxnWrite> _inOrder = [];
        private readonly Dictionary<byte[], TxnWrite>.AlternateLookup<ReadOnlySpan<byte>> _byKey =
            new Dictionary<byte[], TxnWrite>(ByteArrayComparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();

        public int Count => _inOrder.Count;

        public TxnWrite this[int i] => _inOrder[i];

        public void Add(TxnWrite write)
        {
            _inOrder.Add(write);
            _byKey[write.Key.Span] = write;
        }

        public TxnWrite? Find(ReadOnlySpan<byte> key) => _byKey.TryGetValue(key, out TxnWrite? write) ? write : null;
    }
}
