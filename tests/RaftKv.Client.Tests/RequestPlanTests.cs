namespace RaftKv.Client.Tests;

/// <summary>Which attempt follows which, and what is known at the end (design §3.3, §3.4). Times in µs; requests begin at 1,000,000.</summary>
public sealed class RequestPlanTests
{
    private const long Begin = 1_000_000;
    private const long Second = 1_000_000;
    private static readonly RequestPlanOptions Three = new() { Endpoints = 3 };

    /// <summary>After the first attempt: what the request is, or null if there is another attempt.</summary>
    [Theory]
    [InlineData(RequestKind.Read, AttemptResult.Answered, RequestOutcome.Applied)]
    [InlineData(RequestKind.Read, AttemptResult.Refused, RequestOutcome.Rejected)]
    [InlineData(RequestKind.Read, AttemptResult.Overloaded, null)]
    [InlineData(RequestKind.Read, AttemptResult.Unavailable, null)]
    [InlineData(RequestKind.Read, AttemptResult.NotSent, null)]
    [InlineData(RequestKind.Read, AttemptResult.Lost, null)]
    [InlineData(RequestKind.Write, AttemptResult.Answered, RequestOutcome.Applied)]
    [InlineData(RequestKind.Write, AttemptResult.Refused, RequestOutcome.Rejected)]
    [InlineData(RequestKind.Write, AttemptResult.Overloaded, null)]
    [InlineData(RequestKind.Write, AttemptResult.Unavailable, null)]
    [InlineData(RequestKind.Write, AttemptResult.NotSent, null)]
    [InlineData(RequestKind.Write, AttemptResult.Lost, RequestOutcome.Unknown)]
    [InlineData(RequestKind.Write, AttemptResult.Settled, RequestOutcome.Rejected)]
    [InlineData(RequestKind.Write, AttemptResult.Untraceable, RequestOutcome.Unknown)]
    [InlineData(RequestKind.Read, AttemptResult.Untraceable, null)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Answered, RequestOutcome.Applied)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Refused, RequestOutcome.Rejected)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Settled, RequestOutcome.Rejected)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Overloaded, null)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.NotSent, null)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Lost, null)]
    [InlineData(RequestKind.KeyedWrite, AttemptResult.Untraceable, RequestOutcome.Unknown)]
    public void Only_what_can_do_no_harm_is_tried_again(RequestKind kind, AttemptResult result, RequestOutcome? expected)
    {
        RequestPlan plan = new(kind, Three, 0, seed: 1);
        PlanStep first = plan.Start(Begin);
        Assert.Null(first.Outcome);
        Assert.Equal(expected, plan.OnAttempt(result, Begin + 1000).Outcome);
    }

#if !MUTANTS
    // tests/mutants/README.md: what is delivered has no deliberate faults.
    [Fact]
    public void The_release_build_has_no_mutants() => Assert.Null(typeof(RequestPlan).Assembly.GetType("RaftKv.Client.ClientMutants"));
