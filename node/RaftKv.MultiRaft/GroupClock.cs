using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// A group's replicated time on this node: a count of milliseconds that a leader, its no-op applied, extends by its own monotonic
/// clock and stamps into every entry. It never leads what the entries say by more than that clock has run since (design §9).
/// </summary>
/// <remarks>
/// The anchor is set once a leadership, not with every entry applied: an entry's way from stamp to apply would otherwise be lost to
/// the count each time, and under load it would stand still. Owned by STEP.
/// </remarks>
internal sealed class GroupClock(ulong timeMillis, ulong? nextDeadlineMillis)
{
    /// <summary>While a group holds deadlines its leader writes a stamp at least this often, in µs.</summary>
    public const long MaxStampIntervalMicros = 60_000_000;

    private Term _anchorTerm;
    private ulong _anchorMillis;
    private long _anchorMicros;
    private ulong _appliedMillis = timeMillis;
    private ulong? _nextDeadline = nextDeadlineMillis;
    private long _lastStampMicros;
    private LogIndex _proposedAt;
    private Term _proposedIn;

    public void OnApplied(ulong appliedMillis, ulong? nextDeadlineMillis)
    {
        _appliedMillis = appliedMillis;
        _nextDeadline = nextDeadlineMillis;
    }

    /// <summary>The stamp for an entry that this leader proposes now; 0 (none) until it has applied an entry of its own term.</summary>
    public ulong Stamp(long now, RaftGroup group)
    {
        if (group.Role != Role.Leader || group.TermAt(group.Applied) != group.Term) return 0;
        if (_anchorTerm != group.Term) (_anchorTerm, _anchorMillis, _anchorMicros) = (group.Term, _appliedMillis, now);
#if MUTANTS
        if (Mutants.On(Mutant.StampIsLocalClock)) return (ulong)now / 1000;
#endif
        return _anchorMillis + (ulong)(now - _anchorMicros) / 1000;
    }

    public void OnStamped(long now) => _lastStampMicros = now;

    /// <summary>Whether the leader should propose the deadline command now: a deadline has passed, or the last stamp is old, and none is under way.</summary>
    public bool IsCommandDue(long now, RaftGroup group)
    {
        if (_nextDeadline is not { } deadline) return false;
        if (_proposedIn == group.Term && _proposedAt > group.Applied) return false;
        ulong time = Stamp(now, group);
        return time > 0 && (deadline <= time || now - _lastStampMicros >= MaxStampIntervalMicros);
    }

    /// <summary>When a sleeping leader must wake for its next deadline, on its own clock; long.MaxValue when it holds none.</summary>
    public long WakeAtMicros(long now, RaftGroup group)
    {
        if (_nextDeadline is not { } deadline) return long.MaxValue;
        ulong time = Stamp(now, group);
        long wait = deadline <= time ? 0 : (long)Math.Min(deadline - time, MaxStampIntervalMicros / 1000) * 1000;
        return Math.Min(now + wait, Math.Max(now, _lastStampMicros + MaxStampIntervalMicros));
    }

    public void OnCommandProposed(LogIndex index, Term term) => (_proposedAt, _proposedIn) = (index, term);
}
