namespace RaftKv.Checking;

/// <summary>
/// The sequential specification of one key of our store: get, put and delete, conditional or not, with revisions that
/// grow for ever, also over delete and re-creation (design §9).
/// </summary>
/// <remarks>
/// <para><b>Revisions that nobody reported.</b> A write whose outcome is unknown, or whose answer carried no revision,
/// takes some revision larger than the last. A step is accepted if at least one of the true states the
/// <see cref="RegisterState"/> stands for accepts it, and its result stands for exactly the true states that follow
/// from those: nothing is guessed early, so nothing has to be tried twice. In detail, with the current revision r:</para>
/// <list type="bullet">
/// <item>An answer that names r (a get, a previous revision, a refusal, a successful if-match) fixes it: possible if the
/// number is allowed, and from then on r is exact.</item>
/// <item>A refused if-match m that does not name r rules m out. This is always possible while r is not exact: infinitely
/// many larger numbers remain.</item>
/// <item>An if-match m with unknown outcome has an effect only where r = m, which fixes r and then replaces the value.
/// The other branch, r ≠ m, needs no step: the operation then changed nothing, which is the case in which the search
/// never places it. Both branches are tried, so no assignment is missed. r ≠ m need not be recorded in the second,
/// because an operation that has no effect here may have been applied elsewhere, or never.</item>
/// <item>A new revision R is possible if some allowed r is below it, that is, if the least one is.</item>
/// </list>
/// <para><b>Optional writes that prove nothing.</b> If an unknown write is followed at once by an operation that replaces
/// its result without having looked at it, leaving the first out gives a linearization too: the second then meets a
/// smaller last revision, and results in the same or a wider state. (If the second is an unknown delete and the key was
/// absent before the first, leave out both.) So a linearization with as few optional writes as possible has no such
/// pair, and the model refuses to make one; without this rule n unknown writes cost 2^n. It agrees with the search's
/// rules: neither moving an observation to the front nor exchanging twins adds an optional write.</para>
/// <para><b>Revisions that are taken.</b> A revision known to be that of a write that must be placed is no other
/// write's, so a state that is not exact cannot have it. The search would find that out, but only when it comes to place
/// that write, once for each unknown write tried in its stead.</para>
/// <para>A refusal of something that has no condition, or a delete of nothing with if-match, fits no state: the server
/// must not answer so.</para>
/// </remarks>
public readonly struct VersionedRegisterModel : IModel<RegisterState>
{
    private readonly KeyHistory _history;
    private readonly RevisionSets _sets;
    private readonly HashSet<ulong> _taken;

    internal VersionedRegisterModel(KeyHistory history)
    {
        (_history, _sets, _taken) = (history, new RevisionSets(), [.. history.Revisions.OfType<ulong>()]);
    }

    public RegisterState Initial => RegisterState.NeverWritten;

    public ulong Hash(in RegisterState state)
    {
        int flags = (state.Present ? 1 : 0) | (state.Exact ? 2 : 0) | (state.Unproven ? 4 : 0);
        ulong hash = BitMixer.Mix((ulong)state.Value);
        hash = BitMixer.Mix(hash ^ state.Revision);
        return BitMixer.Mix(hash ^ (((ulong)state.RuledOut << 3) | (uint)flags));
    }

    /// <summary>An if-match is spent once the key's revision is past its own.</summary>
    public bool IsSpent(in RegisterState state, int operation)
    {
        ulong match = _history.Operations[operation].Request.MatchRevision;
        return match != 0 && (state.Present ? match < state.Revision : match <= state.Revision);
    }

    public bool TryStep(in RegisterState state, int operation, out RegisterState next)
    {
        Operation step = _history.Operations[operation];
        RegisterState seen = state with { Unproven = false };
        return step switch
        {
            { Outcome.Kind: OutcomeKind.Refused } => TryRefuse(seen, step, out next),
            { Request.Kind: RequestKind.Get } => TryGet(seen, step.Outcome, out next),
            _ => TryChange(state, step, operation, out next),
        };
    }

    /// <summary>The state in words, for the reader of a failure.</summary>
    internal string Describe(in RegisterState state)
    {
        if (!state.Present) return state.Revision == 0 ? "the key was never written" : "the key is absent";
        if (state.Exact) return $"the key holds v{state.Value} at revision {state.Revision}";
        string except = state.RuledOut == RevisionSets.Empty ? "" : $", not {string.Join(", ", _sets.Elements(state.RuledOut))}";
        return $"the key holds v{state.Value} at an unreported revision ≥ {state.Revision}{except}";
    }

    private bool TryGet(in RegisterState state, in RegisterOutcome outcome, out RegisterState next)
    {
        next = state;
        if (!outcome.Existed) return !state.Present && IsNone(outcome.Revision);
        return state.Present && state.Value == outcome.Value && TryFixIfReported(state, outcome.Revision, out next);
    }

    /// <summary>A condition that did not hold: a read of the current revision, reported or not.</summary>
    private bool TryRefuse(in RegisterState state, Operation step, out RegisterState next)
    {
        next = state;
        bool wasAbsent = step.Outcome.Revision == 0;
        switch (step.Request.Condition)
        {
            case ConditionKind.IfNoneMatch:
                return state.Present && TryFixIfReported(state, step.Outcome.Revision, out next);
            case ConditionKind.IfMatch when !state.Present:
                return wasAbsent || step.Outcome.Revision is null;
            case ConditionKind.IfMatch when step.Outcome.Revision is { } current:
                return current != step.Request.MatchRevision && TryFix(state, current, out next);
            case ConditionKind.IfMatch:
                return TryRuleOut(state, step.Request.MatchRevision, out next);
            default:
                return false;
        }
    }

    /// <summary>A put or delete that had its effect, or may have had.</summary>
    private bool TryChange(in RegisterState state, Operation step, int operation, out RegisterState next)
    {
        next = state;
        bool isOptional = !_history.Intervals[operation].Required;
        if (state.Unproven && IsBlind(step, isOptional)) return false;
        if (!TryMeetCondition(state with { Unproven = false }, step, out RegisterState met)) return false;

        bool isDelete = step.Request.Kind == RequestKind.Delete;
        if (isDelete && step.Outcome is { Kind: OutcomeKind.Ok, Existed: false })
        {
            next = met;
            return !met.Present && step.Request.Condition == ConditionKind.None && IsNone(step.Outcome.Revision);
        }

        if (isDelete && !met.Present) return false;
        ulong? known = _history.Revisions[operation];
        if (!TryAssign(met, known, out ulong revision)) return false;
        next = isDelete
            ? new RegisterState(false, 0, revision, Exact: false, RevisionSets.Empty, isOptional)
            : new RegisterState(true, step.Request.Value, revision, Exact: known is not null, RevisionSets.Empty, isOptional);
        return true;
    }

    /// <summary>
    /// True if the operation replaces the result of an optional write before it without looking at it. A delete that is
    /// known to have found something has looked.
    /// </summary>
    private static bool IsBlind(Operation step, bool isOptional)
    {
        if (step.Request.Condition != ConditionKind.None) return false;
        if (step.Outcome.Previous is not null) return false;
        return step.Request.Kind == RequestKind.Put || isOptional;
    }

    /// <summary>The condition holds and the previous revision is the one reported, if any.</summary>
    private bool TryMeetCondition(in RegisterState state, Operation step, out RegisterState met)
    {
        met = state;
        ulong? previous = step.Outcome.Previous;
        switch (step.Request.Condition)
        {
            case ConditionKind.IfMatch:
                ulong match = step.Request.MatchRevision;
                return (previous ?? match) == match && TryFix(state, match, out met);
            case ConditionKind.IfNoneMatch:
                return !state.Present && IsNone(previous);
            default:
                return previous == 0 ? !state.Present : previous is null || TryFix(state, previous.Value, out met);
        }
    }

    /// <summary>The revision of a change that follows this state: the one known, else the least possible.</summary>
    private static bool TryAssign(in RegisterState state, ulong? known, out ulong revision)
    {
        revision = known ?? unchecked(state.Revision + 1);
        return revision > state.Revision;
    }

    /// <summary>Reported, if at all, as that of an absent key.</summary>
    private static bool IsNone(ulong? revision) => (revision ?? 0) == 0;

    private bool TryFixIfReported(in RegisterState state, ulong? revision, out RegisterState next)
    {
        next = state;
        return revision is null || TryFix(state, revision.Value, out next);
    }

    /// <summary>The key is present and its revision is <paramref name="revision"/>.</summary>
    private bool TryFix(in RegisterState state, ulong revision, out RegisterState next)
    {
        next = state;
        if (!state.Present) return false;
        if (state.Exact) return revision == state.Revision;
        if (revision < state.Revision || _sets.Contains(state.RuledOut, revision) || _taken.Contains(revision)) return false;
        next = state with { Revision = revision, Exact = true, RuledOut = RevisionSets.Empty };
        return true;
    }

    /// <summary>The key is present and its revision is not <paramref name="revision"/>.</summary>
    private bool TryRuleOut(in RegisterState state, ulong revision, out RegisterState next)
    {
        next = state;
        if (state.Exact) return revision != state.Revision;
        if (revision < state.Revision) return true;
        if (revision > state.Revision)
        {
            next = state with { RuledOut = _sets.Add(state.RuledOut, revision) };
            return true;
        }

        ulong least = revision;
        do
        {
            if (least == ulong.MaxValue) return false;
            least++;
        }
        while (_sets.Contains(state.RuledOut, least));
        next = state with { Revision = least, RuledOut = _sets.Above(state.RuledOut, least) };
        return true;
    }
}
