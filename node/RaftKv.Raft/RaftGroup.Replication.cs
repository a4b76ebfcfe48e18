namespace RaftKv.Raft;

/// <content>Log replication: proposals, appends and their answers, the commit index.</content>
public sealed partial class RaftGroup
{
    /// <summary>One per member but this replica, in the order of the configuration; empty unless leading.</summary>
    private readonly List<Progress> _progress = [];
    private readonly Func<ReplicaId, ulong> _matchOf;

    /// <summary>
    /// Appends a command to the log if this replica leads. Anything but <see cref="ProposeStatus.Appended"/> means that it
    /// was not and never will be applied.
    /// </summary>
    public ProposeResult Propose(long now, byte featureLevel, ulong stampMillis, ulong revisionFloor, ReadOnlyMemory<byte> payload)
    {
        AdvanceTo(now);
        // While it hands over, whoever comes next is the one to ask.
        if (Role != Role.Leader || !_transferTo.IsNone) return new ProposeResult(ProposeStatus.NotLeader, default, Term);
        Wake(now);
        long uncommittedBytes = _log.BytesAfter(Commit);
        // A payload above the limit is taken alone: Busy says "later", and a later time must come.
        if (uncommittedBytes > 0 && uncommittedBytes + payload.Length > _options.MaxUncommittedBytes) return new ProposeResult(ProposeStatus.Busy, default, Term);
        if (HasTooMuchUnapplied) return new ProposeResult(ProposeStatus.Busy, default, Term);
        Entry entry = new(_log.Last.Next, Term, EntryKind.Command, featureLevel, stampMillis, revisionFloor, payload);
        _log.Append(entry);
        return new ProposeResult(ProposeStatus.Appended, entry.Index, Term);
    }

    /// <summary>
    /// Whether more waits to be applied than memory is for. While it does, a leader takes no proposals, and a follower's host drops appends: the
    /// leader sends them again.
    /// </summary>
    public bool HasTooMuchUnapplied => _log.BytesAfter(Applied) > _options.MaxUnappliedBytes;

    /// <summary>Entries that <see cref="Ready.LogReads"/> asked for. An answer that no longer fits is dropped.</summary>
    public void OnLogRead(long now, in LogReadRequest request, ReadOnlyMemory<Entry> entries)
    {
        AdvanceTo(now);
        if (Role != Role.Leader || Term != request.Term) return;
        if (FindProgress(request.For) is not { ReadOutstanding: true } progress) return;
        progress.ReadOutstanding = false;
        if (progress.Next != request.First || NeedsSnapshot(progress)) return;
        Invariant.Holds(entries.IsEmpty || entries.Span[0].Index == request.First, $"{Group}: asked for {request.First}");
        while (!entries.IsEmpty && progress.MaySend(_options))
        {
            int count = CountUpTo(entries.Span, _options.MaxAppendBytes);
            Entry last = entries.Span[count - 1];
            Invariant.Holds(_log.Matches(last.Index, last.Term), $"{Group}: read {last}, which the log does not hold");
            SendAppend(progress, entries[..count]);
            entries = entries[count..];
        }
    }

    /// <summary>How many of the entries fit into <paramref name="maxBytes"/>; one at least.</summary>
    private static int CountUpTo(ReadOnlySpan<Entry> entries, int maxBytes)
    {
        int count = 1;
        for (long bytes = entries[0].SizeBytes; count < entries.Length && bytes + entries[count].SizeBytes <= maxBytes; count++) bytes += entries[count].SizeBytes;
        return count;
    }

    private void OnAppendAsFollower(in Message message)
    {
        FollowLeader(message.From);
        if (message.Index < Commit)
        {
            // Everything up to our commit index is known to match already (and may be gone from the log).
            Acknowledge(message, Commit);
            return;
        }

        if (!_log.Matches(message.Index, message.LogTerm))
        {
            LogIndex hint = _log.LastWithTermAtMost(message.Index, message.LogTerm);
            Send(Answer(message, MessageKind.AppendResponse) with { Rejected = true, Index = message.Index, Hint = hint, LogTerm = _log.TermAt(hint)!.Value });
            return;
        }

        LogIndex lastNew = message.Index;
        foreach (ref readonly Entry entry in message.Entries.Span)
        {
            lastNew = entry.Index;
            if (_log.Matches(entry.Index, entry.Term)) continue; // A re-delivered append never truncates what matches (paper §5.3).
            if (entry.Index <= _log.Last)
            {
                Invariant.Holds(entry.Index > Commit, $"{Group}/{Replica}: {message.From} overwrites committed {entry.Index} (commit {Commit})");
                _log.TruncateFrom(entry.Index);
                OnLogTruncated(entry.Index);
            }

            _log.Append(entry);
            OnConfigurationAppended(entry);
        }

        CommitTo(LogIndex.Min(message.Commit, lastNew));
        Acknowledge(message, lastNew);
    }

