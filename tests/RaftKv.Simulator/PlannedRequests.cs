using RaftKv.Client;
using RaftKv.Kv;
using RaftKv.Raft;

namespace RaftKv.Simulator;

/// <summary>
/// What <see cref="RaftKvClient"/> is around its plan, in virtual time: carries out a <see cref="RequestPlan"/> at several endpoints, over connections
/// that are refused, break, stall, and lose requests or answers. Between what the node answers and what the plan is told lies the client's own classifier.
/// </summary>
internal sealed class PlannedRequests
{
    private const long ConnectTimeoutMicros = 1_000_000;
    private readonly World _world;
    private readonly SplitMix _random;
    private readonly SimNode[] _endpoints;
    private readonly RequestPlanOptions _options;

    /// <summary>The endpoint that answered last.</summary>
    private int _preferred;

    /// <param name="random">Draws which nodes the client knows, how it is configured, and then what happens to its attempts.</param>
    public PlannedRequests(World world, SplitMix random)
    {
        _world = world;
        _random = random;
        List<SimNode> nodes = [.. world.Nodes];
        _endpoints = new SimNode[2 + (int)random.Below(nodes.Count - 1)];
        for (int i = 0; i < _endpoints.Length; i++)
        {
            int chosen = (int)random.Below(nodes.Count);
            _endpoints[i] = nodes[chosen];
            nodes.RemoveAt(chosen);
        }

        _options = new RequestPlanOptions
        {
            Endpoints = _endpoints.Length,
            TimeoutMicros = ((long[])[500_000, 2_000_000, 5_000_000, 15_000_000])[(int)random.Below(4)],
            FailWhenNoneListens = random.Below(2) == 0,
        };
    }

    private enum Trouble
    {
        NoConnection,
        RequestLost,
        RequestLate,
        AnswerLost,
        AnswerNeverComes,
    }

    /// <summary>Issues one request; <paramref name="onDone"/> hears its outcome and what the last attempt was answered, null if it was not.</summary>
    public void Issue(RequestKind kind, byte[] request, ulong hash, Action<RequestOutcome, KvResponse?> onDone)
    {
        RequestPlan plan = new(kind, _options, _preferred, (int)_random.Below(int.MaxValue));
        long deadline = _world.Now + _options.TimeoutMicros;
        Follow(plan.Start(_world.Now), null);

        void Follow(PlanStep step, KvResponse? last)
        {
            Invariant.Holds(_world.Now <= deadline, $"a planned request goes on {_world.Now - deadline} µs behind its deadline");
            if (step.Outcome is { } outcome)
            {
                Invariant.Holds(outcome != RequestOutcome.Applied || last is { Error: null }, $"a planned request is {outcome}, and its last attempt was answered {last}");
                Invariant.Holds(outcome != RequestOutcome.Unknown || kind != RequestKind.Read, "a read cannot be unknown: it has no effect");
                _world.CountPlanned(outcome);
                onDone(outcome, last);
                return;
            }

            _world.After(Math.Max(0, step.SendAtMicros - _world.Now), () => Try(step, request, hash, (result, answer) =>
            {
                _world.Trace(() => $"attempt at {_endpoints[step.Endpoint].Name}: {result}");
                if (result == AttemptResult.Answered) _preferred = step.Endpoint;
                // The server's Retry-After, as it stands in its answers of 429.
                Follow(plan.OnAttempt(result, _world.Now, retryAfterMicros: answer?.Error is { HttpStatus: 429 } ? 1_000_000 : 0), answer);
            }));
        }
    }

    /// <summary>
    /// One attempt, to its end or until the plan abandons it: that ends the wait, not the call. Invariant: NotSent only if no node ever has
    /// the request.
    /// </summary>
    private void Try(PlanStep step, byte[] request, ulong hash, Action<AttemptResult, KvResponse?> onEnd)
    {
        SimNode node = _endpoints[step.Endpoint];
        long patience = step.AbandonAtMicros - _world.Now;
        bool isOver = false;
        Trouble? trouble = !_world.IsQuiet && _random.Chance(_world.Options.ClientTroubleChance) ? (Trouble)_random.Below(5) : null;
        _world.Trace(() => $"attempt at {node.Name} for {patience} µs{(trouble is null ? "" : $": {trouble}")}");
        switch (trouble)
        {
            case Trouble.NoConnection:
                _world.After(Math.Min(ConnectTimeoutMicros, patience), () => End(AttemptResult.NotSent));
                return;
            case Trouble.RequestLost:
                _world.After(Latency(), () => End(AttemptResult.Lost));
                break;
            default:
                _world.After(Latency() + (trouble == Trouble.RequestLate ? _random.Below(3_000_000) : 0), Arrive);
                break;
        }

        _world.After(patience, () => End(AttemptResult.Lost));

        void Arrive() => SimCall.Send(_world, node, request, hash, step.ServerTimeoutMillis * 1000L, (end, answer) =>
        {
            if (trouble == Trouble.AnswerNeverComes) return;
            bool isBroken = trouble == Trouble.AnswerLost || end == CallEnd.Broken;
            // Nobody listens: refused before the request was sent, or reset after, when the client cannot tell.
            if (end == CallEnd.NotSent) _world.After(Latency(), () => End(_random.Below(2) == 0 ? AttemptResult.NotSent : AttemptResult.Lost));
            else _world.After(Latency(), () => End(isBroken ? AttemptResult.Lost : Classify(answer), isBroken ? null : answer));
        });

        void End(AttemptResult result, KvResponse? answer = null)
        {
            if (isOver) return;
            isOver = true;
            onEnd(result, answer);
        }
    }

    /// <summary>As the answer looks over HTTP; that a key is absent is no error to the node, and an answer to the client.</summary>
    private static AttemptResult Classify(KvResponse answer) =>
        answer.Error is { } error ? AttemptClassifier.Classify(error.HttpStatus, error.Code, error.OutcomeText, error.Retryable) : AttemptResult.Answered;

    private long Latency() => _world.Options.NetworkBaseMicros + _random.Below(_world.Options.NetworkSpreadMicros);
}
