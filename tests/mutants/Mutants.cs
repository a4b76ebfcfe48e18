namespace RaftKv.Raft;

/// <summary>
/// Deliberate faults, one line each at the place they break. Compiled only with <c>-p:Mutants=true</c> into an output of
/// its own (artifacts/mutants); a test proves that the release build has none. See tests/mutants/README.md.
/// </summary>
public enum Mutant
{
    None,

    /// <summary>A follower acknowledges entries that its disk has not synced (bugs.md D5, L24, L29).</summary>
    AckBeforeSync,

    /// <summary>A leader counts its own unsynced entries towards the majority (L5, L6).</summary>
    LeaderCountsUnsyncedEntries,

    /// <summary>A vote is granted but the hard state on disk does not have it (E1, E2).</summary>
    VoteNotPersisted,

    /// <summary>An older term's entry is committed because a majority holds it (L1, figure 8).</summary>
    CommitOlderTermByCounting,

    /// <summary>A read is served without a quorum having confirmed the leader (R7, R10).</summary>
    ReadIndexWithoutQuorum,

    /// <summary>A new leader serves reads before its no-op is committed (R1).</summary>
    ReadIndexBeforeNoOp,

    /// <summary>A persisted completion from before a truncation passes the new entries off as durable (L10, L11).</summary>
    LatePersistedCompletionTakenForNew,

    /// <summary>A follower serves a read at its own commit index, without having asked its leader.</summary>
    FollowerReadsWithoutLeader,

    /// <summary>A lease does not end, however long ago a majority last answered (R8).</summary>
    LeaseOutlivesPromises,

    /// <summary>A leader relies on its lease although it has told another to take over.</summary>
    LeaseOutlivesTransfer,

    /// <summary>A voter that restarts helps to replace a leader whose heartbeat it had answered just before.</summary>
    PromiseForgottenAtRestart,

    /// <summary>The age of a stale read counts from when the heartbeat under it arrived, however long that was under way.</summary>
    AgeCountsFromArrival,

    /// <summary>A leader that may have been replaced vouches for what a follower knows.</summary>
    MarkReturnedUnproved,

    /// <summary>A new leader vouches before it knows what was committed.</summary>
    MarkReturnedBeforeNoOp,

    /// <summary>A repeated write with an idempotency key is applied again (A5, K10, L12).</summary>
    DedupLookupSkipped,

    /// <summary>A repetition that comes after the window is applied as if it were new (A11).</summary>
    DedupFloorIgnored,

    /// <summary>A leader stamps its own clock instead of the group's replicated time: expiry by a local clock (W7, W8).</summary>
    StampIsLocalClock,

    /// <summary>The front repeats a write without an idempotency key although an attempt may have been applied (A5).</summary>
    UnkeyedWriteRepeated,

    /// <summary>A write that was appended is reported as definitely not applied when its deadline passes (design §3.3).</summary>
    DefiniteFailureAfterAppend,

    /// <summary>A forwarded request that is delivered twice is appended twice (design §4).</summary>
    ForwardedTwiceAppendedTwice,

    /// <summary>A node with another disk under the same name takes part (D5, L17, L27).</summary>
    WipedDiskVotesAgain,

    /// <summary>Recovery takes what reads back for durable: a kill, or a failed sync before it, left pages that are not (D1, D5).</summary>
    RecoveryTrustsUnsyncedPages,

    /// <summary>A confirmed read is served before its index is applied (R2, R6).</summary>
    ReadDoesNotWaitForItsIndex,

    /// <summary>In a joint configuration a majority of the new members alone decides (paper §6).</summary>
    JointDecidedByNewHalf,

    /// <summary>A replica deletes itself when the entry that removes it is appended, not when it is applied.</summary>
    RemovedBeforeApplied,

    /// <summary>A configuration entry that is truncated stays in force.</summary>
    ConfigurationNotTakenBack,

    /// <summary>A configuration holds from its commit on, not from its append (M2).</summary>
    ConfigurationHoldsFromCommit,