    private void Acknowledge(in Message message, LogIndex matching) => Send(Answer(message, MessageKind.AppendResponse) with { Index = matching });

    private void OnHeartbeatAsFollower(in Message message)
    {
        FollowLeader(message.From);
        CommitTo(message.Commit);
        if (_options.HasLeases) _promisedUntil = Math.Max(_promisedUntil, _now + _options.ElectionTimeoutMicros);
        Send(Answer(message, MessageKind.HeartbeatResponse) with { ReadRound = message.ReadRound, Mark = OwnMark });
    }

    private void FollowLeader(ReplicaId leader)
    {
        Invariant.Holds(Leader.IsNone || Leader == leader, $"{Group}/{Replica}: both {Leader} and {leader} lead {Term}");
        BecomeFollower(Term, leader, RoleChangeReason.LeaderHeard);
        _leaderHeardAt = _now;
        NoteLeaderConnection(isLost: false);
        _timeoutsInARow = 0;
        ResetElectionTimer();
    }

    private void OnAppendResponseAsLeader(in Message message)
    {
        Progress? found = FindProgress(message.From);
#if MUTANTS
        if (Mutants.On(Mutant.LateAckOfRemovedCounted)) found ??= FindProgressOfNextOnNodeOf(message.From);
#endif
        if (found is not { } progress) return;
        progress.OnHeard(_now);
        if (message.Rejected)
        {
            LogIndex retryAfter = _log.LastWithTermAtMost(message.Hint, message.LogTerm);
            progress.TryBackTrack(message.Index, retryAfter);
            return;
        }

        Invariant.Holds(message.Index <= _log.Last, $"{Group}: {message.From} acknowledges {message.Index}, the log ends at {_log.Last}");
        bool isNews = progress.TryAdvance(message.Index);
        if (!NeedsSnapshot(progress)) progress.OnSnapshotEnded(message.Index, _now);
        if (isNews) TryAdvanceCommit();
        if (message.From == _transferTo) HandOverIfCaughtUp();
    }

    private void OnHeartbeatResponseAsLeader(in Message message)
    {
        if (FindProgress(message.From) is not { } progress) return;
        progress.OnHeard(_now);
        progress.OnMark(message.Mark, _now);
        OnReadRoundConfirmed(progress, message.ReadRound);
        if (progress.Match >= _log.Last) return;
        progress.AllowProbe(_now, _options.HeartbeatIntervalMicros);
        // A lost append shows only by a gap: ask at the end of what was sent, and a follower without it says where it stands. So does one whose
        // snapshot reached the end of the log, but not its acknowledgement.
        bool isAtEnd = progress.Next > _log.Last && progress.MaySend(_options);
        if ((progress.State == ProgressState.Replicate || isAtEnd) && !NeedsSnapshot(progress)) SendAppend(progress, default);
    }

    /// <summary>
    /// Commits what a majority holds durably (of each half of a joint configuration), but only by an entry of this
    /// leader's own term; older ones follow with it (paper §5.4.2, figure 8).
    /// </summary>
    private void TryAdvanceCommit()
    {
        LogIndex agreed = new(Quorum.Agreed(Configuration, _matchOf));
        if (agreed <= Commit) return;
        bool isOwnTerm = _log.TermAt(agreed) == Term;
#if MUTANTS
        if (Mutants.On(Mutant.CommitOlderTermByCounting)) isOwnTerm = true;
#endif
        if (isOwnTerm) CommitTo(agreed);
    }

