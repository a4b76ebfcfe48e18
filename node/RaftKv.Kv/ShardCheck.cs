using System.Buffers.Binary;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>A row, or with no key the store as a whole, that is not as it must be.</summary>
public sealed record StoreProblem(byte[]? Key, string What);

/// <summary>What a store says of itself, without its rows.</summary>
/// <param name="Flushed">The applied index that a crash would leave; of a stopped node the same as <c>Meta.Applied</c>.</param>
public sealed record ShardSummary(ShardMeta Meta, LogIndex Flushed, Configuration Configuration);

/// <summary>Checks a store that nobody writes against itself and against what the raft log says of it (design §7): every row, each by what its kind promises.</summary>
/// <remarks>Reads every row once, and those that others point to, or that must point to others, once more. Errors of the engine come through as <see cref="StoreFailedException"/>.</remarks>
public sealed class ShardCheck
{
    private readonly IOrderedStore _store;
    private readonly RecoveredGroup _group;
    private readonly Action<StoreProblem> _report;
    private readonly ByteWriter _key = new();
    private ShardMeta _meta;
    private ulong _dedupRecords;
    private ulong _dedupBytes;
    private byte[] _lastPrefix = [];
    private byte[] _sweptPrefix = [];

    /// <summary>Versions behind what history is swept up to, each of which must have its change, and changes that have their version.</summary>
    private long _versionsToFind;
    private long _changesFound;

    private ShardCheck(IOrderedStore store, RecoveredGroup group, Action<StoreProblem> report)
    {
        _store = store;
        _group = group;
        _report = report;
    }

    public static ShardSummary Summarise(IOrderedStore store, GroupId group) =>
        new(ShardMeta.ReadFrom(store, group), ShardMeta.ReadFlushed(store, group).Applied, KvStateMachine.ReadConfiguration(store, group));

    /// <summary>Returns how many rows there are. A store whose own description cannot be read has none that could be judged: <see cref="StoreFailedException"/>.</summary>
    public static long Run(IOrderedStore store, RecoveredGroup group, Action<StoreProblem> report) => new ShardCheck(store, group, report).Run();

    private long Run()
    {
        ShardSummary summary = Summarise(_store, _group.Group);
        _meta = summary.Meta;
        CheckAgainstLog();
        long rows = 0;
        using (IOrderedCursor cursor = _store.OpenCursor())
        {
            for (cursor.Seek([]); cursor.IsValid; cursor.Next(), rows++)
            {
                byte[] key = cursor.Key.ToArray();
                byte[] value = cursor.Value.ToArray();
                if (ComplaintAbout(key, value) is { } complaint) _report(new StoreProblem(key, complaint));
            }
        }

        if (_changesFound != _versionsToFind) NameVersionsWithoutChange();
        if (_dedupRecords != _meta.DedupRecords || _dedupBytes != _meta.DedupBytes)
            Report($"it holds {_dedupRecords} idempotency records of {_dedupBytes} bytes, its meta row says {_meta.DedupRecords} of {_meta.DedupBytes}");
        return rows;
    }

    /// <summary>A store may lag behind the log, and is then brought up by it; never the other way round.</summary>
    private void CheckAgainstLog()
    {
        CommitPoint point = _group.CommitPoint;
        if (_meta.Applied < point.Index) Report($"it has applied {_meta.Applied}, the raft log begins behind {point.Index}: it is not the one the log knows");
        if (_meta.Applied > _group.LastIndex) Report($"it has applied {_meta.Applied}, the raft log ends at {_group.LastIndex}: synced log was lost");
        if (TermAt(_meta.Applied) is { } term && term != _meta.AppliedTerm) Report($"it has applied {_meta.Applied}/{_meta.AppliedTerm}, the raft log holds {_meta.Applied}/{term}");
        if (_group.TermRuns.Count > 0 && _group.HardState.Term < _group.TermRuns[^1].Term) Report($"the raft log's hard state is of {_group.HardState.Term}, its last entry of {_group.TermRuns[^1].Term}: synced log was lost");
        if (_group.HardState.Commit > _group.LastIndex) Report($"the raft log's hard state has committed {_group.HardState.Commit}, the log ends at {_group.LastIndex}: synced log was lost");
        if (_meta.Epoch.Version < point.EpochVersion) Report($"its epoch is {_meta.Epoch}, the raft log's {point.EpochVersion}.{point.EpochConfVersion}");
    }

