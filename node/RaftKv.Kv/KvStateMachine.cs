using System.Buffers.Binary;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>What an applied write did. <see cref="Error"/> is null when it took effect (or was a delete of nothing).</summary>
/// <param name="FirstIndex">For a replay: the index of the entry that was applied first, and <paramref name="FirstTerm"/> its term; else 0.</param>
public sealed record KvApplied(
    ErrorCode? Error, ulong Revision, ulong PrevRevision, ulong Created, ulong Version, bool Existed, ShardEpoch Epoch, LogIndex FirstIndex = default, Term FirstTerm = default)
{
    public bool IsReplay => FirstIndex != LogIndex.Zero;
}

/// <summary>What a read found, and the state it was read from.</summary>
public readonly record struct KvRead(LogIndex Applied, ShardEpoch Epoch, bool IsInRange, ulong Revision, ulong Created, ulong Version, ulong TtlMillis, byte[]? Value);

/// <summary>
/// A shard's state machine: revisions, versions, conditions, idempotency and expiry over an ordered store. What it does depends
/// on nothing but the entries, and not on how they are batched. Owned by APPLY.
/// </summary>
/// <remarks>Idempotency and expiry stand in KvStateMachine.Deadlines.cs.</remarks>
public sealed partial class KvStateMachine : IStateMachine
{
    private readonly IOrderedStore _store;
    private readonly GroupId _group;
    private readonly Limits _limits;
    private readonly WriteBatch _batch = new();
    private readonly ByteWriter _key = new();
    private readonly ByteWriter _value = new();
    private readonly Dictionary<byte[], KeyVersion> _written = new(ByteArrayComparer.Instance);
    private readonly Dictionary<byte[], KeyVersion>.AlternateLookup<ReadOnlySpan<byte>> _writtenLookup;
    private IOrderedCursor? _cursor;
    private ShardMeta _meta;
    private ulong _committedRevision;

    /// <param name="limits">Equal on all nodes of a cluster: the idempotency window and limits take part in what is applied.</param>
    public KvStateMachine(GroupId group, IOrderedStore store, Limits limits)
    {
        _group = group;
        _store = store;
        _limits = limits;
        _meta = ShardMeta.ReadFrom(store, group);
        Configuration = ReadConfiguration(store, group);
        _committedRevision = _meta.Revision;
        _writtenLookup = _written.GetAlternateLookup<ReadOnlySpan<byte>>();
        FindNextDeadline();
    }

    /// <inheritdoc/>
    public LogIndex Applied => _meta.Applied;

    /// <inheritdoc/>
    public Term AppliedTerm => _meta.AppliedTerm;

    /// <inheritdoc/>
    public Configuration Configuration { get; private set; }

    /// <inheritdoc/>
    public (ulong Version, ulong ConfVersion) EpochNumbers => (_meta.Epoch.Version, _meta.Epoch.ConfVersion);

    /// <inheritdoc/>
    public LogIndex FlushedApplied => ShardMeta.ReadFlushed(_store, _group).Applied;

    public GroupId Group => _group;

    public ShardMeta Meta => _meta;

    /// <summary>The last revision assigned, as of the last batch; for status, from any thread.</summary>
    public ulong CommittedRevision => Volatile.Read(ref _committedRevision);

    /// <inheritdoc/>
    public ulong TimeMillis => _meta.ShardTimeMillis;

    /// <summary>Makes a new shard's store: nothing but its meta row and its members, flushed.</summary>
    public static void InitialiseStore(IOrderedStore store, ShardMeta meta, Configuration configuration)
    {
        ByteWriter value = new();
        meta.Write(value);
        WriteBatch batch = new();
        batch.Put(RowLayout.MetaKey, value.Written);
        batch.Put(RowLayout.ConfigurationKey, configuration.ToBytes());
        store.Write(batch);
        store.Flush();
    }

    /// <inheritdoc/>
    public void Begin() => Invariant.Holds(_batch.Count == 0);

    /// <inheritdoc/>
    public object? Apply(in Entry entry, bool wantsResult)
    {
        Invariant.Holds(entry.Index == _meta.Applied.Next, $"{_group}: applying {entry.Index} after {_meta.Applied}");
        KvRequest request = entry.Kind == EntryKind.Command ? KvRequest.Decode(entry.Payload) : default;
        // Expiry looks at rows by deadline: it must see what this batch wrote, however the batch was cut.
        if (request.Operation == KvOperation.Expire) WriteOut();
        int start = _batch.Bytes.Length;
        _meta = _meta with
        {
            Applied = entry.Index,
            AppliedTerm = entry.Term,
            ShardTimeMillis = Math.Max(_meta.ShardTimeMillis, entry.StampMillis),
        };
        KvApplied? result = null;
        if (entry.Kind == EntryKind.Configuration) ApplyConfiguration(entry);
        if (request.Operation == KvOperation.Expire) Expire(entry.RevisionFloor);
        else if (entry.Kind == EntryKind.Command) result = ApplyOnce(entry, request);
        // By entry, not by batch: replicas batch differently.
        _meta = _meta with { ChainHash = ChainHash(_meta.ChainHash, entry.Index, _batch.Bytes[start..]) };
        if (request.Operation == KvOperation.Expire)
        {
            WriteOut();
            FindNextDeadline();
        }

        return wantsResult ? result : null;
    }

    /// <inheritdoc/>
    public void Commit()
    {
        WriteOut();
        _store.ThrowIfFailed();
        Volatile.Write(ref _committedRevision, _meta.Revision);
    }

