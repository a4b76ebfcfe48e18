namespace RaftKv.Raft;

/// <summary>
/// One replica's consensus state machine: it takes events (Step, Tick, Propose, RequestRead, OnPersisted, OnApplied,
/// OnLogRead) and yields what is to be done (TakeReady). It has no clock, thread, randomness or I/O of its own.
/// </summary>
/// <remarks>
/// Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the paper); Ongaro's thesis for pre-vote
/// (§9.6), check-quorum (§6.2), ReadIndex (§6.4) and pipelining (§10.2.2). Elections stand in RaftGroup.Elections.cs,
/// log replication in RaftGroup.Replication.cs, snapshots and compaction in RaftGroup.Snapshots.cs, reads in RaftGroup.Reads.cs, sleep in
/// RaftGroup.Hibernation.cs, leadership given away in RaftGroup.HandOver.cs, members in RaftGroup.Membership.cs. Owned by one GroupWorker; not thread-safe.
/// <para>Invariants: Applied ≤ HandedToApply ≤ min(Commit, Durable); Commit ≤ Last; DurableTerm ≤ Term; a leader's term is durable, and so is any in which entries are handed out to be applied.</para>
/// </remarks>
public sealed partial class RaftGroup
{
    private const int MaxRoleChanges = 64;
    private const ulong MaxUnappliedEntries = 4096;

    private readonly RaftOptions _options;
    private readonly SplitMix _random;
    private readonly LogTail _log;
    private readonly Queue<RoleChange> _roleChanges = new();
    private readonly Queue<HardState> _persistingHardStates = new();
    private readonly List<Message> _sendNow = [];
    private readonly List<Message> _sendAfterPersist = [];
    private long _now;
    private ulong _readyNumber;
    private HardState _writtenHardState;
    private HardState _durableHardState;
    private LogIndex _handedToApply;

    public RaftGroup(RaftOptions options, RaftStart start, long now)
    {
        _options = options;
        _random = new SplitMix(options.Seed);
        _log = new LogTail(start);
        _now = now;
        _configurations.Add((start.SnapshotIndex, start.SnapshotTerm, start.Configuration));
        foreach (var (index, configuration) in start.ConfigurationsBehind) _configurations.Add((index, _log.TermAt(index)!.Value, configuration));
        Term = start.HardState.Term;
        Vote = start.HardState.Vote;
        Commit = LogIndex.Max(LogIndex.Max(start.HardState.Commit, start.Applied), start.SnapshotIndex);
        Invariant.Holds(Commit <= _log.Last, $"{options.Group}: commit {Commit} is beyond the log's last index {_log.Last}: synced log was lost");
        Invariant.Holds(Term >= _log.LastTerm, $"{options.Group}: hard state {start.HardState} is older than the log's last term {_log.LastTerm}");
        Applied = _handedToApply = start.Applied;
        _writtenHardState = _durableHardState = start.HardState;
        _markBase = new SplitMix(options.Seed).Fork(0x4D41524B).Next();
        _startedAt = now;
        _forwardedReads = new ForwardedReads(new SplitMix(options.Seed).Fork(0x52454144).Next(), 2 * options.HeartbeatIntervalMicros, options.ElectionTimeoutMicros);
        if (options.HasLeases) _promisedUntil = now + 2 * options.ElectionTimeoutMicros;
#if MUTANTS
        if (Mutants.On(Mutant.PromiseForgottenAtRestart)) _promisedUntil = 0;
#endif
        _matchOf = MatchOf;
        _readRoundOf = ReadRoundOf;
        _contactOf = ContactOf;
        _voteOf = VoteOf;
        if (start.IsNew) _logStart = new LogStart(start.SnapshotIndex, start.SnapshotTerm, start.Configuration, KeepsLogBehind: false);
        Role = Role.Follower;
        NoteRoleChange(Role.Follower, RoleChangeReason.Started);
        ResetElectionTimer();
    }

    public GroupId Group => _options.Group;

    public ReplicaId Replica => _options.Replica;

    public Role Role { get; private set; }

    public Term Term { get; private set; }

    /// <summary>Whom this replica voted for in <see cref="Term"/>.</summary>
    public ReplicaId Vote { get; private set; }

    /// <summary>The leader of <see cref="Term"/> as far as this replica knows.</summary>
    public ReplicaId Leader { get; private set; }

    public LogIndex Commit { get; private set; }

    public LogIndex Applied { get; private set; }

    public LogIndex LastIndex => _log.Last;

    public LogIndex DurableIndex => _log.Durable;

    public LogIndex SnapshotIndex => _log.SnapshotIndex;

    /// <summary>What this leader knows of its followers; empty when it does not lead.</summary>
    public IEnumerable<FollowerStatus> Followers => _progress.Select(progress => progress.Status);

