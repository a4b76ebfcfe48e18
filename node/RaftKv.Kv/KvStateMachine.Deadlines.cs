using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <content>
/// What lives until a deadline in shard time: keys with a ttl, and idempotency records. Nothing passes by a clock: an Expire entry's
/// stamp says which deadlines have passed (design §9).
/// </content>
public sealed partial class KvStateMachine
{
    /// <summary>Rows that one Expire entry removes at most, of each kind; what is left comes with the next.</summary>
    private const int MaxExpiredPerEntry = 1_000;

    private readonly DeadlineRows _dedupDeadlines = new(RowLayout.DedupDeadlineTag);
    private readonly DeadlineRows _ttlDeadlines = new(RowLayout.TtlDeadlineTag);
    private readonly Dictionary<byte[], byte[]> _dedupWritten = new(ByteArrayComparer.Instance);
    private readonly ByteWriter _dedupKey = new();
    private readonly ByteWriter _row = new();

    /// <inheritdoc/>
    public ulong? NextDeadlineMillis => (_dedupDeadlines.NextMillis, _ttlDeadlines.NextMillis) is ({ } dedup, { } ttl) ? Math.Min(dedup, ttl) : _dedupDeadlines.NextMillis ?? _ttlDeadlines.NextMillis;

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> DeadlineCommand => KvRequest.ExpireCommand;

    /// <summary>Applies a write, unless its idempotency key says that it was applied or refused before.</summary>
    private KvApplied ApplyOnce(in Entry entry, in KvRequest request, in WriteName name)
    {
        // The door only hints; here, at this index, it is decided who owns the key (design §8).
        if (!_meta.Range.Contains(KeyHash.Of(request.Key.Span))) return Refused(ErrorCode.WrongShard);
        if (name.IdempotencyKey.IsEmpty) return ApplyWrite(request, entry.RevisionFloor);

        Recollection recalled = Recall(request.Key.Span, name);
#if MUTANTS
        if (Mutants.On(Mutant.DedupLookupSkipped) && recalled.First is not null) return ApplyWrite(request, entry.RevisionFloor);
#endif
        if (recalled.First is { } first) return KvApplied.Replay(first, _meta.Epoch);
        if (recalled.Refusal is { } refusal) return Refused(refusal);
        if (FullBound() is { } full) return Refused(ErrorCode.IdempotencyRecordsFull, full);

        KvApplied result = ApplyWrite(request, entry.RevisionFloor);
        WriteDedup(recalled.RecordKey, name, entry, result);
        return result;
    }

    /// <summary>What an idempotency key says of a write: its first result, or why it must not be applied; neither for a new one.</summary>
    private Recollection Recall(ReadOnlySpan<byte> key, in WriteName name)
    {
        _dedupKey.Clear();
        RowLayout.WriteDedupKey(_dedupKey, key, name.IdempotencyKey.Span, name.Item);
        byte[] recordKey = _dedupKey.ToArray();
        if ((_dedupWritten.GetValueOrDefault(recordKey) ?? _store.Get(recordKey)) is { } known)
        {
            DedupRecord record = DedupRecord.Read(known);
            return record.Fingerprint == name.Fingerprint ? new Recollection(recordKey, record, null) : new Recollection(recordKey, null, ErrorCode.IdempotencyKeyReused);
        }

        ulong floor = _meta.DedupFloorMillis;
#if MUTANTS
        if (Mutants.On(Mutant.DedupFloorIgnored)) floor = 0;
#endif
        bool isPast = IdempotencyKey.TimestampMillis(name.IdempotencyKey.Span) is { } timestamp && timestamp <= floor;
        return new Recollection(recordKey, null, isPast ? ErrorCode.IdempotencyWindowPassed : null);
    }

    /// <summary>The bound that leaves no room for a further record; null while there is some.</summary>
    private LimitExceeded? FullBound()
    {
        if (_meta.DedupRecords >= (ulong)_limits.MaxIdempotencyRecordsPerShard) return new LimitExceeded(_limits.MaxIdempotencyRecordsPerShard, (long)_meta.DedupRecords);
        return _meta.DedupBytes >= (ulong)_limits.MaxIdempotencyBytesPerShard ? new LimitExceeded(_limits.MaxIdempotencyBytesPerShard, (long)_meta.DedupBytes) : null;
    }

    /// <summary>Of a write by itself; only looked at when it has an idempotency key.</summary>
    private static ulong FingerprintOf(in Entry entry, in KvRequest request) => request.IdempotencyKey.IsEmpty ? 0 : XxHash64.Hash(entry.Payload.Span);

