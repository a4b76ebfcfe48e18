using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

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

    /// <summary>Of the keys changed next: removes what was superseded at or before the compact revision, deletes that nothing precedes any more, and the changes themselves.</summary>
    private void Sweep()
    {
        using IOrderedCursor cursor = _store.OpenCursor();
        Dictionary<byte[], ulong> changed = new(ByteArrayComparer.Instance);
        List<byte[]> keys = []; // In order: the batch must be equal on all replicas.
        int rows = 0;
        ulong swept = _meta.SweptRevision;
        _key.Clear();
        RowLayout.WriteChangeKey(_key, swept + 1, 0);
        cursor.Seek(_key.Written);
        for (; cursor.IsValid && RowLayout.ChangeRevisionOf(cursor.Key) is { } revision && revision <= _meta.CompactRevision; cursor.Next(), rows++)
        {
            if (rows >= MaxSweptPerEntry && revision != swept) break;
            byte[] key = cursor.Value.ToArray();
            if (!changed.ContainsKey(key)) keys.Add(key);
            changed[key] = swept = revision;
            _batch.Delete(cursor.Key);
        }

        if (rows < MaxSweptPerEntry) swept = _meta.CompactRevision;
        foreach (byte[] key in keys) SweepVersions(cursor, key, changed[key]);
        _meta = _meta with { SweptRevision = swept };
    }

    private void SweepVersions(IOrderedCursor cursor, byte[] key, ulong newest)
    {
        KeyVersion version = Seek(cursor, key, newest);
        Invariant.Holds(version.Revision == newest, $"{_group}: the change index says that revision {newest} changed a key, the store holds its version {version.Revision}");
        _row.Clear();
        RowLayout.WriteKeyPrefix(_row, key);
        bool isSuperseded = version.IsDelete;
#if MUTANTS
        if (Mutants.On(Mutant.CompactionRemovesLiveVersion)) isSuperseded = true;
#endif
        for (; cursor.IsValid && cursor.Key.StartsWith(_row.Written); cursor.Next())
        {
            if (isSuperseded) _batch.Delete(cursor.Key);
            isSuperseded = true;
        }
    }
}
