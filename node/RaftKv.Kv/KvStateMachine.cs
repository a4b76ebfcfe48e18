using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>What a read found, and the state it was read from.</summary>
/// <param name="ShardRevision">The last revision assigned in that state.</param>
/// <param name="TtlMillis">How much longer the newest version lives, 0 for ever; of the past 0.</param>
/// <param name="CompactRevision">Of the past there is nothing below this revision.</param>
public readonly record struct KvRead(
    LogIndex Applied, ShardEpoch Epoch, bool IsInRange, ulong ShardRevision, ulong CompactRevision, ulong Revision = 0, ulong Created = 0, ulong Version = 0, ulong TtlMillis = 0, byte[]? Value = null);

/// <summary>
/// A shard's state machine: revisions, versions, conditions, idempotency and expiry over an ordered store. What it does depends
/// on nothing but the entries, and not on how they are batched. Owned by APPLY.
/// </summary>
/// <remarks>
/// Rows gather before they are written to the store, over several commits if those are small: a write to the store costs as much as a few rows, and the store is no
/// more durable than memory until it is flushed, for the raft log is the write-ahead log. What reads looks at the rows held first, or has them written.
/// <para>Invariant: _writtenApplied, the store's applied index, ≤ Applied; the rows held are those of the entries between.</para>
/// Idempotency and expiry stand in KvStateMachine.Deadlines.cs, what several keys take part in in KvStateMachine.ManyKeys.cs.
/// </remarks>
public sealed partial class KvStateMachine : IStateMachine
{
    private readonly IOrderedStore _store;
    private readonly GroupId _group;
    private readonly Limits _limits;
    private readonly WriteBatch _batch = new();
    private readonly ByteWriter _key = new();
    private readonly ByteWriter _value = new();
    private readonly Dictionary<byte[], Written> _written = new(ByteArrayComparer.Instance);
    private readonly Dictionary<byte[], Written>.AlternateLookup<ReadOnlySpan<byte>> _writtenLookup;
    private readonly NewestVersions _newest;
    private readonly int _heldBytes;
    private bool _isApplying;
    private LogIndex _writtenApplied;
    private IOrderedCursor? _cursor;
    private ShardMeta _meta;
    private ulong _committedRevision;
    private AppliedMembers _members;

    /// <param name="limits">Equal on all nodes of a cluster: the idempotency window and limits take part in what is applied.</param>
    /// <param name="versionCacheBytes">What <see cref="NewestVersions"/> may take; changes nothing but speed.</param>
    /// <param name="heldBytes">Rows of fewer bytes wait for more before they go to the store; 0: they go with each commit. Changes nothing but speed.</param>
    public KvStateMachine(GroupId group, IOrderedStore store, Limits limits, long versionCacheBytes = Limits.Mebi, int heldBytes = 0)
    {
        _heldBytes = heldBytes;
        _newest = new NewestVersions(versionCacheBytes);
        _group = group;
        _store = store;
        _limits = limits;
        _meta = ShardMeta.ReadFrom(store, group);
        _writtenApplied = _meta.Applied;
        Configuration = ReadConfiguration(store, group);
        _committedRevision = _meta.Revision;
        _history = History.ReadFrom(store.Get(RowLayout.HistoryKey), limits, group.ToString());
        _members = new AppliedMembers(_meta.Epoch, Configuration);
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

    /// <summary>From any thread. Throws <see cref="ObjectDisposedException"/> when the machine was closed.</summary>
    public StoreSize Size => _store.Size;

    /// <summary>As of the last batch, from any thread.</summary>
    public AppliedMembers Members => Volatile.Read(ref _members);

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
    public void Begin()
    {
        Invariant.Holds(!_isApplying, $"{_group}: a batch within a batch");
        _isApplying = true;
    }

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
        object? result = null;
        if (entry.Kind == EntryKind.Configuration) ApplyConfiguration(entry);
        if (request.Operation == KvOperation.Expire)
        {
            Expire(entry.RevisionFloor);
            Compact();
        }
        else if (request.Operation == KvOperation.Batch) result = ApplyBatch(entry, request);
        else if (request.Operation == KvOperation.Txn) result = ApplyTxn(entry, request);
        else if (entry.Kind == EntryKind.Command)
        {
            KvApplied applied = ApplyOnce(entry, request, new WriteName(request.IdempotencyKey, 0, FingerprintOf(entry, request)));
            if (wantsResult) result = applied; // Else it is not boxed: nobody waits on a follower.
        }

        NoteHistory();
        // By entry, not by batch: replicas batch differently.
        _meta = _meta with { ChainHash = ChainHash(_batch.Bytes[start..]) };
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
        _isApplying = false;
        if (_batch.Bytes.Length >= _heldBytes) WriteOut();
        CloseCursor();
        Volatile.Write(ref _committedRevision, _meta.Revision);
        if (_members.Epoch != _meta.Epoch) Volatile.Write(ref _members, new AppliedMembers(_meta.Epoch, Configuration));
    }

