namespace RaftKv.Raft;

/// <summary>What an entry means to the group. The numbers are on disk and on the wire.</summary>
public enum EntryKind : byte
{
    /// <summary>The entry with which a leader opens its term (Raft paper §8); empty payload.</summary>
    NoOp = 0,

    /// <summary>A command of the state machine.</summary>
    Command = 1,

    /// <summary>A membership change; payload is the new <see cref="RaftKv.Raft.Configuration"/>.</summary>
    Configuration = 2,
}

/// <summary>One log entry. The pair (Index, Term) identifies its contents for ever (Raft paper §5.3).</summary>
/// <param name="FeatureLevel">The cluster feature level the entry was written under; 0 is the first release.</param>
/// <param name="StampMillis">Shard time as its leader stamped it, in milliseconds; 0 is no stamp (design §9).</param>
/// <param name="RevisionFloor">The least revision a write of this entry may take; 0 is none (design §9, stage two).</param>
/// <param name="Payload">The command, encoded once at the front door. The memory is immutable and lives as long as the entry.</param>
public readonly record struct Entry(
    LogIndex Index,
    Term Term,
    EntryKind Kind,
    byte FeatureLevel,
    ulong StampMillis,
    ulong RevisionFloor,
    ReadOnlyMemory<byte> Payload)
{
    /// <summary>What an entry costs beyond its payload in logs, messages and limits, in bytes.</summary>
    public const int OverheadBytes = 64;

    public int SizeBytes => Payload.Length + OverheadBytes;

    public override string ToString() => $"{Index}/{Term} {Kind} {Payload.Length}B";
}

/// <summary>What a replica must not forget: the term it has seen, its vote in that term, how far it knew the log committed.</summary>
/// <remarks>
/// Raft paper figure 2, "persistent state". Term and vote are durable before any message that depends on them leaves.
/// The commit index is a hint that shortens recovery; losing it loses nothing.
/// </remarks>
public readonly record struct HardState(Term Term, ReplicaId Vote, LogIndex Commit)
{
    public override string ToString() => $"{Term} vote {Vote} commit {Commit}";
}
