namespace RaftKv.Raft;

/// <content>Linearizable reads without a log entry: ReadIndex (thesis §6.4).</content>
public sealed partial class RaftGroup
{
    private readonly ReadIndexQueue _reads = new();
    private readonly List<ReadGrant> _readGrants = [];
    private readonly List<ulong> _readsDropped = [];
    private readonly Func<ReplicaId, ulong> _readRoundOf;

    /// <summary>
    /// Asks for a read index. Later a Ready grants it (ReadGrants) or drops it (ReadsDropped), once. False: this replica
    /// does not lead, and nothing will come.
    /// </summary>
    public bool TryRequestRead(long now, ulong context)
    {
        AdvanceTo(now);
        if (Role != Role.Leader) return false;
        Wake(now);
        _reads.Add(context);
        return true;
    }

    private void StartReadRound()
    {
        // Until an entry of its own term is committed, a new leader does not know what is (thesis §6.4, step 1).
        bool knowsCommitted = _log.TermAt(Commit) == Term;
#if MUTANTS
        if (Mutants.On(Mutant.ReadIndexBeforeNoOp)) knowsCommitted = true;
#endif
        if (!knowsCommitted || !_reads.TryStartRound(Commit)) return;
        SendHeartbeats();
        TryGrantReads();
    }

    private void OnReadRoundConfirmed(Progress progress, ulong round)
    {
        Invariant.Holds(round <= _reads.Round, $"{Group}: {progress.Replica} confirms round {round}, the newest is {_reads.Round}");
        progress.ReadRound = Math.Max(progress.ReadRound, round);
        TryGrantReads();
    }

    private void TryGrantReads()
    {
        if (!_reads.HasInFlight) return;
        ulong confirmed = Quorum.Agreed(Configuration, _readRoundOf);
#if MUTANTS
        if (Mutants.On(Mutant.ReadIndexWithoutQuorum)) confirmed = _reads.Round;
#endif
        _reads.TakeConfirmed(confirmed, Term, _readGrants);
    }

    private ulong ReadRoundOf(ReplicaId replica) => replica == Replica ? _reads.Round : FindProgress(replica)!.ReadRound;
}
