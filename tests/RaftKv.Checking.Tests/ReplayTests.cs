using RaftKv.Checking.Replay;

namespace RaftKv.Checking.Tests;

/// <summary>The checker that replays the order which the servers claim.</summary>
public sealed class ReplayTests
{
    [Fact]
    public void Every_execution_of_a_correct_store_is_accepted_however_it_is_looked_at()
    {
        for (int seed = 0; seed < 4_000; seed++)
        {
            StoreExecution execution = new(seed);
            Operation[] history = execution.Run(operations: 1 + seed % 60);
            Assert.True(ReplayChecker.Check(history) is null, $"seed {seed}\n{ReplayChecker.Check(history)}");
            Assert.Equal(Verdict.Linearizable, LinearizabilityChecker.Check(history).Verdict);
            (ReplayViolation? violation, long replayed) = Online(history, new Random(seed));
            Assert.True(violation is null, $"seed {seed}, online\n{violation}");
            Assert.Equal(history.Count(IsAnswered), replayed);
        }
    }

    [Fact]
    public void What_no_order_explains_this_order_does_not_explain()
    {
        int convicted = 0;
        int acquitted = 0;
        for (int seed = 0; seed < 20_000; seed++)
        {
            Operation[] history = new HistoryGenerator(seed).MutatedExecution(lies: 1 + seed % 2);
            ReplayViolation? violation;
            try
            {
                violation = ReplayChecker.Check(history);
            }
            catch (ArgumentException)
            {
                continue; // A lie that leaves out a revision.
            }

            // Of an unknown write the replay takes any effect for possible, also one that its condition forbids: that is for the other checker.
            if (history.Any(operation => operation is { Outcome.Kind: OutcomeKind.Unknown, Request.Condition: not ConditionKind.None })) continue;
            bool isLinearizable = BruteForceChecker.IsLinearizable(history);
            Assert.True(violation is not null || isLinearizable, $"seed {seed}\n{string.Join('\n', history.AsEnumerable())}");
            if (violation is null) acquitted++;
            else convicted++;
        }

        Assert.InRange(convicted, 2_000, 20_000);
        Assert.InRange(acquitted, 500, 20_000);
    }

    [Fact]
    public void A_lie_is_found_online_as_at_the_end()
    {
        int found = 0;
        for (int seed = 0; seed < 2_000; seed++)
        {
            Random random = new(seed);
            Operation[] history = new StoreExecution(seed).Run(operations: 40);
            int liar = random.Next(history.Length);
            if (history[liar] is not { Request.Kind: RequestKind.Get, Outcome: { Kind: OutcomeKind.Ok, Existed: true } } get) continue;
            history[liar] = get with { Outcome = get.Outcome with { Value = get.Outcome.Value + 1_000 } };
            Assert.Equal(ReplayFault.Answer, ReplayChecker.Check(history)!.Fault);
            Assert.Equal(ReplayFault.Answer, Online(history, random).Violation!.Fault);
            found++;
        }

        Assert.InRange(found, 100, 2_000);
    }

    [Fact]
    public void A_read_that_does_not_see_a_write_before_it_is_convicted()
    {
        ReplayViolation violation = Convicted(
            Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
            Put(20, 30, index: 2, value: 2, revision: 2, previous: 1),
            Get(40, 50, index: 2, RegisterOutcome.Found(1, 1)));
        Assert.Equal(ReplayFault.Answer, violation.Fault);
        Assert.Equal("shard 1 index 2: get of \"k\" was answered v1, revision 1, but the key was v2 at revision 2", violation.Sentence);
        Assert.Equal(2, violation.Before.Count);
    }

    [Fact]
    public void A_read_served_from_before_a_write_that_had_returned_is_convicted()
    {
        ReplayViolation violation = Convicted(
            Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
            Put(20, 30, index: 2, value: 2, revision: 2, previous: 1),
            Get(40, 50, index: 1, RegisterOutcome.Found(1, 1)));
        Assert.Equal(ReplayFault.RealTime, violation.Fault);
        Assert.Equal("shard 1 index 1: a read stands at index 1, but one at index 2 had returned 10 before it was called", violation.Sentence);
    }

