using System.Buffers.Binary;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>What an applied write did. <see cref="Error"/> is null when it took effect (or was a delete of nothing).</summary>
public sealed record KvApplied(ErrorCode? Error, ulong Revision, ulong PrevRevision, ulong Created, ulong Version, bool Existed, ShardEpoch Epoch);

/// <summary>What a read found, and the state it was read from.</summary>
public readonly record struct KvRead(LogIndex Applied, ShardEpoch Epoch, bool IsInRange, ulong Revision, ulong Created, ulong Version, byte[]? Value);

/// <summary>
/// A shard's state machine: revisions, versions and conditions over an ordered store. What it does depends on nothing but
/// the entries. Owned by APPLY.
/// </summary>
public sealed class KvStateMachine : IStateMachine
{
    private readonly IOrderedStore _store;
    private readonly GroupId _group;
    private readonly WriteBatch _batch = new();
    private readonly ByteWriter _key = new();
    private readonly ByteWriter _value = new();
    private readonly Dictionary<byte[], KeyVersion> _written = new(ByteArrayComparer.Instance);
    private readonly Dictionary<byte[], KeyVersion>.AlternateLookup<ReadOnlySpan<byte>> _writtenLookup;
    private IOrderedCursor? _cursor;
    private ShardMeta _meta;
    private ulong _committedRevision;