    private Term? TermAt(LogIndex index)
    {
        if (index == _group.CommitPoint.Index) return _group.CommitPoint.Term;
        if (index < _group.CommitPoint.Index || index > _group.LastIndex) return null;
        return _group.TermRuns.Last(run => run.First <= index).Term;
    }

    private void Report(string what) => _report(new StoreProblem(null, what));

    private string? ComplaintAbout(byte[] key, byte[] value) => key[0] switch
    {
        RowLayout.MetaTag when key.Length == 1 => null,
        RowLayout.ConfigurationTag when key.Length == 1 => null,
        RowLayout.HistoryTag when key.Length == 1 => History.ComplaintAbout(value, _meta),
        RowLayout.VersionTag => OfVersion(key, value),
        RowLayout.ChangeTag => OfChange(key, value),
        RowLayout.DedupTag => OfDedup(key, value),
        RowLayout.DedupDeadlineTag => OfDedupDeadline(key),
        RowLayout.TtlDeadlineTag => OfTtlDeadline(key),
        _ => "a row of no kind that this build knows",
    };

    private string? OfVersion(byte[] key, byte[] value)
    {
        _key.Clear();
        if (!RowLayout.TryReadEscaped(key.AsSpan(1), _key, out int length) || key.Length != 1 + length + 8) return "a version whose key does not parse";
        if (value.Length < 25 || value[0] > 1) return "a version whose value does not parse";
        byte[] user = _key.ToArray();
        bool isNewest = !RowLayout.PrefixOf(key).SequenceEqual(_lastPrefix);
        _lastPrefix = RowLayout.PrefixOf(key).ToArray();
        ulong revision = ~BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(1 + length));
        KeyVersion version = RowLayout.ReadVersion(revision, value);
        if (revision == 0 || revision > _meta.Revision) return $"revision {revision}, the shard's newest is {_meta.Revision}";
        if (version.Created > revision) return $"created at {version.Created}, after its revision {revision}";
        if (revision > _meta.SweptRevision) _versionsToFind++;
        else if (IsSwept(key, version)) return $"revision {revision}, which was superseded or a delete, and history is swept up to {_meta.SweptRevision}";
        if (isNewest && version is { IsDelete: false, DeadlineMillis: > 0 } && !HasTtlDeadline(user, version)) return $"revision {revision} is to expire at {version.DeadlineMillis}, but has no ttl deadline";
        return OfRange(user);
    }

    private bool HasTtlDeadline(byte[] user, in KeyVersion version)
    {
        _key.Clear();
        RowLayout.WriteTtlDeadlineKey(_key, version.DeadlineMillis, version.Revision, user);
        return _store.Get(_key.Written) is not null;
    }

    /// <summary>One by one, as changes are found by revision only; so this is for stores in which the numbers have shown that some are missing.</summary>
    private void NameVersionsWithoutChange()
    {
        using IOrderedCursor versions = _store.OpenCursor();
        using IOrderedCursor changes = _store.OpenCursor();
        for (versions.Seek([RowLayout.VersionTag]); versions.IsValid && versions.Key[0] == RowLayout.VersionTag; versions.Next())
        {
            byte[] key = versions.Key.ToArray();
            ByteWriter user = new();
            if (!RowLayout.TryReadEscaped(key.AsSpan(1), user, out int length) || key.Length != 1 + length + 8) continue; // Named before.
            ulong revision = ~BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(1 + length));
            if (revision > _meta.SweptRevision && revision <= _meta.Revision && !HasChange(changes, revision, user)) _report(new StoreProblem(key, $"revision {revision} without its change"));
        }
    }

    private static bool HasChange(IOrderedCursor changes, ulong revision, ByteWriter user)
    {
        ByteWriter start = new();
        RowLayout.WriteChangeStart(start, revision);
        for (changes.Seek(start.Written); changes.IsValid && RowLayout.ChangeRevisionOf(changes.Key) == revision; changes.Next())
            if (changes.Value.SequenceEqual(user.Written)) return true;
        return false;
    }

    /// <summary>Rows of a key come newest first: of those up to the swept revision only the first may be there, and only if it is no delete.</summary>
    private bool IsSwept(byte[] key, in KeyVersion version)
    {
        bool isSecond = RowLayout.PrefixOf(key).SequenceEqual(_sweptPrefix);
        _sweptPrefix = RowLayout.PrefixOf(key).ToArray();
        return isSecond || version.IsDelete;
    }

    private string? OfChange(byte[] key, byte[] value)
    {
        if (key.Length is not (13 or 22) || (key.Length == 22 && key[21] > 1)) return "a change whose key does not parse";
        ulong revision = BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(1));
        if (revision <= _meta.SweptRevision) return $"a change of revision {revision}, and history is swept up to {_meta.SweptRevision}";
        if (revision > _meta.Revision) return $"a change of revision {revision}, the shard's newest is {_meta.Revision}";
        if (_store.Get(VersionKey(value, revision)) is not { Length: >= 25 } version) return $"a change of revision {revision} without its version";
        _changesFound++;
        if (RowLayout.ReadChange(key) is not { } change) return OfRange(value);
        if (change.IsDelete != RowLayout.ReadVersion(revision, version).IsDelete) return $"a change of revision {revision} that says it is {(change.IsDelete ? "a" : "no")} delete, its version says otherwise";
        if (change.Superseded != 0 && (change.Superseded >= revision || _store.Get(VersionKey(value, change.Superseded)) is null)) return $"a change of revision {revision} without revision {change.Superseded}, which it superseded";
        return OfRange(value);
    }

    private string? OfDedup(byte[] key, byte[] value)
    {
        _dedupRecords++;
        _dedupBytes += (ulong)(key.Length + value.Length);
        _key.Clear();
        if (!RowLayout.TryReadEscaped(key.AsSpan(1), _key, out int length) || 1 + length >= key.Length || key.Length != 1 + length + 1 + key[1 + length] + 4) return "an idempotency record whose key does not parse";
        if (ReadDedup(value) is not { } record) return "an idempotency record that does not parse";
        if (record.Index > _meta.Applied) return $"an idempotency record of entry {record.Index}, but only {_meta.Applied} are applied";
        string? complaint = OfRange(_key.Written);
        _key.Clear();
        RowLayout.WriteDedupDeadlineKey(_key, record.DeadlineMillis, key);
        return complaint ?? (_store.Get(_key.Written) is null ? "an idempotency record without its deadline" : null);
    }

    private string? OfDedupDeadline(byte[] key)
    {
        if (RowLayout.DeadlineOf(key, RowLayout.DedupDeadlineTag) is not { } deadline) return "an idempotency deadline whose key does not parse";
        if (_store.Get(RowLayout.DedupKeyOf(key)) is not { } value) return "an idempotency deadline without its record";
        return ReadDedup(value) is { } record && record.DeadlineMillis != deadline ? $"an idempotency deadline at {deadline}, its record says {record.DeadlineMillis}" : null;
    }

    private string? OfTtlDeadline(byte[] key)
    {
        if (key.Length <= 17 || RowLayout.DeadlineOf(key, RowLayout.TtlDeadlineTag) is not { } deadline) return "a ttl deadline whose key does not parse";
        ulong revision = RowLayout.TtlRevisionOf(key);
        ReadOnlySpan<byte> user = RowLayout.TtlKeyOf(key);
        if (_store.Get(VersionKey(user, revision)) is not { Length: >= 25 } value) return $"a ttl deadline without its version {revision}";
        ulong said = RowLayout.ReadVersion(revision, value).DeadlineMillis;
        return said != deadline ? $"a ttl deadline at {deadline}, its version says {said}" : OfRange(user);
    }

    private string? OfRange(ReadOnlySpan<byte> key)
    {
        ulong hash = KeyHash.Of(key);
        return _meta.Range.Contains(hash) ? null : $"its key's hash {hash:x16} is outside of the shard's range {_meta.Range}";
    }

    private static byte[] VersionKey(ReadOnlySpan<byte> key, ulong revision)
    {
        ByteWriter row = new();
        RowLayout.WriteKeyPrefix(row, key);
        RowLayout.WriteRevisionDescending(row, revision);
        return row.ToArray();
    }

    /// <summary>Null when neither a write's nor a transaction's result can be read from it.</summary>
    private DedupRecord? ReadDedup(byte[] value)
    {
        try
        {
            DedupRecord record = DedupRecord.Read(value);
            return IsWhole(record, () => KvApplied.Replay(record, _meta.Epoch)) || IsWhole(record, () => KvTxnApplied.Replay(record, _meta.Epoch)) ? record : null;
        }
        catch (MalformedException)
        {
            return null;
        }
    }

    /// <summary>Reads as such a result, and written again it is the same.</summary>
    private static bool IsWhole(DedupRecord record, Func<IRecordedResult> read)
    {
        try
        {
            ByteWriter again = new();
            read().Write(again);
            return again.Written.SequenceEqual(record.Result.Span);
        }
        catch (MalformedException)
        {
            return false;
        }
    }
}
