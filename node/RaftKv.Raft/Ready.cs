namespace RaftKv.Raft;

public enum Role : byte
{
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

/// <summary>Why a replica changed its role; shown by the debug view and in logs.</summary>
public enum RoleChangeReason : byte
{
    Started,
    ElectionTimeout,
    PreVoteWon,
    ElectionWon,
    ElectionLost,
    HigherTerm,
    LeaderHeard,
    LostQuorum,
    VoteGranted,
    HandedOver,
    DiskStalled,
    NoLongerVoter,
    LeaderNodeGone,
    ConnectionLost,
}

/// <summary>One role change, kept in the group's ring of the last 64.</summary>
public readonly record struct RoleChange(long AtMicros, Role From, Role To, Term Term, RoleChangeReason Reason);

/// <summary>What became of a proposal when it was made.</summary>
public enum ProposeStatus : byte
{
    /// <summary>Appended at the returned index and term. Nothing is promised yet.</summary>
    Appended,

    /// <summary>Definitely not appended: this replica does not lead.</summary>
    NotLeader,

    /// <summary>Definitely not appended: too much is waiting to be committed.</summary>
    Busy,
}

public readonly record struct ProposeResult(ProposeStatus Status, LogIndex Index, Term Term);

/// <summary>A confirmed read: it may be served once the state machine has applied <see cref="Index"/>.</summary>
/// <param name="LeaseUntilMicros">Not 0: by a lease, and only if the clock, read after this was granted, has not reached that.</param>
public readonly record struct ReadGrant(ulong Context, LogIndex Index, Term Term, long LeaseUntilMicros = 0);

/// <summary>Entries a follower needs that are no longer in memory: read [First, Last] and answer with OnLogRead.</summary>
public readonly record struct LogReadRequest(ReplicaId For, Term Term, LogIndex First, LogIndex Last, int MaxBytes);

/// <summary>
/// From now on the log begins after (Index, Term): everything up to there is in a flushed store, under <see cref="Configuration"/>. What the disk
/// holds behind it is kept, or (it does not hold that entry) dropped; the same Ready's entries come after.
/// </summary>
public readonly record struct LogStart(LogIndex Index, Term Term, Configuration Configuration, bool KeepsLogBehind);

/// <summary>What a snapshot says of itself: a state machine's state after (Index, LogTerm).</summary>
/// <param name="Term">The sender's term after the snapshot was made: at or above the one in which the last entry was committed.</param>
public sealed record SnapshotHead(Term Term, LogIndex Index, Term LogTerm, Configuration Configuration);

/// <summary>What became of a snapshot that was offered to a group.</summary>
public enum InstallStatus : byte
{
    /// <summary>The log now begins behind it; the host switches stores when the Ready with its LogStart is persisted.</summary>
    Accepted,

    /// <summary>Entries are being applied: offer it again when they are.</summary>
    Busy,

    /// <summary>The group knows as much already.</summary>
    Stale,
}

/// <summary>
/// What a group wants done, gathered over one turn. The two message lists are the heart of it: what stands in
/// <see cref="SendAfterPersist"/> may leave only after this Ready's hard state and entries, and those of all earlier
/// ones, are on stable storage; only the log writer releases it.
/// </summary>
/// <remarks>Reused from turn to turn; entries and messages are valid until the next call into the group.</remarks>
public sealed class Ready
{
    /// <summary>Counts up by one per Ready that must be persisted; comes back in OnPersisted.</summary>
    public ulong Number { get; internal set; }

    /// <summary>Whether this Ready goes to the log writer at all (a new start, entries, hard state, or messages that wait for it).</summary>
    public bool MustPersist => LogStart is not null || HardState is not null || !Entries.IsEmpty || SendAfterPersist.Count > 0;

    /// <summary>Where the log begins from now on, or null when that has not changed. Comes before <see cref="Entries"/>.</summary>
    public LogStart? LogStart { get; internal set; }

    /// <summary>The hard state to write, or null when it has not changed.</summary>
    public HardState? HardState { get; internal set; }

    /// <summary>Entries to append. The first one replaces everything at and above its index.</summary>
    public ReadOnlyMemory<Entry> Entries { get; internal set; }

    public List<Message> SendNow { get; } = [];

    public List<Message> SendAfterPersist { get; } = [];

    /// <summary>Committed and locally durable entries to apply, [ApplyFirst, ApplyLast]; none if ApplyLast is 0.</summary>
    public LogIndex ApplyFirst { get; internal set; }

    public LogIndex ApplyLast { get; internal set; }

    /// <summary>The entries to apply when they are in memory; otherwise empty, and the applier reads them from the log.</summary>
    public ReadOnlyMemory<Entry> ApplyEntries { get; internal set; }

    public List<ReadGrant> ReadGrants { get; } = [];

    /// <summary>Reads that this replica cannot confirm any more: it no longer leads, or no longer follows whom it asked.</summary>
    public List<ulong> ReadsDropped { get; } = [];

    public List<LogReadRequest> LogReads { get; } = [];

    /// <summary>Followers that need what the log no longer holds: send each a snapshot, and say how it went (OnSnapshotEnded).</summary>
    public List<ReplicaId> SnapshotsToSend { get; } = [];

    /// <summary>This replica is no member any more, for ever: the host deletes it.</summary>
    public bool IsRemoved { get; internal set; }

    /// <summary>
    /// No leader for long: the host sends AmIMember to this replica's own id on every node of the cluster, for its members may have been replaced one
    /// and all.
    /// </summary>
    public bool AsksEverybody { get; internal set; }

    public bool IsEmpty =>
        !MustPersist && !AsksEverybody && SendNow.Count == 0 && ApplyLast == LogIndex.Zero && ReadGrants.Count == 0 && ReadsDropped.Count == 0 && LogReads.Count == 0
        && SnapshotsToSend.Count == 0;

    public void Clear()
    {
        Number = 0;
        LogStart = null;
        IsRemoved = AsksEverybody = false;
        HardState = null;
        Entries = default;
        SendNow.Clear();
        SendAfterPersist.Clear();
        ApplyFirst = ApplyLast = LogIndex.Zero;
        ApplyEntries = default;
        ReadGrants.Clear();
        ReadsDropped.Clear();
        LogReads.Clear();
        SnapshotsToSend.Clear();
    }
}