    /// <summary>The last role changes, oldest first.</summary>
    public IReadOnlyCollection<RoleChange> RoleChanges => _roleChanges;

    /// <summary>All role changes there ever were, that it started included.</summary>
    public ulong RoleChangeCount { get; private set; }

    /// <summary>The term of the entry at <paramref name="index"/>, or null when the log does not hold it.</summary>
    public Term? TermAt(LogIndex index) => _log.TermAt(index);

    /// <summary>Handles one message. It must be addressed to this replica; a stale or meaningless one changes nothing.</summary>
    public void Step(long now, in Message message)
    {
        Invariant.Holds(message.To == Replica, $"{message} is not for {Replica}");
        AdvanceTo(now);
        // A late answer of one that sleeps too is no reason to wake.
        if (IsAsleep && (message.Kind != MessageKind.HibernateResponse || message.Term != Term)) Wake(now);
        if (message.Kind == MessageKind.Removed)
        {
            _isRemoved = true;
            return;
        }

        if (TryTellRemoved(message) || message.Kind == MessageKind.AmIMember) return;
        if (message.Term < Term)
        {
            AnswerStale(message);
            return;
        }

        if (message.Term > Term && !TryAdoptTerm(message)) return;

        switch ((Role, message.Kind))
        {
            case (_, MessageKind.PreVote): OnPreVote(message); break;
            case (_, MessageKind.Vote): OnVote(message); break;
            case (Role.PreCandidate, MessageKind.PreVoteResponse): OnPreVoteResponseAsPreCandidate(message); break;
            case (Role.Candidate, MessageKind.VoteResponse): OnVoteResponseAsCandidate(message); break;
            case (Role.Leader, MessageKind.Append or MessageKind.Heartbeat):
                Invariant.Holds(false, $"{Group}/{Replica}: {message.From} also leads {Term}");
                break;
            case (_, MessageKind.Append): OnAppendAsFollower(message); break;
            case (_, MessageKind.Heartbeat): OnHeartbeatAsFollower(message); break;
            case (Role.Follower, MessageKind.Hibernate): OnHibernateAsFollower(message); break;
            case (Role.Leader, MessageKind.HibernateResponse): OnHibernateResponseAsLeader(message); break;
            case (Role.Follower, MessageKind.TimeoutNow): OnTimeoutNowAsFollower(message); break;
            case (Role.Leader, MessageKind.AppendResponse): OnAppendResponseAsLeader(message); break;
            case (Role.Leader, MessageKind.HeartbeatResponse): OnHeartbeatResponseAsLeader(message); break;
            case (Role.Leader, MessageKind.ReadIndex): OnReadIndexAsLeader(message); break;
            case (Role.Follower, MessageKind.ReadIndexResponse): OnReadIndexResponseAsFollower(message); break;
            default: break; // An answer to a question this replica no longer asks.
        }
    }

    /// <summary>Lets time pass: campaigns, heartbeats and check-quorum happen here.</summary>
    public void Tick(long now)
    {
        AdvanceTo(now);
        if (IsAsleep) return;
        if (Role == Role.Leader) TickAsLeader();
        else TickAsFollower();
    }

    /// <summary>The Ready of that number, and all before it, is on stable storage.</summary>
    public void OnPersisted(long now, ulong readyNumber)
    {
        AdvanceTo(now);
        _log.OnPersisted(readyNumber);
        _durableHardState = _persistingHardStates.Dequeue();
        if (Role == Role.Candidate && _durableHardState.Term == Term) RecordVote(Replica, granted: true);
        if (Role == Role.Leader) TryAdvanceCommit();
    }

    /// <summary>The state machine has applied everything up to <paramref name="index"/>.</summary>
    public void OnApplied(LogIndex index)
    {
        Invariant.Holds(index <= _handedToApply, $"applied {index} was never handed out ({_handedToApply})");
        if (index <= Applied) return;
        Applied = index;
        if (Applied >= _installing) _installing = LogIndex.Zero;
        OnConfigurationApplied();
        ReleaseCached();
    }

    /// <summary>Fills <paramref name="ready"/> with everything to be done since the last call.</summary>
    public void TakeReady(Ready ready)
    {
        ready.Clear();
        if (Role == Role.Leader)
        {
            StartReadRound();
            SendAppends(ready);
        }
        else if (_forwardedReads.HasAny)
        {
            SendForwardedReads();
        }

        ready.ReadGrants.AddRange(_readGrants);
        _readGrants.Clear();
        ready.ReadsDropped.AddRange(_readsDropped);
        _readsDropped.Clear();
        ready.SendNow.AddRange(_sendNow);
        _sendNow.Clear();
        ready.SendAfterPersist.AddRange(_sendAfterPersist);
        _sendAfterPersist.Clear();
        ready.IsRemoved = _isRemoved;
        ready.AsksEverybody = _asksEverybody;
        _asksEverybody = false;
        TakePersist(ready);
        TakeApply(ready);
        CheckInvariants();
    }