    private void CommitTo(LogIndex index)
    {
        if (index <= Commit) return;
        Invariant.Holds(index <= _log.Last, $"{Group}/{Replica}: commit {index} is beyond the last index {_log.Last}: synced log was lost");
        Commit = index;
#if MUTANTS
        if (Mutants.On(Mutant.ConfigurationHoldsFromCommit) && Role == Role.Leader) UpdateProgress();
#endif
    }

    private ulong MatchOf(ReplicaId replica)
    {
        if (replica != Replica) return FindProgress(replica)!.Match.Value;
#if MUTANTS
        if (Mutants.On(Mutant.LeaderCountsUnsyncedEntries)) return _log.Last.Value;
#endif
        return _log.Durable.Value;
    }

    private void SendAppends(Ready ready)
    {
        foreach (Progress progress in _progress)
        {
            if (NeedsSnapshot(progress))
            {
                // Nor for one that is not there: a checkpoint keeps files, and takes up one of few slots.
                bool isHeard = progress.HasAnswered && _now - progress.LastContactMicros < _options.ElectionTimeoutMicros;
                if (!isHeard || !progress.MayStartSnapshot(_now)) continue;
                progress.BecomeSnapshot();
                ready.SnapshotsToSend.Add(progress.Replica);
                continue;
            }

            while (progress.Next <= _log.Last && progress.MaySend(_options))
            {
                if (!_log.IsCached(progress.Next))
                {
                    RequestLogRead(progress, ready);
                    break;
                }

                SendAppend(progress, _log.Cached(progress.Next, _log.Last, _options.MaxAppendBytes));
            }
        }
    }

    /// <summary>
    /// Of what is applied, a leader keeps in memory what some follower still lacks, within bounds; a follower nothing: it would keep the whole frames in which
    /// its entries came.
    /// </summary>
    private void ReleaseCached()
    {
        LogIndex lacked = Applied;
        foreach (Progress progress in _progress) lacked = LogIndex.Min(lacked, progress.Match);
        _log.Release(lacked, keepBytes: 0);
        _log.Release(Applied, _options.MaxCachedBytes);
    }

    private void RequestLogRead(Progress progress, Ready ready)
    {
        progress.ReadOutstanding = true;
        ready.LogReads.Add(new LogReadRequest(progress.Replica, Term, progress.Next, _log.CacheStart.Previous, _options.LogReadBytes));
    }

    private void SendAppend(Progress progress, ReadOnlyMemory<Entry> entries)
    {
        LogIndex previous = progress.Next.Previous;
        Send(new Message
        {
            Kind = MessageKind.Append,
            From = Replica,
            To = progress.Replica,
            Term = Term,
            Index = previous,
            LogTerm = _log.TermAt(previous)!.Value,
            Commit = Commit,
            Entries = entries,
        });
        int bytes = 0;
        foreach (ref readonly Entry entry in entries.Span) bytes += entry.SizeBytes;
        progress.OnSent(entries.IsEmpty ? previous : entries.Span[^1].Index, bytes, _now);
    }

    /// <summary>Each round asks anew whether this replica still leads: reads, leases and ages rest on the answers.</summary>
    private void SendHeartbeats()
    {
        _sleepers = null; // It wakes whoever had agreed.
        _heartbeatDue = _now + _options.HeartbeatIntervalMicros;
        _reads.BeginRound(_now);
        foreach (Progress progress in _progress)
        {
            Send(new Message
            {
                Kind = MessageKind.Heartbeat,
                From = Replica,
                To = progress.Replica,
                Term = Term,
                Commit = LogIndex.Min(Commit, progress.Match),
                Hint = Commit,
                ReadRound = _reads.Round,
                Mark = MarkFor(progress),
            });
        }

        TryGrantReads(); // Alone, its own voice is the majority.
    }

    private Progress? FindProgress(ReplicaId replica)
    {
        foreach (Progress progress in _progress)
            if (progress.Replica == replica) return progress;
        return null;
    }

#if MUTANTS
    private Progress? FindProgressOfNextOnNodeOf(ReplicaId removed)
    {
        NodeId? node = _configurations.Select(known => known.Configuration.NodeOf(removed)).FirstOrDefault(found => found is not null);
        return _progress.Find(progress => node is not null && Configuration.NodeOf(progress.Replica) == node);
    }
#endif
}
