namespace RaftKv.Raft;

/// <summary>What a message between two replicas of a group says. The numbers are on the wire.</summary>
public enum MessageKind : byte
{
    /// <summary>Would you vote for me? Asked without a new term (thesis §9.6).</summary>
    PreVote = 1,
    PreVoteResponse = 2,
    Vote = 3,
    VoteResponse = 4,

    /// <summary>Entries after (Index, LogTerm); none makes it a probe.</summary>
    Append = 5,
    AppendResponse = 6,

    /// <summary>The leader is alive, and asks whether it still is the leader (ReadRound).</summary>
    Heartbeat = 7,
    HeartbeatResponse = 8,

    /// <summary>The leader has nothing to do and proposes to sleep: no heartbeats, no election timeouts, until something wakes the group.</summary>
    Hibernate = 9,
    HibernateResponse = 10,

    /// <summary>The leader hands over: campaign at once (thesis §3.10).</summary>
    TimeoutNow = 11,

    /// <summary>The applied configuration says that the addressee was removed from the group: it may delete itself.</summary>
    Removed = 12,

    /// <summary>The sender has reason to think that it was removed; whoever can prove it says so.</summary>
    AmIMember = 13,

    /// <summary>A follower asks from where on its own state is new enough for a linearizable read.</summary>
    ReadIndex = 14,

    /// <summary>From Index on; the sender led after it was asked.</summary>
    ReadIndexResponse = 15,
}

/// <summary>One message between two replicas of a group. Which fields a kind uses:</summary>
/// <remarks>
/// <code>
/// PreVote            Term = the term it would campaign in; Index, LogTerm = its last entry
/// PreVoteResponse    Term = the term asked for if granted, else the voter's own; Rejected
/// Vote               Index, LogTerm = the candidate's last entry; IsHandOver: at the old leader's wish, which is therefore no reason to refuse
/// VoteResponse       Rejected
/// Append             Index, LogTerm = the entry before Entries; Commit; Entries
/// AppendResponse     accepted: Index = durable and matching up to here
///                    Rejected: Index = the probed index; Hint, LogTerm = where the logs may still agree
/// Heartbeat          Commit (never above what the follower has acknowledged); Hint = the leader's own commit index; ReadRound; Mark = one of the addressee's: all
///                    that anybody had committed when it was sent is at or below Hint; 0 for none
/// HeartbeatResponse  ReadRound as received; Mark = a moment on the follower's clock, in its own terms
/// Hibernate          Index = the last entry, committed; sleep only if that is all there is
/// HibernateResponse  Rejected
/// TimeoutNow, Removed, AmIMember  –
/// ReadIndex          ReadRound = a number of the follower's
/// ReadIndexResponse  Index; ReadRound as received
/// </code>
/// <see cref="Entries"/> may point into the sender's log: encode or copy before the next call into the group.
/// </remarks>
public readonly record struct Message
{
    public required MessageKind Kind { get; init; }

    public required ReplicaId From { get; init; }

    public required ReplicaId To { get; init; }

    public required Term Term { get; init; }

    public LogIndex Index { get; init; }

    public Term LogTerm { get; init; }

    public LogIndex Commit { get; init; }

    public LogIndex Hint { get; init; }

    public ulong ReadRound { get; init; }

    public ulong Mark { get; init; }

    public bool Rejected { get; init; }

    public bool IsHandOver { get; init; }

    public ReadOnlyMemory<Entry> Entries { get; init; }

    public override string ToString() => RaftText.Describe(this);
}
