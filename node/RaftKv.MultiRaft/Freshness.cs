using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// Since when a replica may lack something committed: what a stale read says of its age. A mark is a moment, and how far the group had
/// committed by then; once this replica has applied that far, its state is complete up to that moment.
/// </summary>
/// <remarks>
/// One mark at a time: under load the next message already names an index that is not applied yet, and a mark that always moved on would
/// never be reached. So the age may be too large, by a heartbeat or two and the way from commit to apply; it is never too small (see RaftGroup.Freshness). Owned by STEP.
/// </remarks>
internal sealed class Freshness
{
    private (long At, LogIndex Commit)? _mark;
    private long? _completeAt;

    /// <summary>In µs; null when this process has never known.</summary>
    public long? AgeMicros(long now) => _completeAt is { } at ? Math.Max(0, now - at) : null;

    /// <summary>After the group has handled the message. A heartbeat's Commit is never above what this follower has acknowledged; its Hint is the leader's own.</summary>
    public void OnMessage(in Message message, RaftGroup group)
    {
        if (group.MarkedAtMicros(message) is { } at) Mark(at, message.Hint, group.Applied);
    }

    /// <summary>A tick of one that is awake: a leader knows by itself.</summary>
    public void OnTick(RaftGroup group)
    {
        if (group.ProvedAtMicros is { } at) Mark(at, group.Commit, group.Applied);
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
