namespace RaftKv.Raft;

internal enum ProgressState
{
    /// <summary>The leader does not know where the logs agree: one message at a time.</summary>
    Probe,

    /// <summary>Appends are pipelined, optimistically.</summary>
    Replicate,

    /// <summary>The log no longer holds what the follower needs: a snapshot is on its way, and no appends are sent.</summary>
    Snapshot,
}

/// <summary>What a leader knows of a follower, for status and debug views. <see cref="State"/> is probe, replicate or snapshot.</summary>
public readonly record struct FollowerStatus(ReplicaId Replica, string State, LogIndex Match, LogIndex Next, bool IsWaiting)
{
    public override string ToString() => $"{Replica} {State} match {Match} next {Next}{(IsWaiting ? " waiting" : "")}";
}

/// <summary>The leader's knowledge of one follower. Invariant: Match &lt; Next. Owned by its RaftGroup.</summary>
/// <remarks>Raft thesis §3.5; pipelining §10.2.2.</remarks>
internal sealed class Progress(ReplicaId replica, LogIndex next, long nowMicros)
{
    private readonly Queue<(LogIndex Last, int Bytes)> _inFlight = new();
    private long _inFlightBytes;
    private (ulong Mark, long At) _newestMark;

    /// <summary>One that waits for proof while newer ones come in: were it always the newest, none would ever be proved.</summary>
    private (ulong Mark, long At) _waitingMark;
    private ulong _provedMark;

    public ReplicaId Replica { get; } = replica;

    public ProgressState State { get; private set; }

    /// <summary>Every entry up to here is durable on the follower.</summary>
    public LogIndex Match { get; private set; }

    /// <summary>The next entry to send; in Replicate, (Match, Next) is in flight.</summary>
    public LogIndex Next { get; private set; } = next;

    /// <summary>In Probe: a message is out and unanswered.</summary>
    public bool ProbeOutstanding { get; private set; }

    private long ProbeSentAtMicros { get; set; }

    /// <summary>When a snapshot failed: before this, no other is asked for.</summary>
    private long SnapshotNotBeforeMicros { get; set; }

    /// <summary>A log read for this follower is under way; nothing is sent until it is answered.</summary>
    public bool ReadOutstanding { get; set; }

    /// <summary>When the follower was last heard, for check-quorum; until it is, it counts as heard when its leader began.</summary>
    public long LastContactMicros { get; set; } = nowMicros;

    /// <summary>Whether it has ever answered this leader.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>The highest ReadIndex round it has confirmed.</summary>
    public ulong ReadRound { get; set; }

    public int InFlightMessages => _inFlight.Count;

    public long InFlightBytes => _inFlightBytes;

    public FollowerStatus Status => new(Replica, State.ToString().ToLowerInvariant(), Match, Next, ProbeOutstanding || ReadOutstanding);

    /// <summary>Whether an append may be sent now, with room for at least one message.</summary>
    public bool MaySend(RaftOptions options) =>
        !ReadOutstanding && State switch
        {
            ProgressState.Probe => !ProbeOutstanding,
            ProgressState.Snapshot => false,
            _ => _inFlight.Count < options.MaxInFlightMessages && _inFlightBytes < options.MaxInFlightBytes,
        };

    /// <summary>Records that entries up to <paramref name="last"/> were sent from Next on.</summary>
    public void OnSent(LogIndex last, int bytes, long nowMicros)
    {
        if (State == ProgressState.Probe)
        {
            ProbeOutstanding = true;
            ProbeSentAtMicros = nowMicros;
            return;
        }

        if (last < Next) return;
        _inFlight.Enqueue((last, bytes));
        _inFlightBytes += bytes;
        Next = last.Next;
    }

    public void OnHeard(long nowMicros)
    {
        LastContactMicros = nowMicros;
        HasAnswered = true;
    }

