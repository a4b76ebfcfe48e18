using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// Since when a replica may lack something committed: what a stale read says of its age. A mark is a moment, and how far the leader had
/// committed then; once this replica has applied that far, its state is complete up to that moment.
/// </summary>
/// <remarks>
/// One mark at a time: under load the next message already names an index that is not applied yet, and a mark that always moved on would
/// never be reached. So the age may be too large by the way from commit to apply, never too small but for the time that a message was under way. Owned by STEP.
/// </remarks>
internal sealed class Freshness
{
    private (long At, LogIndex Commit)? _mark;
    private long? _completeAt;
    private bool _wasAsleep;
    private long _notBefore = long.MinValue;

    /// <summary>In µs; null when this process has never known.</summary>
    public long? AgeMicros(long now) => _completeAt is { } at ? Math.Max(0, now - at) : null;

    /// <summary>After the group has handled the message: if it is its leader's, it says how far that had committed.</summary>
    public void OnMessage(long now, in Message message, RaftGroup group)
    {
        if (message.Kind is not (MessageKind.Append or MessageKind.Heartbeat) || message.From != group.Leader || message.Term != group.Term) return;
        // A heartbeat's Commit is never above what this follower has acknowledged; its Hint is the leader's own.
        Mark(now, message.Kind == MessageKind.Heartbeat ? message.Hint : message.Commit, group.Applied);
    }

    /// <summary>A tick of a group that sleeps.</summary>
    public void OnAsleep() => _wasAsleep = true;

    /// <summary>
    /// A tick of one that is awake. A leader knows what is committed, as of when a majority still followed it and once an entry of its own term is. On
    /// waking it takes everybody for heard; here only what it hears since counts.
    /// </summary>
    public void OnTick(long now, RaftGroup group)
    {
        if (_wasAsleep) (_wasAsleep, _notBefore) = (false, now);
        if (group.Role != Role.Leader || group.TermAt(group.Commit) != group.Term || group.QuorumHeardAtMicros <= _notBefore) return;
        Mark(group.QuorumHeardAtMicros, group.Commit, group.Applied);
    }

    public void OnApplied(LogIndex applied)
    {
        if (_mark is not { } mark || mark.Commit > applied) return;
        _completeAt = Math.Max(_completeAt ?? long.MinValue, mark.At);
        _mark = null;
    }

    private void Mark(long at, LogIndex commit, LogIndex applied)
    {
        _mark ??= (at, commit);
        OnApplied(applied);
    }
}