    [Fact]
    public void A_write_with_the_index_of_one_that_had_returned_is_before_its_time() => Assert.Equal(ReplayFault.RealTime, Convicted(
        Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
        Put(20, 30, index: 1, value: 2, revision: 2, previous: 1)).Fault);

    [Fact]
    public void Two_writes_at_one_place_are_convicted() => Assert.Equal(ReplayFault.PositionTaken, Convicted(
        Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
        Put(5, 15, index: 1, value: 2, revision: 2, previous: 1)).Fault);

    [Fact]
    public void A_revision_that_does_not_grow_with_the_index_is_convicted_also_on_another_key() => Assert.Equal(ReplayFault.RevisionOrder, Convicted(
        Put(0, 10, index: 1, value: 1, revision: 5, previous: 0),
        Put(20, 30, index: 2, value: 2, revision: 5, previous: 0) with { Key = "other" }).Fault);

    [Fact]
    public void A_lost_write_is_found_by_the_next_one_though_nobody_reads() => Assert.Contains("the key was v1 at revision 1", Convicted(
        Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
        Put(20, 30, index: 2, value: 2, revision: 2, previous: 0)).Sentence, StringComparison.Ordinal);

    [Fact]
    public void A_value_that_nobody_wrote_is_convicted() => Assert.Equal(ReplayFault.Answer, Convicted(Get(0, 10, index: 7, RegisterOutcome.Found(3, 1))).Fault);

    [Fact]
    public void An_unknown_put_may_have_happened_once()
    {
        Operation unknown = new("k", 0, 0, Operation.Never, RegisterRequest.Put(9), RegisterOutcome.Unknown);
        Operation found = Get(40, 50, index: 1, RegisterOutcome.Found(9, 1));
        Operation over = Put(60, 70, index: 2, value: 2, revision: 2, previous: 1);
        Assert.Null(ReplayChecker.Check([unknown, found, over]));
        Assert.Equal(ReplayFault.Answer, Convicted(unknown, found, over, Get(80, 90, index: 3, RegisterOutcome.Found(9, 3))).Fault);
        Assert.Null(ReplayChecker.Check([unknown, over])); // Nobody saw it, but what it left behind.
        Assert.Equal(ReplayFault.Answer, Convicted(unknown, over, Put(80, 90, index: 4, value: 4, revision: 4, previous: 3)).Fault);
        Assert.Equal(ReplayFault.Answer, Convicted(unknown, over, Get(80, 90, index: 3, RegisterOutcome.Found(9, 3))).Fault);
    }

    [Fact]
    public void Of_unknown_puts_of_one_value_that_one_is_seen_first_which_was_called_first()
    {
        Operation late = new("k", 0, 45, Operation.Never, RegisterRequest.Put(9), RegisterOutcome.Unknown);
        Operation first = Get(30, 50, index: 1, RegisterOutcome.Found(9, 1));
        Operation again = Get(55, 60, index: 2, RegisterOutcome.Found(9, 2));
        Assert.Null(ReplayChecker.Check([late, late with { Call = 0 }, first, again]));
        Assert.Null(ReplayChecker.Check([late with { Call = 0 }, late, first, again]));
        Assert.Equal(ReplayFault.Answer, Convicted(late with { Call = 58 }, late with { Call = 0 }, first, again with { Return = 57 }).Fault);
    }

    [Fact]
    public void Very_many_unknown_puts_of_one_key_are_told_apart()
    {
        const int Puts = 50_000; // Their square is some billions of steps.
        Operation[] history = [.. Enumerable.Range(1, Puts).SelectMany(i => new[]
        {
            new Operation("k", 0, 10 * i, Operation.Never, RegisterRequest.Put(i), RegisterOutcome.Unknown),
            Get((10 * i) + 1, (10 * i) + 5, index: (ulong)i, RegisterOutcome.Found(i, (ulong)i)),
        })];
        Assert.Null(ReplayChecker.Check(history));
        Assert.Equal(ReplayFault.Answer, Convicted([.. history, Get((10 * Puts) + 8, (10 * Puts) + 9, index: Puts + 1, RegisterOutcome.Found(Puts, Puts + 1))]).Fault);
    }

