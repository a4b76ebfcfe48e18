namespace RaftKv.Raft.Tests;

/// <summary>What one replica has on stable storage: all that survives a restart.</summary>
internal sealed class Disk
{
    public HardState HardState { get; set; }

    public LogIndex SnapshotIndex { get; init; }

    public Term SnapshotTerm { get; init; }

    /// <summary>Entries (SnapshotIndex, Last].</summary>
    public List<Entry> Entries { get; } = [];

    /// <summary>What the state machine's store holds; may be behind what the replica has applied.</summary>
    public LogIndex Applied { get; set; }

    public LogIndex Last => new(SnapshotIndex.Value + (ulong)Entries.Count);

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

    public Entry[] Read(LogIndex first, LogIndex last, int maxBytes = int.MaxValue)
    {
        List<Entry> entries = [];
        long bytes = 0;
        for (LogIndex index = first; index <= last; index = index.Next)
        {
            bytes += At(index).SizeBytes;
            if (entries.Count > 0 && bytes > maxBytes) break;
            entries.Add(At(index));
        }

        return [.. entries];
    }

    /// <summary>One Ready, written as a whole. The first entry replaces everything at and above its index.</summary>
    public void Write(HardState? hardState, ReadOnlySpan<Entry> entries)
    {
        if (hardState is { } state) HardState = state;
        if (entries.IsEmpty) return;
        int keep = (int)(entries[0].Index.Value - SnapshotIndex.Value) - 1;
        Assert.True(keep <= Entries.Count, $"entry {entries[0].Index} leaves a gap after {Last}");
        Entries.RemoveRange(keep, Entries.Count - keep);
        Entries.AddRange(entries);
    }

    public RaftStart ToStart(Configuration configuration)
    {
        List<(LogIndex First, Term Term)> runs = [];
        foreach (Entry entry in Entries)
            if (runs.Count == 0 || runs[^1].Term != entry.Term) runs.Add((entry.Index, entry.Term));
        return new RaftStart
        {
            HardState = HardState,
            Configuration = configuration,
            SnapshotIndex = SnapshotIndex,
            SnapshotTerm = SnapshotTerm,
            TermRuns = runs,
            LastIndex = Last,
            Applied = LogIndex.Max(Applied, SnapshotIndex),
        };
    }
}
