using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
#if MUTANTS
using RaftKv.Raft;
#endif

namespace RaftKv.Kv;

/// <content>Keys in order.</content>
public sealed partial class KvStateMachine
{
    /// <summary>Moves of the cursor for one chunk at most: deleted keys and other shards' cost time too, and everybody else waits meanwhile.</summary>
    private const int MaxListSteps = 2_000;

    private readonly ByteWriter _listKey = new();
    private readonly ByteWriter _listSeek = new();

    /// <summary>A chunk of what is asked for, or null when the shard owns none of the hashes wanted; on the APPLY thread, between batches.</summary>
    internal KvListChunk? List(KvListRequest asked)
    {
        if (_meta.Range.Intersect(asked.Range) is not { } covered) return null;
        ulong revision = asked.Revision == 0 ? _meta.Revision : asked.Revision;
#if MUTANTS
        if (Mutants.On(Mutant.ListChunksOfDifferentStates)) revision = _meta.Revision;
#endif
        WriteHeld();
        List<KvRow> rows = [];
        ulong count = 0;
        long bytes = 0;
        ReadOnlyMemory<byte>? next = null;
        using IOrderedCursor cursor = _store.OpenCursor(EndOfRows(asked.End.Span));
        SeekToKey(cursor, asked.Start.Span);
        for (int steps = 0; cursor.IsValid; steps++)
        {
            _listKey.Clear();
            RowLayout.WriteKeyOf(_listKey, cursor.Key);
            if (count >= asked.MaxRows || steps >= MaxListSteps)
            {
                next = _listKey.ToArray();
                break;
            }

            if (VersionAt(cursor, revision) is { HasValue: true } version && covered.Contains(KeyHash.Of(_listKey.Written)))
            {
                if (!asked.CountOnly && !TryAddRow(asked, rows, cursor, version, ref bytes))
                {
                    next = _listKey.ToArray();
                    break;
                }

                count++;
            }

            SkipKey(cursor);
        }

        return new KvListChunk(covered, revision, next, count, [.. rows]);
    }

    private bool TryAddRow(KvListRequest asked, List<KvRow> rows, IOrderedCursor cursor, in KeyVersion version, ref long bytes)
    {
        ReadOnlySpan<byte> value = asked.KeysOnly ? default : RowLayout.ValueOf(cursor.Value);
        bytes += _listKey.Length + value.Length;
        bool isTooLarge = bytes > asked.MaxBytes;
        if (isTooLarge && rows.Count > 0) return false;
        bool isLeftOut = isTooLarge && !value.IsEmpty;
        rows.Add(new KvRow(_listKey.ToArray(), version.Revision, version.Created, version.Version, TtlLeft(version), isLeftOut, isLeftOut ? default : value.ToArray()));
        return true;
    }

    /// <summary>
    /// From the newest version of a key to the one that stood at <paramref name="revision"/>; default if the key had none yet, and then the cursor may be on
    /// the next key already.
    /// </summary>
    private KeyVersion VersionAt(IOrderedCursor cursor, ulong revision)
    {
        _listSeek.Clear();
        _listSeek.Raw(RowLayout.PrefixOf(cursor.Key));
        int prefixLength = _listSeek.Length;
        if (RowLayout.RevisionOf(cursor.Key, _listSeek.Written) > revision)
        {
            RowLayout.WriteRevisionDescending(_listSeek, revision);
            cursor.Seek(_listSeek.Written);
        }

        return cursor.IsValid && RowLayout.RevisionOf(cursor.Key, _listSeek.Written[..prefixLength]) is { } found ? RowLayout.ReadVersion(found, cursor.Value) : default;
    }

    /// <summary>From any version of the key in _listKey to the next key. Most keys have few versions: a step is cheaper than a seek.</summary>
    private void SkipKey(IOrderedCursor cursor)
    {
        _listSeek.Clear();
        RowLayout.WriteKeyPrefix(_listSeek, _listKey.Written);
        if (!IsOnKey()) return;
        cursor.Next();
        if (!IsOnKey()) return;
        RowLayout.WriteRevisionDescending(_listSeek, 0);
        cursor.Seek(_listSeek.Written);

        bool IsOnKey() => cursor.IsValid && cursor.Key.StartsWith(_listSeek.Written);
    }

    private void SeekToKey(IOrderedCursor cursor, ReadOnlySpan<byte> key)
    {
        _listSeek.Clear();
        RowLayout.WriteKeyPrefix(_listSeek, key);
        cursor.Seek(_listSeek.Written);
    }

    /// <summary>Above every version row whose key is below <paramref name="end"/>, and below all others.</summary>
    private byte[] EndOfRows(ReadOnlySpan<byte> end)
    {
        if (end.IsEmpty) return [RowLayout.VersionTag + 1];
        _listSeek.Clear();
        RowLayout.WriteKeyPrefix(_listSeek, end);
        return _listSeek.ToArray();
    }
}
