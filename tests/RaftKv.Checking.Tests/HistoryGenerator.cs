namespace RaftKv.Checking.Tests;

/// <summary>Random histories of one key, all of them a function of the seed.</summary>
internal sealed class HistoryGenerator(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>
    /// What clients may see of a correct store: each operation takes effect at its own moment (operation i near time
    /// i × <paramref name="spacing"/>), answers may be lost or incomplete.
    /// </summary>
    public Operation[] Execution(int operations, int spacing, int width, double unknown, double unreported)
    {
        ReferenceRegister register = default;
        Operation[] history = new Operation[operations];
        for (int i = 0; i < operations; i++)
        {
            long effect = (long)i * spacing;
            long call = effect - _random.Next(width);
            RegisterRequest request = Request(valueId: i + 1, register.Current);
            (RegisterOutcome outcome, ReferenceRegister next) = register.Execute(request, register.LastChange + 1 + (ulong)_random.Next(3));
            bool isUnknown = Chance(unknown);
            bool isFailed = !isUnknown && Chance(0.05);
            bool hadEffect = !isFailed && (!isUnknown || Chance(0.5));
            if (hadEffect) register = next;
            // An effect long after the client gave up: the call was then long ago.
            if (isUnknown && Chance(0.5)) call -= _random.Next(1, 5) * width;
            outcome = isUnknown ? RegisterOutcome.Unknown : isFailed ? RegisterOutcome.Failed : Forget(outcome, unreported);
            Position position = request.Kind == RequestKind.Get ? Position.OfRead(1, (ulong)i) : Position.OfWrite(1, (ulong)i + 1);
            history[i] = Histories.Op(i % 5, call, isUnknown ? Operation.Never : effect + _random.Next(width), request, outcome) with { Position = position };
        }

        _random.Shuffle(history);
        return history;
    }

    /// <summary>A small execution, possibly with one or two lies in it.</summary>
    public Operation[] MutatedExecution(int lies)
    {
        double unreported = _random.Next(3) switch { 0 => 0, 1 => 0.4, _ => 0.9 };
        double unknown = _random.Next(3) switch { 0 => 0.05, 1 => 0.3, _ => 0.6 };
        Operation[] history = Execution(_random.Next(1, 7), spacing: 2, width: _random.Next(1, 8), unknown, unreported);
        for (int i = 0; i < lies; i++)
        {
            int victim = _random.Next(history.Length);
            history[victim] = Lie(history[victim], history[_random.Next(history.Length)]);
        }

        return history;
    }

    /// <summary>Answers that have nothing to do with any store; also values written twice.</summary>
    public Operation[] Noise()
    {
        Operation[] history = new Operation[_random.Next(1, 6)];
        for (int i = 0; i < history.Length; i++)
        {
            RegisterRequest request = Request(valueId: _random.Next(1, 4), (ulong)_random.Next(1, 4));
            long call = _random.Next(10);
            history[i] = Histories.Op(i, call, call + _random.Next(6), request, Answer(request));
        }

        return history;
    }

    private RegisterRequest Request(long valueId, ulong current)
    {
        ulong match = current > 0 && Chance(0.6) ? current : (ulong)_random.Next(1, 8);
        return _random.Next(8) switch
        {
            0 or 1 => RegisterRequest.Put(valueId),
            2 => RegisterRequest.PutIfMatch(valueId, match),
            3 => RegisterRequest.PutIfNoneMatch(valueId),
            4 => RegisterRequest.Delete,
            5 => RegisterRequest.DeleteIfMatch(match),
            _ => RegisterRequest.Get,
        };
    }

    private RegisterOutcome Answer(RegisterRequest request)
    {
        ulong? revision = Chance(0.6) ? (ulong)_random.Next(1, 6) : null;
        ulong? previous = Chance(0.3) ? (ulong)_random.Next(0, 4) : null;
        if (Chance(0.25)) return RegisterOutcome.Unknown;
        if (request.Condition != ConditionKind.None && Chance(0.4)) return RegisterOutcome.Refused(Chance(0.5) ? previous : revision);
        return request.Kind switch
        {
            RequestKind.Put => RegisterOutcome.Written(revision, previous),
            RequestKind.Delete => Chance(0.7) ? RegisterOutcome.Deleted(revision, previous) : RegisterOutcome.NothingDeleted,
            _ => Chance(0.7) ? RegisterOutcome.Found(_random.Next(1, 4), revision) : RegisterOutcome.Absent,
        };
    }

    private Operation Lie(Operation told, Operation other) => _random.Next(8) switch
    {
        0 when told.Outcome.Kind is OutcomeKind.Ok or OutcomeKind.Refused => told with { Outcome = told.Outcome with { Revision = Nudge(told.Outcome.Revision) } },
        1 when told.Request.Kind != RequestKind.Get && told.Outcome.Kind == OutcomeKind.Ok => told with { Outcome = told.Outcome with { Previous = Nudge(told.Outcome.Previous) } },
        2 when told.Request.Kind == RequestKind.Get => told with { Outcome = RegisterOutcome.Found(_random.Next(1, 7), other.Outcome.Revision) },
        0 or 1 or 2 or 3 => told with { Outcome = Answer(told.Request) },
        4 => Moved(told, _random.Next(-6, 7)),
        5 => told with { Outcome = RegisterOutcome.Failed },
        6 => told with { Request = told.Request with { MatchRevision = told.Request.MatchRevision == 0 ? 0 : (ulong)_random.Next(1, 8) } },
        _ => told with { Call = other.Call, Return = Math.Max(other.Call, other.Return) },
    };

    private static Operation Moved(Operation told, int by) =>
        told with { Call = told.Call + by, Return = told.Return == Operation.Never ? Operation.Never : told.Return + by };

    private ulong? Nudge(ulong? revision) => revision is null ? (ulong)_random.Next(0, 8) : revision + (Chance(0.5) || revision == 0 ? 1UL : ulong.MaxValue);

    private RegisterOutcome Forget(RegisterOutcome outcome, double unreported) => outcome with
    {
        Revision = Chance(unreported) ? null : outcome.Revision,
        Previous = Chance(unreported) ? null : outcome.Previous,
    };

    private bool Chance(double probability) => _random.NextDouble() < probability;
}
