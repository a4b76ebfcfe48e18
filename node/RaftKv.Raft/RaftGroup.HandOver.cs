namespace RaftKv.Raft;

/// <content>Leadership given away: to a named replica (thesis §3.10), or given up because this node's disk stands still.</content>
public sealed partial class RaftGroup
{
    private ReplicaId _transferTo;
    private long _transferDeadline;
    private bool _isStalled;

    /// <summary>To whom leadership is being handed over; none when it is not.</summary>
    public ReplicaId TransferTarget => _transferTo;

    /// <summary>Whom this leader has told to campaign, in the hand-over under way or the last one: it may do so however late it hears of it; none when it was not told.</summary>
    public ReplicaId ToldToTakeOver { get; private set; }

    /// <summary>
    /// Hands leadership to <paramref name="to"/>, a voter: takes no proposals until it has all entries, then tells it to campaign. Given up
    /// after an election timeout. False: this replica does not lead, or that one does not vote.
    /// </summary>
    public bool TryTransfer(long now, ReplicaId to)
    {
        AdvanceTo(now);
        if (Role != Role.Leader || to == Replica || !Configuration.IsVoter(to)) return false;
        Wake(now);
        _transferTo = to;
        ToldToTakeOver = ReplicaId.None;
        _transferDeadline = _now + _options.ElectionTimeoutMicros;
        HandOverIfCaughtUp();
        return true;
    }

    /// <summary>
    /// The voter that would take over with the least delay, of those that <paramref name="mayTake"/> allows: whoever has most, and of those who was heard last;
    /// none when there is none.
    /// </summary>
    public ReplicaId BestTransferTarget(Predicate<ReplicaId>? mayTake = null)
    {
        ReplicaId best = ReplicaId.None;
        (LogIndex Match, long HeardAt) most = default;
        foreach (Progress progress in _progress)
        {
            (LogIndex Match, long HeardAt) has = (progress.Match, progress.LastContactMicros);
            if (!Configuration.IsVoter(progress.Replica) || has.Match == LogIndex.Zero || has.CompareTo(most) <= 0 || mayTake?.Invoke(progress.Replica) == false) continue;
            (best, most) = (progress.Replica, has);
        }

        return best;
    }

    /// <summary>
    /// This node's disk stands still, or works again. While it stands still this replica does not campaign, and a leader gives up, after
    /// telling whoever has all it has to take over.
    /// </summary>
    public void SetStalled(long now, bool isStalled)
    {
        AdvanceTo(now);
        _isStalled = isStalled;
        if (!isStalled || Role != Role.Leader) return;
        Wake(now);
        ReplicaId successor = BestTransferTarget();
        if (!successor.IsNone && FindProgress(successor)!.Match >= Commit) SendTimeoutNow(successor);
        BecomeFollower(Term, ReplicaId.None, RoleChangeReason.DiskStalled);
    }

    private void HandOverIfCaughtUp()
    {
        if (_transferTo.IsNone || FindProgress(_transferTo) is not { } progress || progress.Match < _log.Last) return;
        ToldToTakeOver = _transferTo;
        SendTimeoutNow(_transferTo);
    }

    private void SendTimeoutNow(ReplicaId to)
    {
        _mayBeTakenOver = true;
        Send(new Message { Kind = MessageKind.TimeoutNow, From = Replica, To = to, Term = Term });
    }

    private void OnTimeoutNowAsFollower(in Message message)
    {
        if (Leader != message.From || _isStalled || !Configuration.IsVoter(Replica)) return;
        BecomeCandidate(isHandOver: true);
    }
}
