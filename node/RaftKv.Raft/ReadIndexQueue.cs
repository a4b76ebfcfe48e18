namespace RaftKv.Raft;

/// <summary>
/// Linearizable reads waiting for proof that this leader still leads (Raft thesis §6.4). Reads gather until no round is
/// in flight; then one heartbeat round confirms all of them. Every round has a number of its own, and an answer confirms
/// a read only if it answers that round or a later one: a late answer to an earlier round proves nothing (etcd 20418).
/// </summary>
/// <remarks>Owned by its RaftGroup.</remarks>
internal sealed class ReadIndexQueue
{
    private List<ulong> _waiting = [];
    private List<ulong> _inFlight = [];
    private LogIndex _inFlightIndex;

    /// <summary>The number of the newest round; heartbeats carry it. Grows within a leadership, starts anew with the next.</summary>
    public ulong Round { get; private set; }

    public bool HasInFlight => _inFlight.Count > 0;

    public bool HasAny => HasInFlight || _waiting.Count > 0;

    public void Add(ulong context) => _waiting.Add(context);

    /// <summary>Starts a round for the waiting reads unless one is in flight or nothing waits. The read index is the commit index now.</summary>
    public bool TryStartRound(LogIndex commit)
    {
        if (HasInFlight || _waiting.Count == 0) return false;
        (_inFlight, _waiting) = (_waiting, _inFlight);
        _inFlightIndex = commit;
        Round++;
        return true;
    }

    /// <summary>A quorum has answered rounds up to <paramref name="confirmedRound"/>.</summary>
    public void TakeConfirmed(ulong confirmedRound, Term term, List<ReadGrant> into)
    {
        if (!HasInFlight || confirmedRound < Round) return;
        foreach (ulong context in _inFlight) into.Add(new ReadGrant(context, _inFlightIndex, term));
        _inFlight.Clear();
    }

    /// <summary>Empties the queue: the leadership is over.</summary>
    public void TakeAll(List<ulong> into)
    {
        into.AddRange(_inFlight);
        into.AddRange(_waiting);
        _inFlight.Clear();
        _waiting.Clear();
        Round = 0;
    }
}
