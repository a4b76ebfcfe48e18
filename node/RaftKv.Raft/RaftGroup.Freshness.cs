namespace RaftKv.Raft;

/// <content>
/// As of when a replica's state is complete, on its own clock: what reads that may be stale say of their age. A follower sends marks, moments of its clock; its leader brings one back once
/// a majority has answered a heartbeat that was sent after the mark came in. So it still led then, whatever was on its way how long, and has learnt since of all that had been committed.
/// </content>
public sealed partial class RaftGroup
{
    /// <summary>Makes this life's marks its own: one of before a restart, perhaps of another clock, is not taken for one of now.</summary>
    private readonly ulong _markBase;
    private readonly long _startedAt;

    /// <summary>For a leader: as of when it was proved to lead, by a majority's answers to what it sent at that moment; everything committed by then is at or below <see cref="Commit"/>. Null: it was not yet.</summary>
    public long? ProvedAtMicros => Role == Role.Leader && KnowsCommitted && _reads.ConfirmedSentAt is > long.MinValue and var at ? at : null;

    private ulong OwnMark => _markBase + (ulong)_now;

    /// <summary>
    /// When, on its clock, this replica sent the mark that its leader brings back by this message: everything that had been committed by then is at or below the message's Hint. Null: it
    /// brings back none, or one of an earlier life.
    /// </summary>
    public long? MarkedAtMicros(in Message message)
    {
        if (message.Kind != MessageKind.Heartbeat || message.From != Leader || message.Term != Term) return null;
#if MUTANTS
        if (Mutants.On(Mutant.AgeCountsFromArrival)) return _now;
#endif
        long at = (long)(message.Mark - _markBase);
        return message.Mark != 0 && at >= _startedAt && at <= _now ? at : null;
    }

    private ulong MarkFor(Progress progress)
    {
#if MUTANTS
        if (Mutants.On(Mutant.MarkReturnedUnproved)) return KnowsCommitted ? progress.MarkOfBefore(_now) : 0;
        if (Mutants.On(Mutant.MarkReturnedBeforeNoOp)) return progress.MarkOfBefore(_reads.ConfirmedSentAt);
#endif
        return KnowsCommitted ? progress.MarkOfBefore(_reads.ConfirmedSentAt) : 0;
    }
}