    [Fact]
    public void An_unknown_delete_may_have_happened_once()
    {
        Operation unknown = new("k", 0, 15, Operation.Never, RegisterRequest.Delete, RegisterOutcome.Unknown);
        Operation first = Put(0, 10, index: 1, value: 1, revision: 1, previous: 0);
        Operation second = Put(60, 70, index: 3, value: 2, revision: 3, previous: 0);
        Assert.Null(ReplayChecker.Check([first, unknown, second]));
        Assert.Equal(ReplayFault.Answer, Convicted(first, unknown, second, Get(80, 90, index: 4, RegisterOutcome.Absent)).Fault);
        Assert.Equal(ReplayFault.Answer, Convicted(first, second).Fault);
    }

    [Fact]
    public void A_value_read_before_its_write_was_called_is_convicted() => Assert.Equal(ReplayFault.Answer, Convicted(
        Get(0, 10, index: 1, RegisterOutcome.Found(9, 1)),
        new Operation("k", 0, 20, Operation.Never, RegisterRequest.Put(9), RegisterOutcome.Unknown)).Fault);

    [Theory]
    [InlineData(1, 2, true)] // If-match 1 of revision 2, refused: right.
    [InlineData(2, 2, false)]
    public void A_refusal_is_a_read_of_what_did_not_match(ulong match, ulong current, bool isRight)
    {
        Operation write = Put(0, 10, index: 2, value: 1, revision: 2, previous: 0);
        Operation refused = new("k", 1, 20, 30, RegisterRequest.PutIfMatch(5, match), RegisterOutcome.Refused(current), Position: Position.OfWrite(1, 3));
        Assert.Equal(isRight, ReplayChecker.Check([write, refused]) is null);
    }

    [Fact]
    public void A_condition_that_did_not_hold_and_was_not_refused_is_convicted() => Assert.Contains("was not refused", Convicted(
        Put(0, 10, index: 1, value: 1, revision: 1, previous: 0),
        new Operation("k", 1, 20, 30, RegisterRequest.PutIfNoneMatch(5), RegisterOutcome.Written(2, 1), Position: Position.OfWrite(1, 2))).Sentence, StringComparison.Ordinal);

    [Fact]
    public void Bad_histories_are_the_harnesss_fault()
    {
        Operation get = Get(0, 10, index: 1, RegisterOutcome.Absent);
        Assert.Throws<ArgumentException>(() => ReplayChecker.Check([get with { Position = null }]));
        Assert.Throws<ArgumentException>(() => ReplayChecker.Check([Get(0, 10, index: 1, RegisterOutcome.Found(1))]));
        ReplayChecker online = new();
        online.Add(get with { Return = 20 });
        Assert.Throws<ArgumentException>(() => online.Add(get));
    }

    private static bool IsAnswered(Operation operation) => operation.Outcome.Kind is OutcomeKind.Ok or OutcomeKind.Refused;

    private static ReplayViolation Convicted(params Operation[] history)
    {
        ReplayViolation? violation = ReplayChecker.Check(history);
        Assert.NotNull(violation);
        Assert.EndsWith("\n", violation.ToText(), StringComparison.Ordinal);
        return violation;
    }

    /// <summary>Adds as operations return, and advances to the oldest call that is open now and then.</summary>
    private static (ReplayViolation? Violation, long Replayed) Online(Operation[] history, Random random)
    {
        ReplayChecker checker = new();
        Operation[] returns = [.. history.OrderBy(operation => operation.LatestEffect)];
        for (int i = 0; i < returns.Length; i++)
        {
            checker.Add(returns[i]);
            // Who never answered is open to the end: the harness gives such an operation up after a while; here at its end.
            if (random.Next(4) == 0 && i + 1 < returns.Length) checker.Advance(returns[(i + 1)..].Min(operation => operation.Call));
        }

        return (checker.Finish(), checker.Replayed);
    }

    private static Operation Put(long call, long back, ulong index, long value, ulong revision, ulong previous) =>
        new("k", 0, call, back, RegisterRequest.Put(value), RegisterOutcome.Written(revision, previous), Position: Position.OfWrite(1, index));

    private static Operation Get(long call, long back, ulong index, RegisterOutcome outcome) =>
        new("k", 0, call, back, RegisterRequest.Get, outcome, Position: Position.OfRead(1, index));
}