    /// <summary>What must hold between any two events; also called by the simulator after each.</summary>
    public void CheckInvariants()
    {
        _log.CheckInvariants();
        Invariant.Holds(Applied <= _handedToApply, $"applied {Applied} handed out {_handedToApply}");
        Invariant.Holds(_handedToApply <= Commit, $"handed out {_handedToApply} commit {Commit}");
        Invariant.Holds(Commit <= _log.Last, $"commit {Commit} last {_log.Last}");
        Invariant.Holds(_durableHardState.Term <= Term, $"durable {_durableHardState.Term} current {Term}");
        Invariant.Holds(Role != Role.Leader || Leader == Replica);
        Invariant.Holds(_log.TermAt(_configurations[^1].Index) == _configurations[^1].Term, $"{Group}/{Replica}: {Configuration} of {_configurations[^1].Index}/{_configurations[^1].Term} is not in the log any more");
        Invariant.Holds(!IsAsleep || !Leader.IsNone, $"{Group}/{Replica} sleeps under no leader");
#if !MUTANTS
        Invariant.Holds(Role != Role.Leader || _durableHardState.Term == Term, $"leads {Term}, of which only {_durableHardState.Term} is durable");
#endif
    }

    public override string ToString() => RaftText.Describe(this);

    private void AdvanceTo(long now) => _now = Math.Max(_now, now);

    private void TakePersist(Ready ready)
    {
        HardState current = new(Term, Vote, Commit);
#if MUTANTS
        if (Mutants.On(Mutant.VoteNotPersisted)) current = current with { Vote = ReplicaId.None };
#endif
        bool mustWrite = current.Term != _writtenHardState.Term || current.Vote != _writtenHardState.Vote;
        bool hasEntries = _log.Submitted < _log.Last;
        if (mustWrite || ((hasEntries || _logStart is not null) && current != _writtenHardState))
        {
            ready.HardState = current;
            _writtenHardState = current;
        }

        ready.LogStart = _logStart;
        _logStart = null;
        if (!hasEntries && !ready.MustPersist) return;
        ready.Number = ++_readyNumber;
        ready.Entries = _log.TakeUnsubmitted(_readyNumber);
        _persistingHardStates.Enqueue(_writtenHardState);
    }

    private void TakeApply(Ready ready)
    {
        // What comes behind a snapshot has nothing to be applied to until APPLY has gone over to its store.
        if (IsInstalling) return;
        // A commit index counts in the term that told it: a store that kept its effects while a crash lost the term would let a leader of an
        // older term, with another log, take our commit index for a match.
        if (_durableHardState.Term != Term) return;
        LogIndex limit = LogIndex.Min(Commit, _log.Durable);
        LogIndex first = _handedToApply.Next;
        if (first > limit) return;
        if (_log.IsCached(first))
        {
            if (_handedToApply.Value - Applied.Value >= MaxUnappliedEntries) return;
            ready.ApplyEntries = _log.Cached(first, limit, _options.MaxApplyBytes);
            limit = ready.ApplyEntries.Span[^1].Index;
        }
        else
        {
            // On disk only: one run at a time, which the applier reads for itself.
            if (_handedToApply != Applied) return;
            limit = LogIndex.Min(LogIndex.Min(limit, _log.CacheStart.Previous), first + (MaxUnappliedEntries - 1));
        }

        ready.ApplyFirst = first;
        ready.ApplyLast = limit;
        _handedToApply = limit;
    }

    /// <summary>
    /// Queues a message. Votes, granted or asked for, acknowledgements and whatever carries a term that is not yet durable
    /// wait for the log writer; everything else may leave at once.
    /// </summary>
    private void Send(in Message message)
    {
        bool promises = message.Kind is MessageKind.Vote or MessageKind.VoteResponse
            || message is { Kind: MessageKind.AppendResponse, Rejected: false };
#if MUTANTS
        if (Mutants.On(Mutant.AckBeforeSync) && message.Kind == MessageKind.AppendResponse) { _sendNow.Add(message); return; }
#endif
        bool waits = promises || _durableHardState.Term != Term;
        (waits ? _sendAfterPersist : _sendNow).Add(message);
    }

    private void NoteRoleChange(Role to, RoleChangeReason reason)
    {
        if (_roleChanges.Count == MaxRoleChanges) _roleChanges.Dequeue();
        _roleChanges.Enqueue(new RoleChange(_now, Role, to, Term, reason));
        RoleChangeCount++;
        Role = to;
    }
}
