using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>
/// Where a shard stood at some moments of its time, so that it can be told which revisions are older than the history that is promised (design §7): a version goes when
/// it was superseded so long ago and so many revisions ago, or when what was written since takes more than may be kept.
/// </summary>
/// <remarks>
/// Part of the replicated state: equal on all replicas at equal index. Marks ascend in all three numbers; there are at most <see cref="MaxMarks"/>, of which
/// the older ones lie ever farther apart.
/// <code>
/// format u8 (1) | count u8 | count × (shard time ms u64 | revision u64 | written bytes u64)
/// </code>
/// Owned by APPLY.
/// </remarks>
internal sealed class History(Limits limits)
{
    private const byte FormatVersion = 1;
    private const int MaxMarks = 64;

    /// <summary>Of the time and of the bytes of history; so much later than promised, or sooner than allowed, a version goes.</summary>
    private const int Steps = 16;

    private readonly List<Mark> _marks = [];

    /// <summary>Reads the row, if there is one. Throws <see cref="StoreDamagedException"/> when it is malformed.</summary>
    public static History ReadFrom(byte[]? row, Limits limits, string group)
    {
        History history = new(limits);
        if (row is null) return history;
        try
        {
            history.Read(row);
            return history;
        }
        catch (MalformedException malformed)
        {
            throw new StoreDamagedException($"{group}: history row: {malformed.Message}", malformed);
        }
    }

    /// <summary>What is wrong with the row of a shard that is at <paramref name="meta"/>; null if nothing is.</summary>
    public static string? ComplaintAbout(byte[] row, in ShardMeta meta)
    {
        History history = new(Limits.Default);
        try
        {
            history.Read(row);
        }
        catch (MalformedException malformed)
        {
            return $"a history row that does not parse: {malformed.Message}";
        }

        if (history._marks.Count > MaxMarks) return $"a history row of {history._marks.Count} marks, there are at most {MaxMarks}";
        Mark last = default;
        foreach (Mark mark in history._marks)
        {
            if (mark.Revision <= last.Revision || mark.TimeMillis < last.TimeMillis || mark.WrittenBytes < last.WrittenBytes) return $"a history row whose mark of revision {mark.Revision} does not lie behind the one before";
            last = mark;
        }

        bool isAhead = last.Revision > meta.Revision || last.TimeMillis > meta.ShardTimeMillis || last.WrittenBytes > meta.WrittenBytes;
        return isAhead ? $"a history row whose mark of revision {last.Revision} is ahead of the shard, which is at {meta.Revision}" : null;
    }

    public void Write(ByteWriter writer)
    {
        writer.U8(FormatVersion);
        writer.U8((byte)_marks.Count);
        foreach (Mark mark in _marks)
        {
            writer.U64(mark.TimeMillis);
            writer.U64(mark.Revision);
            writer.U64(mark.WrittenBytes);
        }
    }

    /// <summary>After an entry: remembers where the shard stands, if that is worth it. False: the row has not changed.</summary>
    public bool TryNote(in ShardMeta meta)
    {
        if (meta.ShardTimeMillis == 0) return false; // No leader has stamped anything yet.
        Mark last = _marks.Count > 0 ? _marks[^1] : default;
        if (meta.Revision <= last.Revision) return false;
        bool isWorthIt = _marks.Count == 0 || meta.ShardTimeMillis - last.TimeMillis >= (ulong)limits.HistoryMillis / Steps || meta.WrittenBytes - last.WrittenBytes >= (ulong)limits.MaxHistoryBytes / Steps;
        if (!isWorthIt) return false;
        if (_marks.Count == MaxMarks) Thin();
        _marks.Add(new Mark(meta.ShardTimeMillis, meta.Revision, meta.WrittenBytes));
        return true;
    }

    /// <summary>The newest revision up to which superseded versions may go; null if nothing more may.</summary>
    public ulong? Target(in ShardMeta meta)
    {
        ulong? target = null;
        foreach (Mark mark in _marks)
        {
            if (mark.Revision <= meta.CompactRevision) continue;
            if (!MayGo(mark, meta)) break;
            target = mark.Revision;
        }

        return target;
    }

    /// <summary>The shard time at which <see cref="Target"/> will have something, unless more is written; null: never.</summary>
    public ulong? DueMillis(in ShardMeta meta)
    {
        foreach (Mark mark in _marks)
        {
            if (mark.Revision <= meta.CompactRevision) continue;
            if (MayGo(mark, meta)) return meta.ShardTimeMillis;
            return IsFarBack(mark, meta) ? mark.TimeMillis + (ulong)limits.HistoryMillis : null;
        }

        return null;
    }

    /// <summary>Marks up to the revision are of no use any more.</summary>
    public void Forget(ulong revision) => _marks.RemoveAll(mark => mark.Revision <= revision);

    private bool MayGo(in Mark mark, in ShardMeta meta)
    {
        bool isOld = mark.TimeMillis + (ulong)limits.HistoryMillis <= meta.ShardTimeMillis;
        bool isTooMuch = meta.WrittenBytes - mark.WrittenBytes >= (ulong)(limits.MaxHistoryBytes - limits.MaxHistoryBytes / Steps);
        return (isOld && IsFarBack(mark, meta)) || isTooMuch;
    }

    private bool IsFarBack(in Mark mark, in ShardMeta meta) => mark.Revision + (ulong)limits.HistoryRevisions <= meta.Revision;

    /// <summary>Every second one of the older half goes; what is between them is kept a little longer.</summary>
    private void Thin()
    {
        for (int i = MaxMarks / 2 - 1; i > 0; i -= 2) _marks.RemoveAt(i);
    }

    private void Read(byte[] row)
    {
        ByteReader reader = new(row);
        byte format = reader.U8();
        if (format != FormatVersion) throw new MalformedException($"format {format}, this build knows {FormatVersion}");
        int count = reader.U8();
        for (int i = 0; i < count; i++) _marks.Add(new Mark(reader.U64(), reader.U64(), reader.U64()));
        reader.ExpectEnd();
    }

    private readonly record struct Mark(ulong TimeMillis, ulong Revision, ulong WrittenBytes);
}