    public KvStateMachine(GroupId group, IOrderedStore store)
    {
        _group = group;
        _store = store;
        _meta = ShardMeta.ReadFrom(store, group);
        _committedRevision = _meta.Revision;
        _writtenLookup = _written.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <inheritdoc/>
    public LogIndex Applied => _meta.Applied;

    public GroupId Group => _group;

    public ShardMeta Meta => _meta;

    /// <summary>The last revision assigned, as of the last batch; for status, from any thread.</summary>
    public ulong CommittedRevision => Volatile.Read(ref _committedRevision);

    /// <summary>Makes a new shard's store: nothing but its meta row, flushed.</summary>
    public static void InitialiseStore(IOrderedStore store, ShardMeta meta)
    {
        ByteWriter value = new();
        meta.Write(value);
        WriteBatch batch = new();
        batch.Put(RowLayout.MetaKey, value.Written);
        store.Write(batch);
        store.Flush();
    }

    /// <inheritdoc/>
    public void Begin()
    {
        _batch.Clear();
        _written.Clear();
    }

    /// <inheritdoc/>
    public object? Apply(in Entry entry, bool wantsResult)
    {
        Invariant.Holds(entry.Index == _meta.Applied.Next, $"{_group}: applying {entry.Index} after {_meta.Applied}");
        _meta = _meta with
        {
            Applied = entry.Index,
            AppliedTerm = entry.Term,
            ShardTimeMillis = Math.Max(_meta.ShardTimeMillis, entry.StampMillis),
        };
        int start = _batch.Bytes.Length;
        KvApplied? result = entry.Kind == EntryKind.Command ? ApplyWrite(KvRequest.Decode(entry.Payload), entry.RevisionFloor) : null;
        // By entry, not by batch: replicas batch differently.
        _meta = _meta with { ChainHash = ChainHash(_meta.ChainHash, entry.Index, _batch.Bytes[start..]) };
        return wantsResult ? result : null;
    }

    /// <inheritdoc/>
    public void Commit()
    {
        _cursor?.Dispose();
        _cursor = null;
        _value.Clear();
        _meta.Write(_value);
        _batch.Put(RowLayout.MetaKey, _value.Written);
        _store.Write(_batch);
        _store.ThrowIfFailed();
        Volatile.Write(ref _committedRevision, _meta.Revision);
    }

    /// <summary>The newest version of <paramref name="key"/> in the applied state; on the APPLY thread, between batches.</summary>
    public KvRead Get(ReadOnlySpan<byte> key)
    {
        if (!_meta.Range.Contains(KeyHash.Of(key))) return new KvRead(_meta.Applied, _meta.Epoch, false, 0, 0, 0, null);
        using IOrderedCursor cursor = _store.OpenCursor();
        KeyVersion found = Seek(cursor, key);
        byte[]? value = found.HasValue ? RowLayout.ValueOf(cursor.Value).ToArray() : null;
        return new KvRead(_meta.Applied, _meta.Epoch, true, found.HasValue ? found.Revision : 0, found.Created, found.Version, value);
    }

    /// <summary>Makes what is applied so far durable, so that a restart need not apply it again.</summary>
    public void Flush() => _store.Flush();

    public void Dispose()
    {
        _cursor?.Dispose();
        _store.Dispose();
    }

    private KvApplied ApplyWrite(in KvRequest request, ulong revisionFloor)
    {
        Invariant.Holds(request.IsWrite, $"{_group}: {request.Operation} in the log at {_meta.Applied}");
        ReadOnlySpan<byte> key = request.Key.Span;
        // The door only hints; here, at this index, it is decided who owns the key (design §8).
        if (!_meta.Range.Contains(KeyHash.Of(key))) return new KvApplied(ErrorCode.WrongShard, 0, 0, 0, 0, false, _meta.Epoch);
        KeyVersion current = CurrentVersion(key);
        ulong currentRevision = current.HasValue ? current.Revision : 0;
        bool isRefused = request.Condition switch
        {
            KvCondition.RevisionIs => currentRevision != request.ConditionRevision,
            KvCondition.Absent => current.HasValue,
            _ => false,
        };
        if (isRefused) return new KvApplied(ErrorCode.PreconditionFailed, currentRevision, 0, current.Created, current.Version, current.HasValue, _meta.Epoch);
        bool isDelete = request.Operation == KvOperation.Delete;
        if (isDelete && !current.HasValue) return new KvApplied(null, _meta.Revision, 0, 0, 0, false, _meta.Epoch);

        ulong revision = Math.Max(revisionFloor, _meta.Revision + 1);
        ulong created = current.HasValue ? current.Created : revision;
        ulong version = isDelete ? 0 : current.HasValue ? current.Version + 1 : 1;
        _meta = _meta with { Revision = revision };
        WriteVersion(key, new KeyVersion(revision, isDelete, isDelete ? 0 : created, version), request.Value.Span);
        return new KvApplied(null, revision, currentRevision, isDelete ? 0 : created, version, current.HasValue, _meta.Epoch);
    }

    private void WriteVersion(ReadOnlySpan<byte> key, KeyVersion version, ReadOnlySpan<byte> value)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        RowLayout.WriteRevisionDescending(_key, version.Revision);
        _value.Clear();
        RowLayout.WriteVersionValue(_value, version.IsDelete, version.Created, version.Version, value);
        _batch.Put(_key.Written, _value.Written);
        _key.Clear();
        RowLayout.WriteChangeKey(_key, version.Revision, item: 0);
        _batch.Put(_key.Written, key);
        _writtenLookup[key] = version;
    }

    /// <summary>The newest version of a key, of this batch or of the store.</summary>
    private KeyVersion CurrentVersion(ReadOnlySpan<byte> key)
    {
        if (_writtenLookup.TryGetValue(key, out KeyVersion written)) return written;
        _cursor ??= _store.OpenCursor();
        return Seek(_cursor, key);
    }

    private KeyVersion Seek(IOrderedCursor cursor, ReadOnlySpan<byte> key)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        cursor.Seek(_key.Written);
        if (!cursor.IsValid || RowLayout.RevisionOf(cursor.Key, _key.Written) is not { } revision) return default;
        return RowLayout.ReadVersion(revision, cursor.Value);
    }

    private static ulong ChainHash(ulong previous, LogIndex index, ReadOnlySpan<byte> rows)
    {
        Span<byte> head = stackalloc byte[24];
        BinaryPrimitives.WriteUInt64LittleEndian(head, previous);
        BinaryPrimitives.WriteUInt64LittleEndian(head[8..], index.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(head[16..], XxHash64.Hash(rows));
        return XxHash64.Hash(head);
    }
}
