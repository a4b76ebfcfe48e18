namespace RaftKv.Raft;

/// <summary>Whoever asked for a read index: somebody here (None), or another replica, under a number of its own.</summary>
internal readonly record struct ReadRequest(ReplicaId From, ulong Context);

/// <summary>
/// Linearizable reads waiting for proof that this leader still leads (Raft thesis §6.4), and when it was last proved. Reads gather until none is
/// in flight; then one heartbeat round confirms all of them. Every round has a number of its own, and an answer confirms
/// a read only if it answers that round or a later one: a late answer to an earlier round proves nothing (etcd 20418).
/// </summary>
/// <remarks>Owned by its RaftGroup.</remarks>
internal sealed class ReadIndexQueue
{
    private const int MaxUnconfirmedRounds = 64;

    private readonly Queue<(ulong Round, long SentAt)> _unconfirmed = new();
    private List<ReadRequest> _waiting = [];
    private List<ReadRequest> _inFlight = [];
    private LogIndex _inFlightIndex;
    private ulong _inFlightRound;

    /// <summary>The number of the newest round; heartbeats carry it. Grows within a leadership, starts anew with the next.</summary>
    public ulong Round { get; private set; }

    /// <summary>When the newest round was sent that a quorum has answered; long.MinValue: none yet.</summary>
    public long ConfirmedSentAt { get; private set; } = long.MinValue;

    public bool HasInFlight => _inFlight.Count > 0;

    public bool HasAny => HasInFlight || _waiting.Count > 0;

    public void Add(ReadRequest request) => _waiting.Add(request);

    /// <summary>Has the next round confirm the waiting reads, unless one is in flight or nothing waits. The read index is the commit index now.</summary>
    public bool TryStart(LogIndex commit)
    {
        if (HasInFlight || _waiting.Count == 0) return false;
        (_inFlight, _waiting) = (_waiting, _inFlight);
        _inFlightIndex = commit;
        _inFlightRound = Round + 1;
        return true;
    }

    /// <summary>Another round of heartbeats goes out.</summary>
    public void BeginRound(long now)
    {
        Round++;
        if (_unconfirmed.Count == MaxUnconfirmedRounds) _unconfirmed.Dequeue();
        _unconfirmed.Enqueue((Round, now));
    }

    /// <summary>A quorum has answered rounds up to <paramref name="confirmedRound"/>: takes the reads that this confirms, and returns their index.</summary>
    public LogIndex TakeConfirmed(ulong confirmedRound, List<ReadRequest> into)
    {
        while (_unconfirmed.TryPeek(out var sent) && sent.Round <= confirmedRound)
        {
            ConfirmedSentAt = sent.SentAt;
            _unconfirmed.Dequeue();
        }

        if (HasInFlight && confirmedRound >= _inFlightRound)
        {
            into.AddRange(_inFlight);
            _inFlight.Clear();
        }

        return _inFlightIndex;
    }

    /// <summary>What was proved so far counts no more.</summary>
    public void ForgetConfirmed()
    {
        _unconfirmed.Clear();
        ConfirmedSentAt = long.MinValue;
    }

    /// <summary>Empties the queue: the leadership is over.</summary>
    public void TakeAll(List<ReadRequest> into)
    {
        into.AddRange(_inFlight);
        into.AddRange(_waiting);
        _inFlight.Clear();
        _waiting.Clear();
        ForgetConfirmed();
        Round = 0;
    }
}