    private KvApplied Refused(ErrorCode error, LimitExceeded? exceeded = null) => new(error, 0, 0, 0, 0, false, _meta.Epoch, Exceeded: exceeded);

    private void WriteDedup<T>(byte[] recordKey, in WriteName name, in Entry entry, T result)
        where T : IRecordedResult
    {
        ulong deadline = _meta.ShardTimeMillis + (ulong)_limits.IdempotencyWindowMillis;
        _row.Clear();
        DedupRecord.WriteHeader(_row, name.Fingerprint, deadline, entry.Index, entry.Term);
        result.Write(_row);
        byte[] bytes = _row.ToArray();
        _batch.Put(recordKey, bytes);
        _dedupWritten[recordKey] = bytes;
        _row.Clear();
        RowLayout.WriteDedupDeadlineKey(_row, deadline, recordKey);
        _batch.Put(_row.Written, default);
        _meta = _meta with { DedupRecords = _meta.DedupRecords + 1, DedupBytes = _meta.DedupBytes + SizeOf(recordKey, bytes) };
        _dedupDeadlines.Note(deadline);
    }

    /// <summary>A key's deadline goes with its version: another version, another deadline or none.</summary>
    private void ReplaceTtlDeadline(ReadOnlySpan<byte> key, in KeyVersion replaced, in KeyVersion version)
    {
        if (replaced.HasValue && replaced.DeadlineMillis != 0)
        {
            _row.Clear();
            RowLayout.WriteTtlDeadlineKey(_row, replaced.DeadlineMillis, replaced.Revision, key);
            _batch.Delete(_row.Written);
        }

        if (version.DeadlineMillis == 0) return;
        _row.Clear();
        RowLayout.WriteTtlDeadlineKey(_row, version.DeadlineMillis, version.Revision, key);
        _batch.Put(_row.Written, default);
        _ttlDeadlines.Note(version.DeadlineMillis);
    }

    /// <summary>Removes what shard time has passed. The store holds everything written before this entry.</summary>
    private void Expire(ulong revisionFloor)
    {
        foreach (byte[] row in _dedupDeadlines.Passed(_store, _meta.ShardTimeMillis, MaxExpiredPerEntry)) ExpireDedup(row);
        foreach (byte[] row in _ttlDeadlines.Passed(_store, _meta.ShardTimeMillis, MaxExpiredPerEntry))
        {
            ReadOnlySpan<byte> key = RowLayout.TtlKeyOf(row);
            KeyVersion current = CurrentVersion(key);
            Invariant.Holds(current.HasValue && current.Revision == RowLayout.TtlRevisionOf(row), $"{_group}: a ttl deadline for a version that is not the key's newest");
            Delete(key, current, revisionFloor);
        }
    }

    private void ExpireDedup(byte[] deadlineRow)
    {
        byte[] recordKey = RowLayout.DedupKeyOf(deadlineRow);
        byte[] record = _store.Get(recordKey) ?? throw new StoreDamagedException($"{_group}: an idempotency deadline without its record");
        _batch.Delete(deadlineRow);
        _batch.Delete(recordKey);
        _meta = _meta with
        {
            DedupRecords = _meta.DedupRecords - 1,
            DedupBytes = _meta.DedupBytes - SizeOf(recordKey, record),
            DedupFloorMillis = Math.Max(_meta.DedupFloorMillis, IdempotencyKey.TimestampMillis(RowLayout.IdempotencyKeyOf(recordKey)) ?? 0),
        };
    }

    private void FindNextDeadline()
    {
        _dedupDeadlines.FindNext(_store);
        _ttlDeadlines.FindNext(_store);
    }

    /// <summary>By what a repeated write is known on its user key.</summary>
    /// <param name="Item">The position in a batch, else 0.</param>
    /// <param name="Fingerprint">Of the whole request.</param>
    private readonly record struct WriteName(ReadOnlyMemory<byte> IdempotencyKey, uint Item, ulong Fingerprint);

    private readonly record struct Recollection(byte[] RecordKey, DedupRecord? First, ErrorCode? Refusal);

    private static ulong SizeOf(byte[] key, byte[] value) => (ulong)(key.Length + value.Length);

#if MUTANTS
    internal static void ForgetDedup(IOrderedStore store)
    {
        WriteBatch batch = new();
        using (IOrderedCursor cursor = store.OpenCursor())
        {
            foreach (byte tag in (ReadOnlySpan<byte>)[RowLayout.DedupTag, RowLayout.DedupDeadlineTag])
                for (cursor.Seek([tag]); cursor.IsValid && cursor.Key[0] == tag; cursor.Next()) batch.Delete(cursor.Key);
        }

        store.Write(batch);
        store.Flush();
    }
#endif
}