    /// <summary>The follower has sent a mark of its clock; 0 is none.</summary>
    public void OnMark(ulong mark, long nowMicros)
    {
        if (mark == 0) return;
        _newestMark = (mark, nowMicros);
        if (_waitingMark.Mark == 0) _waitingMark = _newestMark;
    }

    /// <summary>The newest mark that is known to have come in before <paramref name="provedAtMicros"/>, a time that only grows; 0 for none.</summary>
    public ulong MarkOfBefore(long provedAtMicros)
    {
        if (_newestMark.At < provedAtMicros) (_provedMark, _waitingMark) = (_newestMark.Mark, default);
        else if (_waitingMark.Mark != 0 && _waitingMark.At < provedAtMicros) (_provedMark, _waitingMark) = (_waitingMark.Mark, _newestMark);
        return _provedMark;
    }

    public bool MayStartSnapshot(long nowMicros) => State != ProgressState.Snapshot && nowMicros >= SnapshotNotBeforeMicros;

    public void BecomeSnapshot()
    {
        Become(ProgressState.Snapshot);
        ReadOutstanding = false;
    }

    /// <summary>
    /// The follower has installed the snapshot up to <paramref name="installed"/>, or (0) will not: probe where it stands. After a
    /// failure no other is asked for before <paramref name="retryAtMicros"/>.
    /// </summary>
    public void OnSnapshotEnded(LogIndex installed, long retryAtMicros)
    {
        if (State != ProgressState.Snapshot) return;
        Become(ProgressState.Probe);
        Next = LogIndex.Max(Next, installed.Next);
        SnapshotNotBeforeMicros = retryAtMicros;
    }

    /// <summary>Accepts an acknowledgement. Returns false if it says nothing new (reordered or duplicated).</summary>
    public bool TryAdvance(LogIndex acknowledged)
    {
        while (_inFlight.TryPeek(out var sent) && sent.Last <= acknowledged)
        {
            _inFlightBytes -= sent.Bytes;
            _inFlight.Dequeue();
        }

        bool isNews = acknowledged > Match;
        if (isNews)
        {
            Match = acknowledged;
            Next = LogIndex.Max(Next, Match.Next);
        }

        // While a snapshot is on its way, only its end says that appends can go on.
        if (State == ProgressState.Probe && (isNews || ProbeOutstanding))
        {
            // The logs agree up to Match: from here on, pipeline.
            State = ProgressState.Replicate;
            ProbeOutstanding = false;
            Next = Match.Next;
        }

        return isNews;
    }

    /// <summary>
    /// Handles a rejection of the probe at <paramref name="rejected"/>; the logs may agree at <paramref name="retryAfter"/>.
    /// Returns false if it is stale.
    /// </summary>
    public bool TryBackTrack(LogIndex rejected, LogIndex retryAfter)
    {
        if (rejected <= Match) return false;
        if (State == ProgressState.Snapshot) return false;
        if (State == ProgressState.Replicate)
        {
            Become(ProgressState.Probe);
            Next = LogIndex.Max(LogIndex.Min(rejected, retryAfter.Next), Next);
            return true;
        }

        if (rejected.Next != Next) return false;
        Next = LogIndex.Max(LogIndex.Min(rejected, retryAfter.Next), Match.Next);
        ProbeOutstanding = false;
        return true;
    }

    /// <summary>
    /// An answer to a heartbeat arrived: a probe that is still unanswered after <paramref name="patienceMicros"/> may have been lost, so it
    /// may be sent again. Without patience every election would send it twice: the heartbeat's answer does not wait for the disk.
    /// </summary>
    public void AllowProbe(long nowMicros, long patienceMicros)
    {
        if (nowMicros - ProbeSentAtMicros >= patienceMicros) ProbeOutstanding = false;
    }

    private void Become(ProgressState state)
    {
        State = state;
        ProbeOutstanding = false;
        Next = Match.Next;
        _inFlight.Clear();
        _inFlightBytes = 0;
    }
}
