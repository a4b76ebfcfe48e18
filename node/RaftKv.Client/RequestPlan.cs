namespace RaftKv.Client;

/// <summary>Whether a request has an effect, and so may be repeated.</summary>
public enum RequestKind
{
    /// <summary>It has none.</summary>
    Read,

    /// <summary>Sent again it might be applied again.</summary>
    Write,

    /// <summary>A write with an idempotency key: applied at most once, however often it is sent.</summary>
    KeyedWrite,
}

/// <summary>How a request is tried. Times are in µs. Invariants: Endpoints ≥ 1; 0 &lt; BackoffMin ≤ BackoffMax; Timeout &gt; 0.</summary>
public sealed record RequestPlanOptions
{
    /// <summary>How many nodes there are to ask; the plan speaks of them as 0…Endpoints − 1.</summary>
    public required int Endpoints { get; init; }

    /// <summary>From the start of the request to its end, attempts and waits together.</summary>
    public long TimeoutMicros { get; init; } = 5_000_000;

    /// <summary>The first wait's ceiling; it doubles with every wait up to <see cref="BackoffMaxMicros"/>.</summary>
    public long BackoffMinMicros { get; init; } = 25_000;

    public long BackoffMaxMicros { get; init; } = 1_000_000;

    /// <summary>Give up when no endpoint could be reached one after the other, instead of waiting for one to come back.</summary>
    public bool FailWhenNoneListens { get; init; }
}

/// <summary>What to do next: send an attempt, or be done.</summary>
/// <param name="Outcome">Set when the request is over, else null; the rest is meaningless then.</param>
/// <param name="Endpoint">Whom to ask.</param>
/// <param name="SendAtMicros">Not before this time.</param>
/// <param name="AbandonAtMicros">An attempt without an answer by now is <see cref="AttemptResult.Lost"/>. ≤ the deadline.</param>
/// <param name="ServerTimeoutMillis">What to tell the server; ends before <paramref name="AbandonAtMicros"/>, so that its own honest answer arrives. ≥ 1.</param>
public readonly record struct PlanStep(RequestOutcome? Outcome, int Endpoint = 0, long SendAtMicros = 0, long AbandonAtMicros = 0, int ServerTimeoutMillis = 0);

/// <summary>
/// Decides for one request whom to ask, when, for how long, whether to try again, and what is known at the end. Pure: time is
/// an argument, chance comes from the seed; the simulator runs it unchanged.
/// <list type="bullet">
/// <item>A definite refusal that may pass elsewhere or later is repeated until the deadline.</item>
/// <item>A write without an answer is Unknown at once and never repeated: it could be applied twice. A read is repeated, and so is a write with an
/// idempotency key; that one is Unknown if it has no answer by the deadline, whatever else its attempts came to, unless one was settled.</item>
/// <item>All endpoints are tried once without a wait, so that a dead node costs nothing; then comes a wait, jittered and
/// doubling. After 429 there is always a wait, at least as long as the server asked for: going round it would be no backpressure.</item>
/// </list>
/// </summary>
/// <remarks>Owned by one request; not thread-safe. Call <see cref="Start"/> once, then <see cref="OnAttempt"/> after each attempt.</remarks>
public sealed class RequestPlan
{
    private const long MaxServerMarginMicros = 50_000;

    /// <summary>The least time worth another attempt, unless a quarter of the timeout is less.</summary>
    private const long MinRetryMicros = 100_000;
    private readonly RequestKind _kind;
    private readonly RequestPlanOptions _options;
    private readonly Random _random;
    private long _deadline;
    private long _backoffCeiling;
    private int _endpoint;

    /// <summary>Endpoints asked since the last wait, 1…Endpoints while an attempt is out.</summary>
    private int _askedInRound;

    /// <summary>Whether an endpoint of this round could be reached.</summary>
    private bool _anyListens;

    /// <summary>An attempt of a keyed write may have been applied.</summary>
    private bool _wasLost;

