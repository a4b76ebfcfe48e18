namespace RaftKv.Raft.Tests;

/// <summary>What one replica has on stable storage: all that survives a restart.</summary>
internal sealed class Disk
{
    public HardState HardState { get; set; }

    /// <summary>The log begins after this: the commit point.</summary>
    public LogIndex SnapshotIndex { get; set; }

    public Term SnapshotTerm { get; set; }

    /// <summary>Nothing on it says yet that the replica exists.</summary>
    public bool IsNew { get; set; }

    /// <summary>Entries (SnapshotIndex, Last].</summary>
    public List<Entry> Entries { get; } = [];

    /// <summary>What the state machine's live store holds; may be behind what the replica has applied.</summary>
    public LogIndex Applied { get; set; }

    /// <summary>What a crash leaves of it at least.</summary>
    public LogIndex Flushed { get; set; }

    /// <summary>The live store itself: every entry applied, the first one in front.</summary>
    public List<Entry> Store { get; set; } = [];

    public LogIndex Last => new(SnapshotIndex.Value + (ulong)Entries.Count);

    /// <summary>As every group begins (design §8): a store at index 10, term 5, which says who the members are, and an empty log behind it.</summary>
    public static Disk Born(Configuration configuration)
    {
        Disk disk = new() { HardState = new HardState(new Term(5), ReplicaId.None, new LogIndex(10)), SnapshotIndex = new LogIndex(10), SnapshotTerm = new Term(5) };
        disk.Store.AddRange(Some.Entries(1, 5, 5, 5, 5, 5, 5, 5, 5, 5));
        disk.Store.Add(Some.ConfigurationEntry(10, 5, configuration));
        disk.Applied = disk.Flushed = disk.SnapshotIndex;
        return disk;
    }

    /// <summary>A disk whose log holds one entry per given term, with the hard state given.</summary>
    public static Disk Of(ulong term, ulong vote = 0, ulong commit = 0, params ReadOnlySpan<ulong> logTerms)
    {
        Disk disk = new() { HardState = new HardState(new Term(term), new ReplicaId(vote), new LogIndex(commit)) };
        foreach (ulong logTerm in logTerms) disk.Entries.Add(Some.Entry(disk.Last.Next.Value, logTerm));
        return disk;
    }

    /// <summary>A log of terms only; the hard state is of the last term.</summary>
    public static Disk OfLog(params ReadOnlySpan<ulong> logTerms) => Of(logTerms.IsEmpty ? 0 : logTerms[^1], 0, 0, logTerms);

    public Term? TermAt(LogIndex index)
    {
        if (index == SnapshotIndex) return SnapshotTerm;
        return index < SnapshotIndex || index > Last ? null : At(index).Term;
    }

    public Entry At(LogIndex index) => Entries[(int)(index.Value - SnapshotIndex.Value) - 1];

    /// <summary>Entries from <paramref name="first"/> on; none when the log no longer holds it.</summary>
    public Entry[] Read(LogIndex first, LogIndex last, int maxBytes = int.MaxValue)
    {
        List<Entry> entries = [];
        long bytes = 0;
        for (LogIndex index = first; index > SnapshotIndex && index <= LogIndex.Min(last, Last); index = index.Next)
        {
            bytes += At(index).SizeBytes;
            if (entries.Count > 0 && bytes > maxBytes) break;
            entries.Add(At(index));
        }

        return [.. entries];
    }

    /// <summary>
    /// One Ready, written as a whole: the commit point, with the snapshot whose store it makes the live one if there is one, the hard state,
    /// the entries. The first entry replaces everything at and above its index.
    /// </summary>
    public void Write(LogStart? start, Snapshot? installed, HardState? hardState, ReadOnlySpan<Entry> entries)
    {
        if (start is { } point) WriteCommitPoint(point, installed);
        if (hardState is { } state) HardState = state;
        if (entries.IsEmpty) return;
        int keep = (int)(entries[0].Index.Value - SnapshotIndex.Value) - 1;
        Assert.True(keep <= Entries.Count, $"entry {entries[0].Index} leaves a gap after {Last}");
        Entries.RemoveRange(keep, Entries.Count - keep);
        Entries.AddRange(entries);
    }

    private void WriteCommitPoint(LogStart point, Snapshot? installed)
    {
        bool holds = TermAt(point.Index) == point.Term;
        Assert.True(holds || !point.KeepsLogBehind, $"{point} keeps what is behind it, but the log ends at {Last} and has {TermAt(point.Index)} there");
        Entries.RemoveRange(0, point.KeepsLogBehind ? (int)(point.Index.Value - SnapshotIndex.Value) : Entries.Count);
        (SnapshotIndex, SnapshotTerm, IsNew) = (point.Index, point.Term, false);
        if (installed is null)
        {
            Assert.True(point.Index <= Flushed, $"{point}, but only {Flushed} is flushed: a crash would lose what is between");
            return;
        }

        Store = [.. installed.Entries];
        Applied = Flushed = point.Index;
    }

    /// <summary>The last configuration that the entries bring, or the one before them.</summary>
    public static Configuration ConfigurationIn(IEnumerable<Entry> entries, Configuration before)
    {
        Entry last = entries.LastOrDefault(entry => entry.Kind == EntryKind.Configuration);
        return last.Kind == EntryKind.Configuration ? Configuration.Parse(last.Payload.Span, out _) : before;
    }

    public RaftStart ToStart(Configuration configuration)
    {
        List<(LogIndex First, Term Term)> runs = [];
        foreach (Entry entry in Entries)
            if (runs.Count == 0 || runs[^1].Term != entry.Term) runs.Add((entry.Index, entry.Term));
        return new RaftStart
        {
            HardState = HardState,
            Configuration = ConfigurationIn(Store.TakeWhile(entry => entry.Index <= SnapshotIndex), configuration),
            ConfigurationsBehind = [.. Entries.Where(entry => entry.Kind == EntryKind.Configuration).Select(entry => (entry.Index, Configuration.Parse(entry.Payload.Span, out _)))],
            SnapshotIndex = SnapshotIndex,
            SnapshotTerm = SnapshotTerm,
            TermRuns = runs,
            LastIndex = Last,
            Applied = LogIndex.Max(Applied, SnapshotIndex),
            IsNew = IsNew,
        };
    }
}