#endif

    [Fact]
    public void A_write_is_unknown_after_a_lost_attempt_also_when_others_were_refused_before()
    {
        RequestPlan plan = new(RequestKind.Write, Three, 0, seed: 1);
        plan.Start(Begin);
        plan.OnAttempt(AttemptResult.NotSent, Begin);
        plan.OnAttempt(AttemptResult.Unavailable, Begin);
        Assert.Equal(RequestOutcome.Unknown, plan.OnAttempt(AttemptResult.Lost, Begin + Second).Outcome);
    }

    /// <summary>That a later attempt was not applied says nothing of the one that was lost; what is recorded under the key does.</summary>
    [Theory]
    [InlineData(AttemptResult.Answered, RequestOutcome.Applied)]
    [InlineData(AttemptResult.Settled, RequestOutcome.Rejected)]
    [InlineData(AttemptResult.Refused, RequestOutcome.Unknown)]
    [InlineData(AttemptResult.Untraceable, RequestOutcome.Unknown)]
    [InlineData(AttemptResult.Unavailable, null)]
    [InlineData(AttemptResult.Overloaded, null)]
    [InlineData(AttemptResult.NotSent, null)]
    [InlineData(AttemptResult.Lost, null)]
    public void After_a_lost_attempt_a_keyed_write_is_what_is_known_of_all_attempts(AttemptResult second, RequestOutcome? expected)
    {
        RequestPlan plan = new(RequestKind.KeyedWrite, Three, 0, seed: 1);
        plan.Start(Begin);
        Assert.False(plan.MayBeApplied);
        Assert.Null(plan.OnAttempt(AttemptResult.Lost, Begin).Outcome);
        Assert.True(plan.MayBeApplied);
        Assert.Equal(expected, plan.OnAttempt(second, Begin).Outcome);
    }

    [Fact]
    public void A_keyed_write_that_was_lost_once_is_unknown_at_the_deadline_and_else_rejected()
    {
        Assert.Equal(RequestOutcome.Rejected, Run(RequestKind.KeyedWrite, Three, AttemptResult.Unavailable, attemptMicros: 10_000).Outcome);
        (RequestOutcome outcome, long end, int attempts) = Run(RequestKind.KeyedWrite, Three, AttemptResult.Lost, attemptMicros: 10_000);
        Assert.Equal(RequestOutcome.Unknown, outcome);
        Assert.True(end <= Begin + Three.TimeoutMicros);
        Assert.True(attempts > 10);
    }

    [Fact]
    public void A_keyed_write_leaves_the_other_endpoints_their_share() =>
        Assert.Equal(Begin + Three.TimeoutMicros / 3, new RequestPlan(RequestKind.KeyedWrite, Three, 0, seed: 1).Start(Begin).AbandonAtMicros);

    [Fact]
    public void When_none_listens_any_more_a_lost_keyed_write_is_unknown()
    {
        RequestPlan plan = new(RequestKind.KeyedWrite, Three with { Endpoints = 1, FailWhenNoneListens = true }, 0, seed: 1);
        plan.Start(Begin);
        Assert.Null(plan.OnAttempt(AttemptResult.Lost, Begin).Outcome);
        Assert.Equal(RequestOutcome.Unknown, plan.OnAttempt(AttemptResult.NotSent, Begin).Outcome);
    }

    [Fact]
    public void A_read_that_nobody_answers_is_rejected_at_the_deadline_never_unknown()
    {
        (RequestOutcome outcome, long end, int attempts) = Run(RequestKind.Read, Three, AttemptResult.Lost, attemptMicros: 10_000);
        Assert.Equal(RequestOutcome.Rejected, outcome);
        Assert.True(end <= Begin + Three.TimeoutMicros);
        Assert.True(attempts > 10);
    }

    [Theory]
    [InlineData(AttemptResult.NotSent)]
    [InlineData(AttemptResult.Unavailable)]
    [InlineData(AttemptResult.Overloaded)]
    public void A_write_that_nobody_takes_is_rejected_at_the_deadline(AttemptResult always)
    {
        (RequestOutcome outcome, long end, int attempts) = Run(RequestKind.Write, Three, always, attemptMicros: 10_000);
        Assert.Equal(RequestOutcome.Rejected, outcome);
        Assert.True(end <= Begin + Three.TimeoutMicros);
        Assert.InRange(attempts, 3, 60);
    }

    [Fact]
    public void A_write_is_not_sent_again_a_moment_before_the_deadline_where_it_could_only_become_unknown()
    {
        RequestPlan plan = new(RequestKind.Write, Three, 0, seed: 1);
        plan.Start(Begin);
        Assert.Null(plan.OnAttempt(AttemptResult.Unavailable, Begin + Three.TimeoutMicros - 100_000).Outcome);
        Assert.Equal(RequestOutcome.Rejected, plan.OnAttempt(AttemptResult.Unavailable, Begin + Three.TimeoutMicros - 99_999).Outcome);
    }

    [Fact]
    public void There_is_a_first_attempt_however_short_the_time()
    {
        PlanStep step = new RequestPlan(RequestKind.Write, Three with { TimeoutMicros = 1 }, 0, seed: 1).Start(Begin);
        Assert.Null(step.Outcome);
        Assert.Equal(Begin + 1, step.AbandonAtMicros);
    }

    [Fact]
    public void Every_endpoint_is_asked_once_before_the_first_wait_and_then_in_turn()
    {
        RequestPlan plan = new(RequestKind.Write, Three, firstEndpoint: 1, seed: 1);
        List<(int Endpoint, bool Waits)> asked = [];
        PlanStep step = plan.Start(Begin);
        for (int i = 0; i < 6; i++)
        {
            asked.Add((step.Endpoint, step.SendAtMicros > Begin));
            step = plan.OnAttempt(AttemptResult.NotSent, Begin);
        }

        Assert.Equal([(1, false), (2, false), (0, false), (1, true), (2, false), (0, false)], asked);
    }

    [Fact]
    public void Overload_is_waited_out_not_gone_round()
    {
        RequestPlan plan = new(RequestKind.Write, Three, 0, seed: 1);
        plan.Start(Begin);
        Assert.True(plan.OnAttempt(AttemptResult.Overloaded, Begin).SendAtMicros > Begin);
    }

    [Fact]
    public void Retry_after_is_kept_to()
    {
        RequestPlan plan = new(RequestKind.Write, Three, 0, seed: 1);
        plan.Start(Begin);
        Assert.Equal(Begin + (2 * Second), plan.OnAttempt(AttemptResult.Overloaded, Begin, retryAfterMicros: 2 * Second).SendAtMicros);
    }

    [Fact]
    public void A_retry_after_beyond_the_deadline_ends_the_request()
    {
        RequestPlan plan = new(RequestKind.Write, Three, 0, seed: 1);
        plan.Start(Begin);
        Assert.Equal(RequestOutcome.Rejected, plan.OnAttempt(AttemptResult.Overloaded, Begin, retryAfterMicros: 60 * Second).Outcome);
    }

    [Fact]
    public void Waits_double_up_to_the_maximum_and_are_drawn_from_the_upper_half()
    {
        RequestPlanOptions one = new() { Endpoints = 1, TimeoutMicros = 3600 * Second, BackoffMinMicros = 1000, BackoffMaxMicros = 8000 };
        RequestPlan plan = new(RequestKind.Write, one, 0, seed: 7);
        plan.Start(Begin);
        foreach (long ceiling in (long[])[1000, 2000, 4000, 8000, 8000, 8000])
            Assert.InRange(plan.OnAttempt(AttemptResult.NotSent, Begin).SendAtMicros - Begin, ceiling / 2, ceiling - 1);
    }

    [Fact]
    public void The_same_seed_gives_the_same_waits_and_another_one_others()
    {
        Assert.Equal(Waits(seed: 42), Waits(seed: 42));
        Assert.NotEqual(Waits(seed: 42), Waits(seed: 43));

        static long[] Waits(int seed)
        {
            RequestPlan plan = new(RequestKind.Read, new RequestPlanOptions { Endpoints = 1 }, 0, seed);
            plan.Start(Begin);
            return [.. Enumerable.Range(0, 5).Select(_ => plan.OnAttempt(AttemptResult.NotSent, Begin).SendAtMicros)];
        }
    }

    [Fact]
    public void A_write_has_all_the_time_there_is_because_it_cannot_be_tried_again()
    {
        PlanStep step = new RequestPlan(RequestKind.Write, Three, 0, seed: 1).Start(Begin);
        Assert.Equal(Begin + Three.TimeoutMicros, step.AbandonAtMicros);
    }

    [Fact]
    public void A_read_leaves_the_other_endpoints_their_share_so_that_a_stalled_node_does_not_take_it_all()
    {
        RequestPlanOptions options = new() { Endpoints = 3, TimeoutMicros = 3 * Second };
        RequestPlan plan = new(RequestKind.Read, options, 0, seed: 1);
        PlanStep first = plan.Start(Begin);
        PlanStep second = plan.OnAttempt(AttemptResult.Lost, first.AbandonAtMicros);
        PlanStep third = plan.OnAttempt(AttemptResult.Lost, second.AbandonAtMicros);
        Assert.Equal([Begin + Second, Begin + (2 * Second), Begin + (3 * Second)], new[] { first, second, third }.Select(step => step.AbandonAtMicros));
        Assert.Equal(RequestOutcome.Rejected, plan.OnAttempt(AttemptResult.Lost, third.AbandonAtMicros).Outcome);
    }

    [Fact]
    public void The_server_is_told_less_than_we_wait_so_that_its_own_answer_arrives()
    {
        PlanStep step = new RequestPlan(RequestKind.Write, Three, 0, seed: 1).Start(Begin);
        Assert.Equal(4950, step.ServerTimeoutMillis);
        PlanStep brief = new RequestPlan(RequestKind.Write, Three with { TimeoutMicros = 1000 }, 0, seed: 1).Start(Begin);
        Assert.Equal(1, brief.ServerTimeoutMillis);
    }

    [Fact]
    public void When_none_listens_it_gives_up_after_one_round_if_asked_to()
    {
        RequestPlan plan = new(RequestKind.Write, Three with { FailWhenNoneListens = true }, 0, seed: 1);
        plan.Start(Begin);
        Assert.Null(plan.OnAttempt(AttemptResult.NotSent, Begin).Outcome);
        Assert.Null(plan.OnAttempt(AttemptResult.NotSent, Begin).Outcome);
        Assert.Equal(RequestOutcome.Rejected, plan.OnAttempt(AttemptResult.NotSent, Begin).Outcome);
    }

    [Fact]
    public void One_that_listens_is_reason_enough_to_go_on()
    {
        RequestPlan plan = new(RequestKind.Write, Three with { FailWhenNoneListens = true }, 0, seed: 1);
        plan.Start(Begin);
        plan.OnAttempt(AttemptResult.NotSent, Begin);
        plan.OnAttempt(AttemptResult.Unavailable, Begin);
        Assert.Null(plan.OnAttempt(AttemptResult.NotSent, Begin).Outcome);
    }

    /// <summary>Whatever comes, in whatever order: the end comes by the deadline, and Unknown means exactly that a write was lost, and nothing settled it.</summary>
    [Theory]
    [InlineData(RequestKind.Read)]
    [InlineData(RequestKind.Write)]
    [InlineData(RequestKind.KeyedWrite)]
    public void Random_attempts_never_break_the_rules(RequestKind kind)
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            Random random = new(seed);
            RequestPlanOptions options = new() { Endpoints = random.Next(1, 5), TimeoutMicros = random.Next(1, 10_000_000), FailWhenNoneListens = random.Next(2) == 0 };
            RequestPlan plan = new(kind, options, random.Next(options.Endpoints), seed);
            long now = Begin;
            AttemptResult last = AttemptResult.NotSent;
            bool wasLost = false;
            PlanStep step = plan.Start(now);
            while (step.Outcome is null)
            {
                Assert.InRange(step.Endpoint, 0, options.Endpoints - 1);
                Assert.True(step.SendAtMicros >= now);
                Assert.InRange(step.AbandonAtMicros, step.SendAtMicros + 1, Begin + options.TimeoutMicros);
                Assert.InRange(step.ServerTimeoutMillis, 1, Math.Max(1, (step.AbandonAtMicros - step.SendAtMicros) / 1000));
                now = random.NextInt64(step.SendAtMicros, step.AbandonAtMicros + 1);
                last = (AttemptResult)random.Next(0, 8);
                wasLost |= kind != RequestKind.Read && last is AttemptResult.Lost or AttemptResult.Untraceable;
                step = plan.OnAttempt(last, now, random.Next(4) == 0 ? random.Next(2_000_000) : 0);
            }

            Assert.Equal(kind != RequestKind.Read && wasLost && last is not (AttemptResult.Answered or AttemptResult.Settled), step.Outcome == RequestOutcome.Unknown);
            Assert.Equal(last == AttemptResult.Answered, step.Outcome == RequestOutcome.Applied);
        }
    }

    /// <summary>Every attempt ends with the same result after <paramref name="attemptMicros"/>.</summary>
    private static (RequestOutcome Outcome, long End, int Attempts) Run(RequestKind kind, RequestPlanOptions options, AttemptResult always, long attemptMicros)
    {
        RequestPlan plan = new(kind, options, 0, seed: 1);
        long now = Begin;
        int attempts = 0;
        PlanStep step = plan.Start(now);
        while (step.Outcome is null)
        {
            attempts++;
            now = Math.Min(step.AbandonAtMicros, Math.Max(now, step.SendAtMicros) + attemptMicros);
            step = plan.OnAttempt(always, now);
        }

        return (step.Outcome.Value, now, attempts);
    }
}