    /// <summary>
    /// The newest version of <paramref name="key"/> in the applied state, or the newest at or below <paramref name="revision"/> unless that is 0;
    /// on the APPLY thread, between batches.
    /// </summary>
    public KvRead Get(ReadOnlySpan<byte> key, ulong revision = 0)
    {
        KvRead nothing = new(_meta.Applied, _meta.Epoch, _meta.Range.Contains(KeyHash.Of(key)), _meta.Revision, _meta.CompactRevision);
        if (!nothing.IsInRange || revision > _meta.Revision) return nothing;
        return revision == 0 ? GetNewest(key, nothing) : GetPast(key, revision, nothing);
    }

    private KvRead GetNewest(ReadOnlySpan<byte> key, in KvRead nothing)
    {
#if MUTANTS
        if (Mutants.On(Mutant.ReadMissesHeldRows)) return GetPast(key, _meta.Revision, nothing, isHeldWritten: false);
#endif
        if (_newest.TryGet(key, out KeyVersion newest) || TryGetHeld(key, out newest))
            return newest.HasValue ? Found(nothing, newest, TtlLeft(newest), CurrentValue(key, newest.Revision).ToArray()) : nothing;
        using IOrderedCursor cursor = _store.OpenCursor();
        KeyVersion found = Seek(cursor, key);
        if (found.Revision != 0) _newest.Set(key, found);
        return found.HasValue ? Found(nothing, found, TtlLeft(found), RowLayout.ValueOf(cursor.Value).ToArray()) : nothing;
    }

    private KvRead GetPast(ReadOnlySpan<byte> key, ulong revision, in KvRead nothing, bool isHeldWritten = true)
    {
        if (revision < _meta.CompactRevision) return nothing;
        if (isHeldWritten) WriteHeld();
        using IOrderedCursor cursor = _store.OpenCursor();
        KeyVersion found = Seek(cursor, key, revision);
        return found.HasValue ? Found(nothing, found, 0, RowLayout.ValueOf(cursor.Value).ToArray()) : nothing;
    }

    private static KvRead Found(in KvRead nothing, in KeyVersion found, ulong ttlMillis, byte[] value) =>
        nothing with { Revision = found.Revision, Created = found.Created, Version = found.Version, TtlMillis = ttlMillis, Value = value };

