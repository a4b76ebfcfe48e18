namespace RaftKv.Raft;

/// <summary>What a group is started with. Times in µs of the clock that <c>now</c> comes from; sizes in bytes.</summary>
public sealed record RaftOptions
{
    /// <summary>By how much two members' clocks may differ in rate, in percent, for leases to hold.</summary>
    public const int MaxDriftPercent = 10;

    public required GroupId Group { get; init; }

    public required ReplicaId Replica { get; init; }

    /// <summary>The shortest silence after which a follower campaigns; each wait is drawn from [this, 2 × this).</summary>
    public long ElectionTimeoutMicros { get; init; } = 500_000;

    public long HeartbeatIntervalMicros { get; init; } = 100_000;

    /// <summary>How much longer than others this replica waits before it campaigns, by whatever it was prompted: so replicas of lower priority lead only where no other does.</summary>
    public long ElectionDelayMicros { get; init; }

    /// <summary>
    /// Whether this group's leader may serve reads under a lease. All its members must agree on it: each then helps nobody to replace a leader within the shortest election
    /// timeout of answering its heartbeat, and nobody at all within the longest after it started, for it may have answered one just before.
    /// </summary>
    public bool HasLeases { get; init; }

    /// <summary>Entries in one append message, in bytes; at least one entry is always sent.</summary>
    public int MaxAppendBytes { get; init; } = 256 * 1024;

    /// <summary>Entries read back from disk at once for a follower that is far behind, in bytes; sent in several messages.</summary>
    public int LogReadBytes { get; init; } = 1024 * 1024;

    /// <summary>Append messages on their way to one follower.</summary>
    public int MaxInFlightMessages { get; init; } = 128;

    /// <summary>Entry bytes on their way to one follower.</summary>
    public int MaxInFlightBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Entries a leader takes beyond what is committed; more proposals are refused (backpressure).</summary>
    public int MaxUncommittedBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Entries held in memory that are not applied yet; beyond them nothing new is taken.</summary>
    public int MaxUnappliedBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Entries kept in memory after they are applied, for followers a little behind.</summary>
    public int MaxCachedBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Entry bytes handed out to be applied in one Ready.</summary>
    public int MaxApplyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Draws election timeouts; two replicas of a group must not share it.</summary>
    public required ulong Seed { get; init; }
}

/// <summary>What a replica knows at start, as its host recovered it from disk.</summary>
public sealed record RaftStart
{
    public required HardState HardState { get; init; }

    /// <summary>The configuration at <see cref="SnapshotIndex"/>.</summary>
    public required Configuration Configuration { get; init; }

    /// <summary>Those that entries behind it brought, in index order.</summary>
    public IReadOnlyList<(LogIndex Index, Configuration Configuration)> ConfigurationsBehind { get; init; } = [];

    /// <summary>A replica that was just made by a message: it knows nothing, and its first Ready says so to the disk.</summary>
    public bool IsNew { get; init; }

    /// <summary>The log begins after this entry: a snapshot, or the group's birth at index 10, term 5.</summary>
    public required LogIndex SnapshotIndex { get; init; }

    public required Term SnapshotTerm { get; init; }

    /// <summary>Runs of equal terms, (first index, term), in index order, covering (SnapshotIndex, LastIndex].</summary>
    public required IReadOnlyList<(LogIndex First, Term Term)> TermRuns { get; init; }

    public required LogIndex LastIndex { get; init; }

    /// <summary>What the state machine's store has applied. SnapshotIndex ≤ Applied ≤ LastIndex.</summary>
    public required LogIndex Applied { get; init; }
}