    /// <param name="firstEndpoint">Whom to ask first, 0…Endpoints − 1.</param>
    /// <param name="seed">Of the waits' jitter: requests that failed together must not return together.</param>
    public RequestPlan(RequestKind kind, RequestPlanOptions options, int firstEndpoint, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Endpoints, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual((uint)firstEndpoint < (uint)options.Endpoints, true, nameof(firstEndpoint));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.TimeoutMicros, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BackoffMinMicros, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BackoffMaxMicros, options.BackoffMinMicros);
        _kind = kind;
        _options = options;
        _endpoint = firstEndpoint;
        _backoffCeiling = options.BackoffMinMicros;
        _random = new Random(seed);
    }

    /// <summary>An attempt was lost: it may have been applied, whatever the last one says of itself.</summary>
    public bool MayBeApplied => _wasLost;

    /// <summary>The first attempt. The deadline counts from <paramref name="now"/>.</summary>
    public PlanStep Start(long now)
    {
        _deadline = now + _options.TimeoutMicros;
        return Send(now, remaining: _options.TimeoutMicros);
    }

    /// <summary>What follows from an attempt's end at <paramref name="now"/>.</summary>
    /// <param name="retryAfterMicros">The server's Retry-After, 0 if it named none.</param>
    public PlanStep OnAttempt(AttemptResult result, long now, long retryAfterMicros = 0)
    {
        if (result == AttemptResult.Answered) return Done(RequestOutcome.Applied);
        if (result == AttemptResult.Settled) return Done(RequestOutcome.Rejected);
        if (result == AttemptResult.Refused) return Fail();
        if (result is AttemptResult.Lost or AttemptResult.Untraceable && _kind != RequestKind.Read)
        {
            _wasLost = true;
            bool mayRepeat = _kind != RequestKind.Write && result != AttemptResult.Untraceable;
#if MUTANTS
            mayRepeat |= ClientMutants.On("PlanRepeatsLostWrite");
#endif
            if (!mayRepeat) return Fail();
        }

        _anyListens |= result != AttemptResult.NotSent;
        bool roundIsOver = _askedInRound == _options.Endpoints;
        if (roundIsOver && !_anyListens && _options.FailWhenNoneListens) return Fail();
        _endpoint = (_endpoint + 1) % _options.Endpoints;
        if (!roundIsOver && result != AttemptResult.Overloaded) return Retry(now);

        _askedInRound = 0;
        _anyListens = false;
        return Retry(now + Math.Max(NextWait(), retryAfterMicros));
    }

    private static PlanStep Done(RequestOutcome outcome) => new(outcome);

    /// <summary>Not applied, unless an attempt may have been: a refusal speaks of one attempt only.</summary>
    private PlanStep Fail()
    {
#if MUTANTS
        if (ClientMutants.On("PlanRejectsLostWrite")) return Done(RequestOutcome.Rejected);
#endif
        return Done(_wasLost ? RequestOutcome.Unknown : RequestOutcome.Rejected);
    }

    /// <summary>
    /// Another attempt at <paramref name="sendAt"/>; the end if the time then left is too short. A write sent a moment before the deadline would
    /// hardly be answered, and turn what is definitely not applied into Unknown.
    /// </summary>
    private PlanStep Retry(long sendAt)
    {
        long remaining = _deadline - sendAt;
        return remaining < Math.Max(1, Math.Min(MinRetryMicros, _options.TimeoutMicros / 4)) ? Fail() : Send(sendAt, remaining);
    }

    private PlanStep Send(long sendAt, long remaining)
    {
        // What cannot be tried again once it is out has all the time there is. The rest leaves its share to the endpoints not yet asked.
        long share = _kind == RequestKind.Write ? remaining : Math.Max(1, remaining / (_options.Endpoints - _askedInRound));
        _askedInRound++;
        long margin = Math.Min(MaxServerMarginMicros, share / 10);
        return new PlanStep(null, _endpoint, sendAt, sendAt + share, (int)Math.Max(1, (share - margin) / 1000));
    }

    /// <summary>In [ceiling / 2, ceiling); the next ceiling is twice this one, up to the maximum.</summary>
    private long NextWait()
    {
        long ceiling = _backoffCeiling;
        _backoffCeiling = Math.Min(_options.BackoffMaxMicros, ceiling * 2);
        return (long)(ceiling * (0.5 + (_random.NextDouble() / 2)));
    }
}
