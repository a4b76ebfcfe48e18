using RaftKv.MultiRaft.Ports;
#if MUTANTS
using RaftKv.Raft;
#endif

namespace RaftKv.Kv;

/// <content>
/// The history that is kept (design §7). An entry of the log says, by its stamp, up to which revision superseded versions are given up: from then on reads below that
/// revision are refused. Their rows are swept away in steps, by entries too, so that no entry takes long.
/// </content>
public sealed partial class KvStateMachine
{
    /// <summary>Rows of the change index that one entry sweeps at most, but whole revisions.</summary>
    private const int MaxSweptPerEntry = 1_000;

    private readonly History _history;

    /// <inheritdoc/>
    public ulong? NextCompactionMillis => _meta.SweptRevision < _meta.CompactRevision ? _meta.ShardTimeMillis : _history.DueMillis(_meta);

    private void NoteHistory()
    {
        if (_history.TryNote(_meta)) PutHistory();
    }

    private void PutHistory()
    {
        _row.Clear();
        _history.Write(_row);
        _batch.Put(RowLayout.HistoryKey, _row.Written);
    }

    /// <summary>The store holds everything written before this entry.</summary>
    private void Compact()
    {
        if (_history.Target(_meta) is { } target)
        {
            _meta = _meta with { CompactRevision = target };
            _history.Forget(target);
            PutHistory();
        }

        if (_meta.SweptRevision < _meta.CompactRevision) Sweep();
    }

    /// <summary>Of the changes next: removes what each superseded, deletes themselves, and their rows of the change index. Nothing else is read, so a step costs what its rows take.</summary>
    private void Sweep()
    {
        using IOrderedCursor cursor = _store.OpenCursor();
        ulong swept = _meta.SweptRevision;
        int rows = 0;
        _key.Clear();
        RowLayout.WriteChangeStart(_key, swept + 1);
        cursor.Seek(_key.Written);
        for (; cursor.IsValid && RowLayout.ChangeRevisionOf(cursor.Key) is { } revision && revision <= _meta.CompactRevision; cursor.Next(), rows++)
        {
            if (rows >= MaxSweptPerEntry && revision != swept) break;
            swept = revision;
            ReadOnlySpan<byte> key = cursor.Value;
            Change change = RowLayout.ReadChange(cursor.Key) ?? FindChange(key, revision);
#if MUTANTS
            if (Mutants.On(Mutant.CompactionRemovesLiveVersion)) change = change with { IsDelete = true };
#endif
            if (change.Superseded != 0) DeleteVersion(key, change.Superseded);
            if (change.IsDelete) DeleteVersion(key, revision);
            _batch.Delete(cursor.Key);
        }

        if (rows < MaxSweptPerEntry) swept = _meta.CompactRevision;
        _meta = _meta with { SweptRevision = swept };
    }

    private void DeleteVersion(ReadOnlySpan<byte> key, ulong revision)
    {
        _key.Clear();
        RowLayout.WriteKeyPrefix(_key, key);
        RowLayout.WriteRevisionDescending(_key, revision);
        _batch.Delete(_key.Written);
    }

    /// <summary>The same from the versions, for what older builds wrote.</summary>
    private Change FindChange(ReadOnlySpan<byte> key, ulong revision)
    {
        using IOrderedCursor cursor = _store.OpenCursor();
        KeyVersion superseded = revision > 1 ? Seek(cursor, key, revision - 1) : default;
        return new Change(superseded.HasValue ? superseded.Revision : 0, Seek(cursor, key, revision).IsDelete);
    }
}
