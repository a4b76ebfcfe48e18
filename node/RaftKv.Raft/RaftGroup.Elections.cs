namespace RaftKv.Raft;

/// <content>Elections: timeouts, pre-votes, votes, terms and role changes.</content>
public sealed partial class RaftGroup
{
    private readonly SortedDictionary<ReplicaId, bool> _votes = [];
    private readonly Func<ReplicaId, bool?> _voteOf;
    private readonly Func<ReplicaId, ulong> _contactOf;
    private long _electionDeadline;
    private long _heartbeatDue;
    private long _leaderHeardAt;
    private bool _isLeaderConnectionLost;
    private long _lossDeadline = long.MaxValue;

    /// <summary>Since it last heard a leader, somebody asked for its vote whose log is behind its own.</summary>
    private bool _isAskedInVain;

    /// <summary>
    /// Whether the leader was heard within the shortest election timeout. Until that has passed nobody is helped to
    /// replace it, so that a node cut off and back cannot disrupt (thesis §4.2.3, §9.6).
    /// </summary>
    private bool LeaderIsAlive =>
        Role == Role.Leader || (!Leader.IsNone && !_isLeaderConnectionLost && _now - _leaderHeardAt < _options.ElectionTimeoutMicros);

    private bool HasPromised => _options.HasLeases && _now < _promisedUntil;

    /// <summary>For a leader: the time at which, or after which, a majority has answered it; itself always has.</summary>
    public long QuorumHeardAtMicros => (long)Math.Min(Quorum.Agreed(Configuration, _contactOf), (ulong)_now);

    /// <summary>
    /// The leader's process has closed its connection to this node, or (isUp) has one again. It counts as silence, much sooner than silence does: whoever would replace
    /// the leader is helped at once, and this replica asks for pre-votes after a fifth to three fifths of an election timeout. Nothing is lost if it was the connection alone:
    /// the others hear the leader. With leases it means nothing: the leader may live, and rely on what was promised to it.
    /// </summary>
    public void OnLeaderConnection(long now, bool isUp)
    {
        AdvanceTo(now);
        if (Role != Role.Follower || Leader.IsNone || _options.HasLeases) return;
        NoteLeaderConnection(isLost: !isUp);
    }

    private void NoteLeaderConnection(bool isLost)
    {
        if (isLost == _isLeaderConnectionLost) return;
        _isLeaderConnectionLost = isLost;
        _lossDeadline = isLost ? _now + _options.ElectionDelayMicros + _options.ElectionTimeoutMicros / 5 + _random.Below(2 * _options.ElectionTimeoutMicros / 5) : long.MaxValue;
    }

    private void TickAsFollower()
    {
        if (_now < _electionDeadline && _now < _lossDeadline) return;
        if (HasPromised)
        {
            _electionDeadline = _promisedUntil + _random.Below(_options.ElectionTimeoutMicros); // Not all groups of the node at once.
            return;
        }

        _asksEverybody = ++_timeoutsInARow % TimeoutsOfAnOrphan == 0;
        if (MayCampaign && !_isStalled)
        {
            BecomePreCandidate();
            return;
        }

        // Whoever led is silent; a voter would say the same by campaigning.
        SetLeader(ReplicaId.None);
        ResetElectionTimer();
        if (!MayCampaign) AskAllWhetherMember();
    }

    private void TickAsLeader()
    {
        // Check-quorum (thesis §6.2).
        if (_now - QuorumHeardAtMicros >= _options.ElectionTimeoutMicros)
        {
            BecomeFollower(Term, ReplicaId.None, RoleChangeReason.LostQuorum);
            return;
        }

        if (!_transferTo.IsNone && _now >= _transferDeadline)
        {
            _transferTo = ReplicaId.None;
            OnConfigurationApplied(); // Leaving a joint configuration may have waited for it.
        }

        if (_now >= _heartbeatDue) SendHeartbeats();
    }

