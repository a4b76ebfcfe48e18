namespace RaftKv.Raft;

/// <content>
/// Linearizable reads without a log entry: ReadIndex (thesis §6.4), also for a follower, which asks its leader for the index and serves the read itself; and,
/// where the cluster has leases, reads that rely on them (design §6).
/// </content>
public sealed partial class RaftGroup
{
    private readonly ReadIndexQueue _reads = new();
    private readonly ForwardedReads _forwardedReads;
    private readonly List<ReadRequest> _confirmed = [];
    private readonly List<ReadGrant> _readGrants = [];
    private readonly List<ulong> _readsDropped = [];
    private readonly Func<ReplicaId, ulong> _readRoundOf;

    /// <summary>A leader that has told somebody to take over: that one may do so at any time, and voters help it whatever they promised this leader.</summary>
    private bool _mayBeTakenOver;

    /// <summary>With leases: until then this replica helps nobody to replace the leader whose heartbeat it has answered, itself included.</summary>
    private long _promisedUntil;

    /// <summary>
    /// Until when nobody else can lead, on this replica's clock: a majority has promised not to help another within the shortest election timeout of hearing this
    /// leader, and by its own clock, wrong by the drift at most, that has not passed since it sent what they answered. 0 without leases.
    /// </summary>
    public long LeaseUntilMicros
    {
        get
        {
            if (!_options.HasLeases || Role != Role.Leader || IsAsleep || _reads.ConfirmedSentAt == long.MinValue) return 0;
            bool isGivenAway = !_transferTo.IsNone || _mayBeTakenOver;
            long drift = _options.ElectionTimeoutMicros / 100 * RaftOptions.MaxDriftPercent;
#if MUTANTS
            if (Mutants.On(Mutant.LeaseOutlivesTransfer)) isGivenAway = false;
            if (Mutants.On(Mutant.LeaseOutlivesPromises)) return isGivenAway ? 0 : _now + 10 * _options.ElectionTimeoutMicros;
#endif
            return isGivenAway ? 0 : _reads.ConfirmedSentAt + _options.ElectionTimeoutMicros - drift;
        }
    }

    /// <summary>Until an entry of its own term is committed, a new leader does not know what is (thesis §6.4, step 1).</summary>
    private bool KnowsCommitted
    {
        get
        {
#if MUTANTS
            if (Mutants.On(Mutant.ReadIndexBeforeNoOp)) return true;
#endif
            return _log.TermAt(Commit) == Term;
        }
    }

    /// <summary>
    /// Asks for a read index, of the leader if this replica follows one. Later a Ready grants it (ReadGrants) or drops it (ReadsDropped), once. False: this replica
    /// neither leads nor knows who does, and nothing will come.
    /// </summary>
    /// <param name="mayUseLease">If this replica leads under a lease, that is proof enough.</param>
    public bool TryRequestRead(long now, ulong context, bool mayUseLease = false)
    {
        AdvanceTo(now);
        if (Role != Role.Leader && (Role != Role.Follower || Leader.IsNone)) return false;
        Wake(now);
        if (Role == Role.Follower) _forwardedReads.Add(context);
        else if (mayUseLease && LeaseUntilMicros is var until && _now < until && KnowsCommitted) _readGrants.Add(new ReadGrant(context, Commit, Term, until));
        else _reads.Add(new ReadRequest(ReplicaId.None, context));
        return true;
    }

    private void StartReadRound()
    {
        if (KnowsCommitted && _reads.TryStart(Commit)) SendHeartbeats();
    }

    private void OnReadRoundConfirmed(Progress progress, ulong round)
    {
        Invariant.Holds(round <= _reads.Round, $"{Group}: {progress.Replica} confirms round {round}, the newest is {_reads.Round}");
        progress.ReadRound = Math.Max(progress.ReadRound, round);
        TryGrantReads();
    }

    private void TryGrantReads()
    {
        ulong confirmed = Quorum.Agreed(Configuration, _readRoundOf);
#if MUTANTS
        if (Mutants.On(Mutant.ReadIndexWithoutQuorum)) confirmed = _reads.Round;
#endif
        LogIndex index = _reads.TakeConfirmed(confirmed, _confirmed);
        foreach (ReadRequest read in _confirmed)
        {
            if (read.From.IsNone) _readGrants.Add(new ReadGrant(read.Context, index, Term));
            else Send(new Message { Kind = MessageKind.ReadIndexResponse, From = Replica, To = read.From, Term = Term, Index = index, ReadRound = read.Context });
        }

        _confirmed.Clear();
    }

    private ulong ReadRoundOf(ReplicaId replica) => replica == Replica ? _reads.Round : FindProgress(replica)!.ReadRound;

    /// <summary>Who asked from elsewhere notices for itself that another leads.</summary>
    private void DropReads()
    {
        _reads.TakeAll(_confirmed);
        foreach (ReadRequest read in _confirmed)
            if (read.From.IsNone) _readsDropped.Add(read.Context);
        _confirmed.Clear();
    }

    private void OnReadIndexAsLeader(in Message message)
    {
        if (FindProgress(message.From) is not null) _reads.Add(new ReadRequest(message.From, message.ReadRound));
    }

    private void OnReadIndexResponseAsFollower(in Message message)
    {
        if (Leader == message.From) _forwardedReads.OnAnswer(message.ReadRound, message.Index, Term, _readGrants);
    }

    /// <summary>Whatever was on its way to the leader or back may be lost: it is asked again.</summary>
    private void SendForwardedReads()
    {
#if MUTANTS
        if (Mutants.On(Mutant.FollowerReadsWithoutLeader) && _forwardedReads.TryAsk(_now, _readsDropped, out ulong own))
        {
            _forwardedReads.OnAnswer(own, Commit, Term, _readGrants);
            return;
        }
#endif
        if (_forwardedReads.TryAsk(_now, _readsDropped, out ulong number))
            Send(new Message { Kind = MessageKind.ReadIndex, From = Replica, To = Leader, Term = Term, ReadRound = number });
    }
}
