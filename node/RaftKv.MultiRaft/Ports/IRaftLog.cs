using RaftKv.Raft;

namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// A node's Raft log, shared by all its groups. Records are gathered and made durable together: one write and one sync
/// for all groups (group commit).
/// </summary>
/// <remarks>
/// Gathering and <see cref="Commit"/> belong to one thread (PERSIST); <see cref="Read"/> may be called beside them.
/// Every failure is a <see cref="DiskFailedException"/>, after which nothing may be acknowledged: the process stops.
/// </remarks>
public interface IRaftLog : IDisposable
{
    void AddHardState(GroupId group, ReplicaId replica, HardState hardState);

    /// <summary>Adds consecutive entries. The first one replaces everything of its group at and above its index.</summary>
    void AddEntries(GroupId group, ReplicaId replica, ReadOnlySpan<Entry> entries);

    /// <summary>
    /// The one commit point of a replica's state (design §7): which store generation is live and where its log begins. Entries up to
    /// its index are dropped; those behind it are kept if and only if <paramref name="keepsLogBehind"/>: then, and the log asserts it, the log holds
    /// an entry of exactly (index, term), or its point is already there. False for a group's first point.
    /// </summary>
    void AddCommitPoint(GroupId group, CommitPoint point, bool keepsLogBehind);

    /// <summary>
    /// The replica is removed for ever: everything of its group is dropped, and no replica with its id or a lower one may be created again. Durable before
    /// its directory is deleted.
    /// </summary>
    void AddTombstone(GroupId group, ReplicaId replica);

    /// <summary>The node's birth certificate; before it is durable, leftovers in the data directory are deleted.</summary>
    void AddInitialised(DiskIdentity identity);

    /// <summary>Writes and syncs all records added since the last call. On return they are on stable storage.</summary>
    void Commit();

    /// <summary>
    /// Durable entries from <paramref name="first"/> to at most <paramref name="last"/>, cut at <paramref name="maxBytes"/> but at least one; none when
    /// the log no longer holds <paramref name="first"/>.
    /// </summary>
    Entry[] Read(GroupId group, LogIndex first, LogIndex last, int maxBytes);

    /// <summary>What the log occupies now. Any thread may ask.</summary>
    LogUsage Usage { get; }

    /// <summary>The groups with live entries in the oldest segment, by id: they keep the log from giving it back. Any thread may ask; it looks at every group.</summary>
    IReadOnlyList<GroupId> PinningOldest { get; }
}

/// <summary>
/// What the log occupies. When <see cref="Bytes"/> passes half of <see cref="BudgetBytes"/>, whoever pins the oldest segment has to flush and
/// truncate (design §7).
/// </summary>
/// <param name="Bytes">Size of all segments but the spare ones.</param>
/// <param name="BudgetBytes">What the log should stay within; it grows on beyond rather than refuse a write.</param>
public readonly record struct LogUsage(long Bytes, long BudgetBytes);

/// <summary>Who this data directory belongs to.</summary>
/// <param name="DiskId">Random, never 0.</param>
public sealed record DiskIdentity(ulong ClusterId, NodeId Node, ulong DiskId, string Name, ReadOnlyMemory<byte> InitialMap);

/// <summary>
/// Where a replica's live state is: the store directory <c>shards/&lt;id&gt;/&lt;generation&gt;/</c>, which covers the log up to (Index, Term).
/// </summary>
public sealed record CommitPoint(
    ReplicaId Replica, ulong Generation, LogIndex Index, Term Term, Configuration Configuration, ulong EpochVersion, ulong EpochConfVersion);

/// <summary>What recovery found of one group.</summary>
public sealed record RecoveredGroup(
    GroupId Group, CommitPoint CommitPoint, HardState HardState, IReadOnlyList<(LogIndex First, Term Term)> TermRuns, LogIndex LastIndex)
{
    /// <summary>Where entries behind the commit point changed the configuration; ascending.</summary>
    public IReadOnlyList<LogIndex> ConfigurationIndexes { get; init; } = [];
}

/// <summary>What recovery found on the disk: nothing at all (Identity null) at a node's first start.</summary>
public sealed record RecoveredLog(DiskIdentity? Identity, IReadOnlyList<RecoveredGroup> Groups)
{
    /// <summary>The highest removed replica of each group that had one here.</summary>
    public IReadOnlyList<(GroupId Group, ReplicaId Replica)> Tombstones { get; init; } = [];
}
