using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>What a state machine says of time when it has applied something; see <see cref="Ports.IStateMachine"/>.</summary>
internal sealed record GroupTimes(ulong AppliedMillis, ulong? NextDeadlineMillis, ulong? NextCompactionMillis);

/// <summary>
/// A group's replicated time on this node: a count of milliseconds that a leader, its no-op applied, extends by its own monotonic
/// clock and stamps into every entry. It never leads what the entries say by more than that clock has run since (design §9).
/// </summary>
/// <remarks>
/// The anchor is set once a leadership, not with every entry applied: an entry's way from stamp to apply would otherwise be lost to
/// the count each time, and under load it would stand still. Owned by STEP.
/// </remarks>
internal sealed class GroupClock(GroupTimes times)
{
    /// <summary>While a group holds deadlines its leader writes a stamp at least this often, in µs.</summary>
    public const long MaxStampIntervalMicros = 60_000_000;

    private Term _anchorTerm;
    private ulong _anchorMillis;
    private long _anchorMicros;
    private GroupTimes _times = times;
    private long _lastStampMicros;
    private LogIndex _proposedAt;
    private Term _proposedIn;

    public void OnApplied(GroupTimes times) => _times = times;

    /// <summary>The stamp for an entry that this leader proposes now; 0 (none) until it has applied an entry of its own term.</summary>
    public ulong Stamp(long now, RaftGroup group)
    {
        if (group.Role != Role.Leader || group.TermAt(group.Applied) != group.Term) return 0;
        if (_anchorTerm != group.Term) (_anchorTerm, _anchorMillis, _anchorMicros) = (group.Term, _times.AppliedMillis, now);
#if MUTANTS
        if (Mutants.On(Mutant.StampIsLocalClock)) return (ulong)now / 1000;
#endif
        return _anchorMillis + (ulong)(now - _anchorMicros) / 1000;
    }

    public void OnStamped(long now) => _lastStampMicros = now;

    /// <summary>
    /// Whether the leader should propose the deadline command now: a deadline has passed, or there is one and the last stamp is old, or history may be given up; and none
    /// is under way.
    /// </summary>
    public bool IsCommandDue(long now, RaftGroup group)
    {
        if (_times is { NextDeadlineMillis: null, NextCompactionMillis: null }) return false;
        if (_proposedIn == group.Term && _proposedAt > group.Applied) return false;
        ulong time = Stamp(now, group);
        bool isStampOld = _times.NextDeadlineMillis is not null && now - _lastStampMicros >= MaxStampIntervalMicros;
        return time > 0 && (_times.NextDeadlineMillis <= time || _times.NextCompactionMillis <= time || isStampOld);
    }

    /// <summary>When a sleeping leader must wake for its next deadline, on its own clock; long.MaxValue when it holds none.</summary>
    public long WakeAtMicros(long now, RaftGroup group)
    {
        ulong time = Stamp(now, group);
        long compaction = _times.NextCompactionMillis is { } due ? now + MicrosFrom(time, due) : long.MaxValue;
        if (_times.NextDeadlineMillis is not { } deadline) return compaction;
        long stamp = Math.Max(now, _lastStampMicros + MaxStampIntervalMicros);
        return Math.Min(compaction, Math.Min(now + MicrosFrom(time, deadline), stamp));
    }

    /// <summary>An hour at most: whoever wakes too early sleeps again.</summary>
    private static long MicrosFrom(ulong time, ulong millis) => millis <= time ? 0 : (long)Math.Min(millis - time, 3_600_000) * 1000;

    public void OnCommandProposed(LogIndex index, Term term) => (_proposedAt, _proposedIn) = (index, term);
}