    /// <summary>The newest version of <paramref name="key"/> in the applied state; on the APPLY thread, between batches.</summary>
    public KvRead Get(ReadOnlySpan<byte> key)
    {
        if (!_meta.Range.Contains(KeyHash.Of(key))) return new KvRead(_meta.Applied, _meta.Epoch, false, 0, 0, 0, 0, null);
        using IOrderedCursor cursor = _store.OpenCursor();
        KeyVersion found = Seek(cursor, key);
        if (!found.HasValue) return new KvRead(_meta.Applied, _meta.Epoch, true, 0, 0, 0, 0, null);
        // Visible until its expiry is applied; what is left is at least a millisecond.
        ulong ttl = found.DeadlineMillis == 0 ? 0 : Math.Max(1, found.DeadlineMillis - Math.Min(found.DeadlineMillis, _meta.ShardTimeMillis));
        return new KvRead(_meta.Applied, _meta.Epoch, true, found.Revision, found.Created, found.Version, ttl, RowLayout.ValueOf(cursor.Value).ToArray());
    }

    /// <summary>Makes what is applied so far durable, so that a restart need not apply it again.</summary>
    public void Flush() => _store.Flush();

    /// <inheritdoc/>
    public void BeginFlush() => _store.BeginFlush();

    /// <inheritdoc/>
    public ICheckpoint CreateCheckpoint() => _store.CreateCheckpoint();

    public void Dispose()
    {
        _cursor?.Dispose();
        _store.Dispose();
    }

    /// <summary>Writes the batch so far, with the meta row that covers it, and starts an empty one.</summary>
    private void WriteOut()
    {
        _cursor?.Dispose();
        _cursor = null;
        _written.Clear();
        _dedupWritten.Clear();
        _value.Clear();
        _meta.Write(_value);
#if MUTANTS
        if (Mutants.On(Mutant.AppliedIndexApartFromRows))
        {
            _store.Write(_batch);
            _batch.Clear();
        }
#endif
        _batch.Put(RowLayout.MetaKey, _value.Written);
        _store.Write(_batch);
        _batch.Clear();
    }

    private KvApplied ApplyWrite(in KvRequest request, ulong revisionFloor)
    {
        Invariant.Holds(request.IsWrite, $"{_group}: {request.Operation} in the log at {_meta.Applied}");
        ReadOnlySpan<byte> key = request.Key.Span;
        KeyVersion current = CurrentVersion(key);
        ulong currentRevision = current.HasValue ? current.Revision : 0;
        bool isRefused = request.Condition switch
        {
            KvCondition.RevisionIs => currentRevision != request.ConditionRevision,
            KvCondition.Absent => current.HasValue,
            _ => false,
        };
        if (isRefused) return new KvApplied(ErrorCode.PreconditionFailed, currentRevision, 0, current.Created, current.Version, current.HasValue, _meta.Epoch);
        if (request.Operation == KvOperation.Delete)
        {
            if (!current.HasValue) return new KvApplied(null, _meta.Revision, 0, 0, 0, false, _meta.Epoch);
            ulong deletedAt = Delete(key, current, revisionFloor);
            return new KvApplied(null, deletedAt, currentRevision, 0, 0, true, _meta.Epoch);
        }

        ulong revision = TakeRevision(revisionFloor);
        ulong created = current.HasValue ? current.Created : revision;
        ulong version = current.HasValue ? current.Version + 1 : 1;
        ulong deadline = request.TtlMillis == 0 ? 0 : _meta.ShardTimeMillis + Math.Min(request.TtlMillis, ulong.MaxValue - _meta.ShardTimeMillis);
        WriteVersion(key, current, new KeyVersion(revision, false, created, version, deadline), request.Value.Span);
        return new KvApplied(null, revision, currentRevision, created, version, current.HasValue, _meta.Epoch);
    }

    private ulong Delete(ReadOnlySpan<byte> key, in KeyVersion current, ulong revisionFloor)
    {
        ulong revision = TakeRevision(revisionFloor);
        WriteVersion(key, current, new KeyVersion(revision, true, 0, 0, 0), default);
        return revision;
    }

    private ulong TakeRevision(ulong floor)
    {
        _meta = _meta with { Revision = Math.Max(floor, _meta.Revision + 1) };
        return _meta.Revision;
    }

    private void WriteVersion(ReadOnlySpan<byte> key, in KeyVersion replaced, in KeyVersion version, ReadOnlySpan<byte> value)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        RowLayout.WriteRevisionDescending(_key, version.Revision);
        _value.Clear();
        RowLayout.WriteVersionValue(_value, version, value);
        _batch.Put(_key.Written, _value.Written);
        _key.Clear();
        RowLayout.WriteChangeKey(_key, version.Revision, item: 0);
        _batch.Put(_key.Written, key);
        ReplaceTtlDeadline(key, replaced, version);
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

    private void ApplyConfiguration(in Entry entry)
    {
        Configuration = Configuration.Parse(entry.Payload.Span, out _);
        _batch.Put(RowLayout.ConfigurationKey, entry.Payload.Span);
        _meta = _meta with { Epoch = _meta.Epoch with { ConfVersion = _meta.Epoch.ConfVersion + 1 } };
    }

    private static Configuration ReadConfiguration(IOrderedStore store, GroupId group)
    {
        byte[] row = store.Get(RowLayout.ConfigurationKey) ?? throw new StoreFailedException($"{group}: the store has no configuration row");
        try
        {
            return Configuration.Parse(row, out _);
        }
        catch (FormatException malformed)
        {
            throw new StoreFailedException($"{group}: configuration row: {malformed.Message}", malformed);
        }
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