    /// <summary>The value of a version that the store holds.</summary>
    private byte[] ValueAt(ReadOnlySpan<byte> key, ulong revision)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        RowLayout.WriteRevisionDescending(_key, revision);
        byte[] row = _store.Get(_key.Written) ?? throw new StoreDamagedException($"{_group}: the store has lost revision {revision} of a key");
        return RowLayout.ValueOf(row).ToArray();
    }

    /// <summary>Makes what is applied so far durable, so that a restart need not apply it again.</summary>
    public void Flush()
    {
        WriteHeld();
        _store.Flush();
    }

    /// <inheritdoc/>
    public void BeginFlush()
    {
        WriteHeld();
        _store.BeginFlush();
    }

    /// <inheritdoc/>
    public ICheckpoint CreateCheckpoint() => _store.CreateCheckpoint();

    public void Dispose()
    {
        CloseCursor();
        _store.Dispose();
    }

    /// <summary>Before the store is read as a whole; between batches.</summary>
    private void WriteHeld()
    {
        Invariant.Holds(!_isApplying, $"{_group}: read within a batch");
        if (_writtenApplied < _meta.Applied) WriteOut(); // Entries without rows count too.
    }

    /// <summary>An open cursor keeps files from being deleted, so none is kept between batches.</summary>
    private void CloseCursor()
    {
        _cursor?.Dispose();
        _cursor = null;
    }

    /// <summary>Writes the rows held, with the meta row that covers them.</summary>
    private void WriteOut()
    {
        CloseCursor();
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
        _writtenApplied = _meta.Applied;
        _store.ThrowIfFailed();
    }

    private KvApplied ApplyWrite(in KvRequest request, ulong revisionFloor)
    {
        Invariant.Holds(request.IsWrite, $"{_group}: {request.Operation} in the log at {_meta.Applied}");
        ReadOnlySpan<byte> key = request.Key.Span;
        KeyVersion current = CurrentVersion(key);
        ulong currentRevision = current.HasValue ? current.Revision : 0;
        bool isRefused = request.Condition switch
        {
            KvCondition.RevisionIs => currentRevision != request.Revision,
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
        KeyVersion next = Following(current, revision, request.TtlMillis);
        WriteVersion(key, current, next, request.Value.Span);
        return new KvApplied(null, revision, currentRevision, next.Created, next.Version, current.HasValue, _meta.Epoch);
    }

    /// <summary>The version that a put at <paramref name="revision"/> makes.</summary>
    private KeyVersion Following(in KeyVersion current, ulong revision, ulong ttlMillis)
    {
        ulong deadline = ttlMillis == 0 ? 0 : _meta.ShardTimeMillis + Math.Min(ttlMillis, ulong.MaxValue - _meta.ShardTimeMillis);
        return new KeyVersion(revision, false, current.HasValue ? current.Created : revision, current.HasValue ? current.Version + 1 : 1, deadline);
    }

    private ulong Delete(ReadOnlySpan<byte> key, in KeyVersion current, ulong revisionFloor)
    {
        ulong revision = TakeRevision(revisionFloor);
        WriteVersion(key, current, new KeyVersion(revision, true, 0, 0, 0), default);
        return revision;
    }

    private ulong NextRevision(ulong floor) => Math.Max(floor, _meta.Revision + 1);

    private ulong TakeRevision(ulong floor)
    {
        _meta = _meta with { Revision = NextRevision(floor) };
        return _meta.Revision;
    }

    /// <param name="item">Tells writes of one revision apart: which one of a transaction's it is.</param>
    private void WriteVersion(ReadOnlySpan<byte> key, in KeyVersion replaced, in KeyVersion version, ReadOnlySpan<byte> value, uint item = 0)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        RowLayout.WriteRevisionDescending(_key, version.Revision);
        _value.Clear();
        RowLayout.WriteVersionValue(_value, version, value);
        int valueAt = _batch.Put(_key.Written, _value.Written);
        _meta = _meta with { WrittenBytes = _meta.WrittenBytes + (ulong)(key.Length + value.Length) };
        _key.Clear();
        RowLayout.WriteChangeKey(_key, version.Revision, item, new Change(replaced.HasValue ? replaced.Revision : 0, version.IsDelete));
        _batch.Put(_key.Written, key);
        ReplaceTtlDeadline(key, replaced, version);
        _writtenLookup[key] = new Written(version, valueAt, _value.Length);
#if MUTANTS
        if (Mutants.On(Mutant.DeleteLeavesCachedVersion) && version.IsDelete) return;
#endif
        _newest.Set(key, version);
    }

    /// <summary>The newest version of a key, of the rows held or of the store.</summary>
    private KeyVersion CurrentVersion(ReadOnlySpan<byte> key)
    {
        if (_newest.TryGet(key, out KeyVersion newest) || TryGetHeld(key, out newest)) return newest;
        _cursor ??= _store.OpenCursor();
        KeyVersion found = Seek(_cursor, key);
        if (found.Revision != 0) _newest.Set(key, found);
        return found;
    }

    private bool TryGetHeld(ReadOnlySpan<byte> key, out KeyVersion version)
    {
        bool isHeld = _writtenLookup.TryGetValue(key, out Written written);
        version = written.Version;
        return isHeld;
    }

    /// <summary>The value of the key whose newest version <see cref="CurrentVersion"/> has just found; valid until the next write.</summary>
    private ReadOnlySpan<byte> CurrentValue(ReadOnlySpan<byte> key, ulong revision) =>
        _writtenLookup.TryGetValue(key, out Written written) ? RowLayout.ValueOf(_batch.Bytes.Slice(written.ValueAt, written.ValueLength)) : ValueAt(key, revision);

    /// <summary>Leaves the cursor on the newest version of the key, or the newest at or below <paramref name="revision"/> unless that is 0.</summary>
    private KeyVersion Seek(IOrderedCursor cursor, ReadOnlySpan<byte> key, ulong revision = 0)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        int prefixLength = _key.Length;
        if (revision > 0) RowLayout.WriteRevisionDescending(_key, revision);
        cursor.Seek(_key.Written);
        if (!cursor.IsValid || RowLayout.RevisionOf(cursor.Key, _key.Written[..prefixLength]) is not { } found) return default;
        return RowLayout.ReadVersion(found, cursor.Value);
    }

    private void ApplyConfiguration(in Entry entry)
    {
        Configuration = Configuration.Parse(entry.Payload.Span, out _);
        _batch.Put(RowLayout.ConfigurationKey, entry.Payload.Span);
        _meta = _meta with { Epoch = _meta.Epoch with { ConfVersion = _meta.Epoch.ConfVersion + 1 } };
    }

    internal static Configuration ReadConfiguration(IOrderedStore store, GroupId group)
    {
        byte[] row = store.Get(RowLayout.ConfigurationKey) ?? throw new StoreDamagedException($"{group}: the store has no configuration row");
        try
        {
            return Configuration.Parse(row, out _);
        }
        catch (FormatException malformed)
        {
            throw new StoreDamagedException($"{group}: configuration row: {malformed.Message}", malformed);
        }
    }

    /// <summary>Visible until its expiry is applied; so what is left is at least a millisecond. 0 is for ever.</summary>
    private ulong TtlLeft(in KeyVersion version) =>
        version.DeadlineMillis == 0 ? 0 : Math.Max(1, version.DeadlineMillis - Math.Min(version.DeadlineMillis, _meta.ShardTimeMillis));

    /// <summary>The newest of a key's rows that are held, and where in the batch its value stands.</summary>
    private readonly record struct Written(KeyVersion Version, int ValueAt, int ValueLength);

    /// <summary>Of what the entry wrote, and of all that the shard says of itself, the hash before the entry included.</summary>
    private ulong ChainHash(ReadOnlySpan<byte> rows)
    {
        _value.Clear();
        _meta.Write(_value);
        _value.U64(XxHash64.Hash(rows));
        return XxHash64.Hash(_value.Written);
    }
}