    /// <summary>What a removed replica acknowledged counts for the one that was added on its node after it.</summary>
    LateAckOfRemovedCounted,

    /// <summary>A leader changes members before it has committed an entry of its own term (M1).</summary>
    ChangeBeforeOwnTerm,

    /// <summary>A learner may vote before it has anything.</summary>
    EmptyLearnerPromoted,

    /// <summary>A voter that has an uncommitted configuration without itself does not campaign, though nobody else can win (thesis §4.2.2).</summary>
    LeavingVoterDoesNotCampaign,

    /// <summary>A leader that sleeps is not woken when its members' nodes have taken its own for gone.</summary>
    SleepingLeaderIsForgotten,

    /// <summary>A replica whose members have all been replaced asks only those.</summary>
    OrphanAsksNobodyElse,

    /// <summary>A follower agrees to sleep although it lacks entries or has not applied them.</summary>
    SleepsWithWorkLeft,

    /// <summary>Nobody watches the nodes of sleeping leaders.</summary>
    SleepersAreNotWoken,

    /// <summary>The log is cut past what the store has flushed (S-rules of design §7).</summary>
    LogCutPastFlushed,

    /// <summary>A snapshot that the log already holds empties the log: what was acknowledged behind it is gone (bugs.md, snapshots).</summary>
    SnapshotEmptiesTheLog,

    /// <summary>A snapshot is acknowledged before its commit point is durable.</summary>
    SnapshotAckedBeforePersist,

    /// <summary>A proposal below an installed snapshot is reported as definitely not applied.</summary>
    SnapshotRefusesProposals,

    /// <summary>The replica goes over to a snapshot's store before the commit point that names it is durable, and deletes the old one.</summary>
    SnapshotSwitchedBeforePersist,

    /// <summary>A snapshot comes without the idempotency records.</summary>
    DedupNotInSnapshot,

    /// <summary>The applied index is written apart from the rows it covers (A1).</summary>
    AppliedIndexApartFromRows,

    /// <summary>What a recycled segment file holds of its former life is taken for its records (D6).</summary>
    RecycledRecordAccepted,

    /// <summary>A record carried forward counts as new: it undoes what was written after it (D6, L19).</summary>
    CarriedRecordTruncates,

    /// <summary>A segment is freed before what was carried forward from it is durable (D6, S10).</summary>
    SegmentFreedBeforeCarrySynced,

    /// <summary>A delete leaves the version that it deleted in the cache of newest versions.</summary>
    DeleteLeavesCachedVersion,

    /// <summary>A read looks at the store only, not at the rows that are applied and wait to be written to it.</summary>
    ReadMissesHeldRows,

    /// <summary>Compaction of history removes the newest version of a key too, if it is old.</summary>
    CompactionRemovesLiveVersion,

    /// <summary>A leader whose disk is below the floor goes on taking puts (design §10, L18).</summary>
    FullDiskTakesPuts,

    /// <summary>Of a transaction only the first write is applied (design §9: it is atomic).</summary>
    HalfATransaction,

    /// <summary>Items of a batch share one idempotency record: the second one of a key answers the first one's result (design §9).</summary>
    DedupIgnoresItem,

    /// <summary>The client's plan sends a write without an idempotency key again after an attempt without an answer (A5).</summary>
    PlanRepeatsLostWrite,

    /// <summary>The client's plan takes the last attempt's refusal for the request's, although an earlier attempt was lost (design §3.3).</summary>
    PlanRejectsLostWrite,

    /// <summary>Recovery takes rot in the middle of the log for the torn end of it, and goes on without what lies behind (D5, D6).</summary>
    RotTakenForTornEnd,

    /// <summary>Each chunk of a list shows its shard as of another index (design §8).</summary>
    ListChunksOfDifferentStates,
}

/// <summary>The one mutant that is on in this process, set once at start.</summary>
public static class Mutants
{
    public static Mutant Active { get; set; }

    public static bool On(Mutant mutant) => Active == mutant;
}