    /// <summary>
    /// A voter by what is committed may be needed although an uncommitted configuration in its own log says otherwise: nobody whose log is shorter can win
    /// (thesis §4.2.2). So may a learner that holds the newest log of those that are left, and is a voter by a configuration that has not reached it: whoever has that
    /// configuration needs its vote, and cannot get it. Its own vote counts for nothing then.
    /// </summary>
    private bool MayCampaign =>
#if MUTANTS
        Mutants.On(Mutant.LeavingVoterDoesNotCampaign) ? Configuration.IsVoter(Replica) :
#endif
        Configuration.IsVoter(Replica) || ConfigurationAt(Commit).IsVoter(Replica) || _isAskedInVain;

    private void BecomePreCandidate()
    {
        NoteRoleChange(Role.PreCandidate, _now < _electionDeadline ? RoleChangeReason.ConnectionLost : RoleChangeReason.ElectionTimeout);
        SetLeader(ReplicaId.None);
        ResetElectionTimer();
        _votes.Clear();
        foreach (Member member in Configuration.Members)
            if (member.Replica != Replica && Configuration.IsVoter(member.Replica))
                Send(AskForVote(MessageKind.PreVote, member.Replica, Term.Next));
        RecordVote(Replica, granted: true);
    }

    private void BecomeCandidate(bool isHandOver = false)
    {
        Term = Term.Next;
        Vote = Replica;
        NoteRoleChange(Role.Candidate, isHandOver ? RoleChangeReason.HandedOver : RoleChangeReason.PreVoteWon);
        SetLeader(ReplicaId.None);
        ResetElectionTimer();
        // Its own vote counts when it is durable: OnPersisted.
        _votes.Clear();
        foreach (Member member in Configuration.Members)
            if (member.Replica != Replica && Configuration.IsVoter(member.Replica))
                Send(AskForVote(MessageKind.Vote, member.Replica, Term) with { IsHandOver = isHandOver });
    }

    private void BecomeLeader()
    {
        _timeoutsInARow = 0;
        NoteRoleChange(Role.Leader, RoleChangeReason.ElectionWon);
        SetLeader(Replica);
        _mayBeTakenOver = false;
        _progress.Clear();
        UpdateProgress();
        // The no-op that lets it commit its predecessors' entries and serve reads (paper §8).
        _log.Append(new Entry(_log.Last.Next, Term, EntryKind.NoOp, 0, 0, 0, default));
        SendHeartbeats();
    }

    private void BecomeFollower(Term term, ReplicaId leader, RoleChangeReason reason)
    {
        Invariant.Holds(term >= Term, $"{Group}/{Replica}: {term} after {Term}");
        if (term > Term)
        {
            Term = term;
            Vote = ReplicaId.None;
        }

        if (Role == Role.Leader)
        {
            DropReads();
            _progress.Clear();
            _transferTo = ReplicaId.None;
            _sleepers = null;
        }

        if (Role != Role.Follower)
        {
            NoteRoleChange(Role.Follower, reason);
            ResetElectionTimer();
        }

        SetLeader(leader);
    }

    private void SetLeader(ReplicaId leader)
    {
        if (!leader.IsNone) _isAskedInVain = false; // Also by the leader that was known before: it is heard again.
        if (leader == Leader) return;
        Leader = leader;
        NoteLeaderConnection(isLost: false);
        _forwardedReads.TakeAll(_readsDropped);
    }

    /// <summary>A message of a higher term: adopt the term, unless the message may not raise it. False: drop the message.</summary>
    private bool TryAdoptTerm(in Message message)
    {
        switch (message.Kind)
        {
            case MessageKind.PreVote:
            case MessageKind.PreVoteResponse when !message.Rejected:
                return true; // Nobody's term yet.
            case MessageKind.Vote when (LeaderIsAlive || HasPromised) && !message.IsHandOver:
                return false;
            case MessageKind.Append or MessageKind.Heartbeat or MessageKind.Hibernate:
                BecomeFollower(message.Term, message.From, RoleChangeReason.HigherTerm);
                return true;
            default:
                BecomeFollower(message.Term, ReplicaId.None, RoleChangeReason.HigherTerm);
                return true;
        }
    }

