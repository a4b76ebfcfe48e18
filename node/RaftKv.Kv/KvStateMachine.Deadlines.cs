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

    private readonly Dictionary<byte[], byte[]> _dedupWritten = new(ByteArrayComparer.Instance);
    private readonly ByteWriter _dedupKey = new();
    private readonly ByteWriter _row = new();

    /// <inheritdoc/>
    public ulong? NextDeadlineMillis { get; private set; }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> DeadlineCommand => KvRequest.ExpireCommand;

    /// <summary>Applies a write, unless its idempotency key says that it was applied or refused before.</summary>
    private KvApplied ApplyOnce(in Entry entry, in KvRequest request)
    {
        // The door only hints; here, at this index, it is decided who owns the key (design §8).
        if (!_meta.Range.Contains(KeyHash.Of(request.Key.Span))) return Refused(ErrorCode.WrongShard);
        if (request.IdempotencyKey.IsEmpty) return ApplyWrite(request, entry.RevisionFloor);

        _dedupKey.Clear();
        RowLayout.WriteDedupKey(_dedupKey, request.Key.Span, request.IdempotencyKey.Span, item: 0);
        byte[] recordKey = _dedupKey.ToArray();
        ulong fingerprint = XxHash64.Hash(entry.Payload.Span);
        byte[]? found = _dedupWritten.GetValueOrDefault(recordKey) ?? _store.Get(recordKey);
#if MUTANTS
        if (Mutants.On(Mutant.DedupLookupSkipped) && found is not null) return ApplyWrite(request, entry.RevisionFloor);
#endif
        if (found is { } known)
        {
            DedupRecord record = DedupRecord.Read(known, _meta.Epoch);
            if (record.Fingerprint != fingerprint) return Refused(ErrorCode.IdempotencyKeyReused);
            return record.Result with { FirstIndex = record.Index, FirstTerm = record.Term };
        }

        ulong floor = _meta.DedupFloorMillis;
#if MUTANTS
        if (Mutants.On(Mutant.DedupFloorIgnored)) floor = 0;
#endif
        if (IdempotencyKey.TimestampMillis(request.IdempotencyKey.Span) is { } timestamp && timestamp <= floor) return Refused(ErrorCode.IdempotencyWindowPassed);
        if (_meta.DedupRecords >= (ulong)_limits.MaxIdempotencyRecordsPerShard || _meta.DedupBytes >= (ulong)_limits.MaxIdempotencyBytesPerShard) return Refused(ErrorCode.IdempotencyRecordsFull);

        KvApplied result = ApplyWrite(request, entry.RevisionFloor);
        ulong deadline = _meta.ShardTimeMillis + (ulong)_limits.IdempotencyWindowMillis;
        WriteDedup(recordKey, new DedupRecord(fingerprint, deadline, entry.Index, entry.Term, result));
        return result;
    }

    private KvApplied Refused(ErrorCode error) => new(error, 0, 0, 0, 0, false, _meta.Epoch);

    private void WriteDedup(byte[] recordKey, DedupRecord record)
    {
        _row.Clear();
        record.Write(_row);
        byte[] bytes = _row.ToArray();
        _batch.Put(recordKey, bytes);
        _dedupWritten[recordKey] = bytes;
        _row.Clear();
        RowLayout.WriteDedupDeadlineKey(_row, record.DeadlineMillis, recordKey);
        _batch.Put(_row.Written, default);
        _meta = _meta with { DedupRecords = _meta.DedupRecords + 1, DedupBytes = _meta.DedupBytes + SizeOf(recordKey, bytes) };
        NoteDeadline(record.DeadlineMillis);
    }

    /// <summary>A key's deadline goes with its version: another version, another deadline or none.</summary>
    private void ReplaceTtlDeadline(ReadOnlySpan<byte> key, in KeyVersion replaced, in KeyVersion version)
    {
        if (replaced.HasValue && replaced.DeadlineMillis != 0)
        {
            _row.Clear();
            RowLayout.WriteTtlDeadlineKey(_row, replaced.DeadlineMillis, replaced.Revision);
            _batch.Delete(_row.Written);
        }

        if (version.DeadlineMillis == 0) return;
        _row.Clear();
        RowLayout.WriteTtlDeadlineKey(_row, version.DeadlineMillis, version.Revision);
        _batch.Put(_row.Written, key);
        NoteDeadline(version.DeadlineMillis);
    }

    /// <summary>Removes what shard time has passed. The store holds everything written before this entry.</summary>
    private void Expire(ulong revisionFloor)
    {
        List<byte[]> dedupDeadlines = [];
        List<(byte[] Row, byte[] Key)> ttlDeadlines = [];
        using (IOrderedCursor cursor = _store.OpenCursor())
        {
            Span<byte> tag = [RowLayout.DedupDeadlineTag];
            for (cursor.Seek(tag); IsPassed(cursor, RowLayout.DedupDeadlineTag) && dedupDeadlines.Count < MaxExpiredPerEntry; cursor.Next()) dedupDeadlines.Add(cursor.Key.ToArray());
            tag[0] = RowLayout.TtlDeadlineTag;
            for (cursor.Seek(tag); IsPassed(cursor, RowLayout.TtlDeadlineTag) && ttlDeadlines.Count < MaxExpiredPerEntry; cursor.Next()) ttlDeadlines.Add((cursor.Key.ToArray(), cursor.Value.ToArray()));
        }

        foreach (byte[] row in dedupDeadlines) ExpireDedup(row);
        foreach (var (row, key) in ttlDeadlines)
        {
            KeyVersion current = CurrentVersion(key);
            Invariant.Holds(current.HasValue && current.Revision == RowLayout.TtlRevisionOf(row), $"{_group}: a ttl deadline for a version that is not the key's newest");
            Delete(key, current, revisionFloor);
        }

    }

    private void ExpireDedup(byte[] deadlineRow)
    {
        byte[] recordKey = RowLayout.DedupKeyOf(deadlineRow);
        byte[] record = _store.Get(recordKey) ?? throw new StoreFailedException($"{_group}: an idempotency deadline without its record");
        _batch.Delete(deadlineRow);
        _batch.Delete(recordKey);
        _meta = _meta with
        {
            DedupRecords = _meta.DedupRecords - 1,
            DedupBytes = _meta.DedupBytes - SizeOf(recordKey, record),
            DedupFloorMillis = Math.Max(_meta.DedupFloorMillis, IdempotencyKey.TimestampMillis(RowLayout.IdempotencyKeyOf(recordKey)) ?? 0),
        };
    }

    private bool IsPassed(IOrderedCursor cursor, byte tag) =>
        cursor.IsValid && RowLayout.DeadlineOf(cursor.Key, tag) is { } deadline && deadline <= _meta.ShardTimeMillis;

    private void NoteDeadline(ulong deadline) => NextDeadlineMillis = NextDeadlineMillis is { } next ? Math.Min(next, deadline) : deadline;

    private void FindNextDeadline()
    {
        NextDeadlineMillis = null;
        using IOrderedCursor cursor = _store.OpenCursor();
        foreach (byte tag in (ReadOnlySpan<byte>)[RowLayout.DedupDeadlineTag, RowLayout.TtlDeadlineTag])
        {
            cursor.Seek([tag]);
            if (cursor.IsValid && RowLayout.DeadlineOf(cursor.Key, tag) is { } deadline) NoteDeadline(deadline);
        }
    }

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
