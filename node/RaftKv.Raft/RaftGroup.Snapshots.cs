namespace RaftKv.Raft;

/// <content>Where the log begins: compaction, and snapshots for followers that need what is gone (paper §7).</content>
public sealed partial class RaftGroup
{
    /// <summary>What the next Ready says of the log's start.</summary>
    private LogStart? _logStart;

    /// <summary>A snapshot up to here was accepted and the host has not switched to its store yet; else 0.</summary>
    private LogIndex _installing;

    /// <summary>Whether the store that covers the log's start is not the one applied to yet.</summary>
    public bool IsInstalling => _installing > LogIndex.Zero;

    /// <summary>
    /// Whether a snapshot is on its way to a follower. A log that is cut meanwhile may begin behind it when it arrives, and then another is
    /// needed: under load that would go on for ever.
    /// </summary>
    public bool IsSendingSnapshot => _progress.Exists(static progress => progress.State == ProgressState.Snapshot);

    /// <summary>
    /// Forgets the log up to <paramref name="index"/>, which must be applied and durable in the state machine's store: the log is what a
    /// crash would apply again.
    /// </summary>
    public void CompactTo(LogIndex index)
    {
        Invariant.Holds(index <= Applied, $"{Group}/{Replica}: compaction to {index}, applied is {Applied}");
        if (index <= _log.SnapshotIndex || IsInstalling) return;
        Configuration configuration = ConfigurationAt(index);
        _log.CompactTo(index);
        OnLogCut(index, configuration);
        _logStart = new LogStart(index, _log.SnapshotTerm, configuration, KeepsLogBehind: true);
    }

    /// <summary>
    /// A whole snapshot has arrived and is durable in a store of its own. Any replica's applied state is a prefix of what is committed, so
    /// it may come from anyone; but the term in which it was committed must be known here before its index counts as committed, or an
    /// older leader could be told of a match that is none.
    /// </summary>
    public InstallStatus TryInstall(long now, SnapshotHead head)
    {
        AdvanceTo(now);
        Wake(now);
        if (head.Term > Term) BecomeFollower(head.Term, ReplicaId.None, RoleChangeReason.HigherTerm);
        if (Role == Role.Leader || head.Index <= Commit) return InstallStatus.Stale;
        if (IsInstalling || _handedToApply != Applied) return InstallStatus.Busy;
        bool holds = _log.Matches(head.Index, head.LogTerm);
#if MUTANTS
        holds &= !Mutants.On(Mutant.SnapshotEmptiesTheLog);
#endif
        // What memory holds behind it stays, though it may not have been handed out to be written: an acknowledgement of it may be waiting. The
        // disk does not hold the snapshot's last entry then, and the entries behind come after the commit point, in the same Ready.
        bool keepsLogBehind = holds && head.Index <= _log.Submitted;
        if (holds) _log.CompactTo(head.Index);
        else _log.ResetTo(head.Index, head.LogTerm);
        Invariant.Holds(Term >= _log.LastTerm, $"{Group}/{Replica}: snapshot {head} in {Term}");
        Commit = _handedToApply = _installing = head.Index;
        if (!holds) _configurations.Clear(); // What memory keeps behind the snapshot may bring configurations.
        OnLogCut(head.Index, head.Configuration);
        _logStart = new LogStart(head.Index, head.LogTerm, head.Configuration, keepsLogBehind);
        if (!Leader.IsNone) Send(new Message { Kind = MessageKind.AppendResponse, From = Replica, To = Leader, Term = Term, Index = head.Index });
#if MUTANTS
        if (Mutants.On(Mutant.SnapshotAckedBeforePersist) && _sendAfterPersist.Count > 0)
        {
            _sendNow.Add(_sendAfterPersist[^1]);
            _sendAfterPersist.RemoveAt(_sendAfterPersist.Count - 1);
        }
#endif
        return InstallStatus.Accepted;
    }

    /// <summary>
    /// How a snapshot that <see cref="Ready.SnapshotsToSend"/> asked for went: the follower has installed it up to <paramref name="installed"/>, or
    /// (0) could not be given it. What it says is a place to probe, and never taken for a match.
    /// </summary>
    public void OnSnapshotEnded(long now, ReplicaId replica, LogIndex installed)
    {
        AdvanceTo(now);
        long retryAt = installed > LogIndex.Zero ? _now : _now + 2 * _options.ElectionTimeoutMicros;
        FindProgress(replica)?.OnSnapshotEnded(LogIndex.Min(installed, _log.Last), retryAt);
    }

    /// <summary>Whether the follower's next entry is gone from the log.</summary>
    private bool NeedsSnapshot(Progress progress) => progress.Next <= _log.SnapshotIndex;
}
