namespace RaftKv.Raft.Tests;

/// <summary>A replica's flushed state, on its way to another: the state machine is a list of entries, and so is this.</summary>
internal sealed record Snapshot(ReplicaId From, SnapshotHead Head, IReadOnlyList<Entry> Entries)
{
    public LogIndex Index => Head.Index;

    public override string ToString() => $"snapshot of {From} {Head.Term} up to {Head.Index}/{Head.LogTerm}";
}