    /// <summary>
    /// A message of an older term. Whoever leads or campaigns in it is told of ours and gives up; without that answer a
    /// node that has a higher term and no majority could never be led again (etcd 8501).
    /// </summary>
    private void AnswerStale(in Message message)
    {
        switch (message.Kind)
        {
            case MessageKind.Append or MessageKind.Heartbeat or MessageKind.Hibernate:
                Send(Answer(message, MessageKind.AppendResponse) with { Rejected = true, Index = message.Index });
                break;
            case MessageKind.PreVote:
                Send(Answer(message, MessageKind.PreVoteResponse) with { Rejected = true });
                break;
            case MessageKind.Vote:
                Send(Answer(message, MessageKind.VoteResponse) with { Rejected = true });
                break;
            default:
                break;
        }
    }

    private void OnPreVote(in Message message)
    {
        bool mightVote = message.Term > Term || ((Vote.IsNone || Vote == message.From) && Leader.IsNone);
        bool isUpToDate = IsUpToDate(message);
        if (!isUpToDate && !LeaderIsAlive) _isAskedInVain = true;
        bool granted = mightVote && !LeaderIsAlive && !HasPromised && isUpToDate;
        Message answer = Answer(message, MessageKind.PreVoteResponse);
        Send(granted ? answer with { Term = message.Term } : answer with { Rejected = true });
    }

    private void OnVote(in Message message)
    {
        // At most one vote a term, and none against a leader that is known (paper §5.2, §5.4.1).
        bool isFree = Vote == message.From || (Vote.IsNone && Leader.IsNone);
        bool granted = isFree && IsUpToDate(message) && (!HasPromised || message.IsHandOver);
        if (granted)
        {
            Vote = message.From;
            ResetElectionTimer();
            // Late pre-vote grants must not make it campaign against the one it just voted for.
            if (Role == Role.PreCandidate) BecomeFollower(Term, ReplicaId.None, RoleChangeReason.VoteGranted);
        }

        Send(Answer(message, MessageKind.VoteResponse) with { Rejected = !granted });
    }

    private void OnPreVoteResponseAsPreCandidate(in Message message)
    {
        if (!message.Rejected && message.Term != Term.Next) return;
        RecordVote(message.From, !message.Rejected);
    }

    private void OnVoteResponseAsCandidate(in Message message) => RecordVote(message.From, !message.Rejected);

    private void RecordVote(ReplicaId from, bool granted)
    {
        _votes.TryAdd(from, granted);
        switch (Quorum.Count(Configuration, _voteOf))
        {
            case VoteResult.Won when Role == Role.PreCandidate && _isStalled: BecomeFollower(Term, ReplicaId.None, RoleChangeReason.DiskStalled); break;
            case VoteResult.Won when Role == Role.PreCandidate: BecomeCandidate(); break;
            // Peers' votes may overtake the completion of the write that made its own durable: wait for it.
            case VoteResult.Won when _votes.ContainsKey(Replica): BecomeLeader(); break;
            case VoteResult.Lost: BecomeFollower(Term, ReplicaId.None, RoleChangeReason.ElectionLost); break;
            default: break;
        }
    }

    private bool? VoteOf(ReplicaId replica) => _votes.TryGetValue(replica, out bool granted) ? granted : null;

    /// <summary>The candidate's log is at least as new as ours: (term, index) compared lexicographically (paper §5.4.1).</summary>
    private bool IsUpToDate(in Message message) =>
        message.LogTerm > _log.LastTerm || (message.LogTerm == _log.LastTerm && message.Index >= _log.Last);

    private Message AskForVote(MessageKind kind, ReplicaId to, Term term) =>
        new() { Kind = kind, From = Replica, To = to, Term = term, Index = _log.Last, LogTerm = _log.LastTerm };

    private Message Answer(in Message message, MessageKind kind) => new() { Kind = kind, From = Replica, To = message.From, Term = Term };

    private void ResetElectionTimer() =>
        _electionDeadline = _now + _options.ElectionDelayMicros + _options.ElectionTimeoutMicros + _random.Below(_options.ElectionTimeoutMicros);

    private ulong ContactOf(ReplicaId replica) => (ulong)(replica == Replica ? _now : FindProgress(replica)!.LastContactMicros);
}
