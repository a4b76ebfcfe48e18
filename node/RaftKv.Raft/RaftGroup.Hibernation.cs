namespace RaftKv.Raft;

/// <content>
/// Sleep: a group without work exchanges nothing and watches nothing. Its host watches the leader's node instead, for all groups at once, and
/// wakes the group when that node is gone; any message, proposal or read wakes it too (design §6).
/// </content>
public sealed partial class RaftGroup
{
    /// <summary>Who has agreed to sleep; null when nobody was asked.</summary>
    private HashSet<ReplicaId>? _sleepers;

    /// <summary>Ticks do nothing. A follower asleep takes its leader for alive: that is its host's to watch now.</summary>
    public bool IsAsleep { get; private set; }

    /// <summary>
    /// Asks all members to sleep, if there is nothing left to do: everything committed, applied and durable on every one of them. When
    /// all agree, this leader sleeps too. Does nothing otherwise.
    /// </summary>
    public void TryHibernate(long now)
    {
        AdvanceTo(now);
        if (IsAsleep || !HasNothingToDo) return;
        _sleepers = [];
        _heartbeatDue = _now + 2 * _options.HeartbeatIntervalMicros;
        foreach (Progress progress in _progress)
            Send(new Message { Kind = MessageKind.Hibernate, From = Replica, To = progress.Replica, Term = Term, Index = _log.Last });
        SleepIfAllAgree();
    }

    /// <summary>Ticks count again. The leader, as far as there is one, was alive until now.</summary>
    public void Wake(long now)
    {
        AdvanceTo(now);
        _sleepers = null;
        if (!IsAsleep) return;
        IsAsleep = false;
        _leaderHeardAt = _now;
        if (_isLeaderConnectionLost) _lossDeadline = _now + _options.ElectionDelayMicros + _random.Below(2 * _options.ElectionTimeoutMicros / 5); // Many groups wake together.
        ResetElectionTimer();
        foreach (Progress progress in _progress) progress.LastContactMicros = _now;
        if (Role == Role.Leader) _heartbeatDue = _now;
    }

    /// <summary>Wakes the group's leader as well: this replica wants to hear from it.</summary>
    public void WakeLeader(long now)
    {
        if (!IsAsleep) return;
        Wake(now);
        if (Role == Role.Follower) Send(new Message { Kind = MessageKind.HeartbeatResponse, From = Replica, To = Leader, Term = Term, Mark = OwnMark });
    }

    /// <summary>The leader's node is gone, or has forgotten that it led: campaign soon, each group at a moment of its own.</summary>
    public void OnLeaderNodeGone(long now)
    {
        Wake(now);
        if (Role != Role.Follower || Leader.IsNone) return;
        _leaderHeardAt = _now - _options.ElectionTimeoutMicros;
        _electionDeadline = Math.Min(_electionDeadline, _now + _options.ElectionDelayMicros + _random.Below(_options.ElectionTimeoutMicros));
    }

    private bool HasNothingToDo =>
        Role == Role.Leader && _transferTo.IsNone && !IsInstalling && !_reads.HasAny && Applied == _log.Last && _log.Durable == _log.Last && TermAt(Commit) == Term
        && !Configuration.IsJoint && _progress.TrueForAll(progress => progress.Match == _log.Last && progress.State == ProgressState.Replicate);

    private void OnHibernateAsFollower(in Message message)
    {
        bool isAll = Leader == message.From && _log.Last == message.Index && Commit == message.Index && Applied == message.Index && _log.Durable == message.Index && !_forwardedReads.HasAny;
#if MUTANTS
        isAll |= Mutants.On(Mutant.SleepsWithWorkLeft);
#endif
        Send(Answer(message, MessageKind.HibernateResponse) with { Rejected = !isAll });
        IsAsleep = isAll;
    }

    private void OnHibernateResponseAsLeader(in Message message)
    {
        if (_sleepers is null || FindProgress(message.From) is not { } progress) return;
        progress.OnHeard(_now);
        if (message.Rejected) _sleepers = null; // Whoever sleeps already is woken by the next heartbeat.
        else _sleepers.Add(message.From);
        SleepIfAllAgree();
    }

    private void SleepIfAllAgree()
    {
        if (_sleepers is null || _sleepers.Count < _progress.Count || !HasNothingToDo) return;
        _sleepers = null;
        IsAsleep = true;
        _reads.ForgetConfirmed(); // Asleep nobody renews the lease, and whoever sleeps may be woken to replace this leader.
    }
}
