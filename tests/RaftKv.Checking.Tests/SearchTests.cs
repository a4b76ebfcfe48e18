using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>The search itself: its cost in steps, its budget, other models.</summary>
public sealed class SearchTests
{
    private const int LongHistory = 2_000;

    [Fact]
    public void A_long_history_costs_a_few_steps_per_operation()
    {
        CheckResult result = LinearizabilityChecker.Check(LongExecution(unknown: 0));
        Assert.True(result.Verdict == Verdict.Linearizable, result.ToString());
        Assert.InRange(result.Steps, LongHistory / 2, LongHistory * 20L);
    }

    [Fact]
    public void A_stale_read_at_the_end_of_a_long_history_is_found()
    {
        Operation[] history = LongExecution(unknown: 0);
        Operation stale = Op(9, 1_000_000, 1_000_001, Get, Found(history.First(IsWritten).Request.Value));
        CheckResult result = LinearizabilityChecker.Check([.. history, stale]);
        Assert.Equal(Verdict.NotLinearizable, result.Verdict);
        Assert.Same(stale, result.Counterexample!.Misfit);
        Assert.InRange(result.Steps, LongHistory / 2, LongHistory * 40L);
    }

    [Fact]
    public void Many_unknown_writes_do_not_cost_a_power_of_two()
    {
        CheckResult result = LinearizabilityChecker.Check(LongExecution(unknown: 0.05));
        Assert.True(result.Verdict == Verdict.Linearizable, result.ToString());
        Assert.InRange(result.Steps, LongHistory / 2, LongHistory * 40L);
    }

    [Fact]
    public void A_wrong_read_among_unknown_writes_is_found()
    {
        // The size recommended for one key; unknown writes make every dead end wider, and the budget must still do.
        for (int seed = 0; seed < 10; seed++)
        {
            Operation[] history = new HistoryGenerator(seed).Execution(operations: 300, spacing: 4, width: 20, unknown: 0.1, unreported: 0);
            CheckResult result = LinearizabilityChecker.Check([.. history, Op(9, 100_000, 100_001, Get, Found(-1))], maxStepsPerKey: 80_000);
            Assert.True(result.Verdict == Verdict.NotLinearizable, $"seed {seed}: {result}");
        }
    }

    [Fact]
    public void Unknown_writes_that_explain_nothing_are_soon_exhausted()
    {
        Operation[] lost = [.. Enumerable.Range(100, 60).Select(value => Lost(value, 2, Put(value)))];
        Operation[] reads = [.. Enumerable.Range(0, 50).Select(i => Op(1, 10 + 2 * i, 11 + 2 * i, Get, Found(1, 1)))];
        CheckResult result = LinearizabilityChecker.Check([FirstPut, .. lost, .. reads, Op(1, 200, 201, Get, Found(9))]);
        Assert.Equal(Verdict.NotLinearizable, result.Verdict);
        Assert.InRange(result.Steps, 50, 1_000);
    }

    [Fact]
    public void Executions_of_a_correct_store_are_linearizable_at_every_concurrency()
    {
        for (int seed = 0; seed < 150; seed++)
        {
            double unreported = seed % 3 * 0.45;
            Operation[] history = new HistoryGenerator(seed).Execution(operations: 120, spacing: 2, width: 2 + seed % 12, unknown: 0.06, unreported);
            CheckResult result = LinearizabilityChecker.Check(history);
            Assert.True(result.Verdict == Verdict.Linearizable, $"seed {seed}\n{result}");
        }
    }

    [Fact]
    public void A_budget_that_ends_gives_unknown_and_names_the_key()
    {
        CheckResult result = LinearizabilityChecker.Check(LongExecution(unknown: 0), maxStepsPerKey: 1_000);
        Assert.Equal(Verdict.Unknown, result.Verdict);
        Assert.Equal(["k"], result.UndecidedKeys);
        Assert.Null(result.Counterexample);
        Assert.InRange(result.Steps, 1_000, 1_100);
        Assert.StartsWith("unknown: ", result.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_violation_counts_more_than_a_key_left_undecided()
    {
        Operation[] hard = [.. LongExecution(unknown: 0).Select(operation => operation with { Key = "a" })];
        CheckResult result = LinearizabilityChecker.Check([.. hard, Op(1, 0, 1, Get, Found(1))], maxStepsPerKey: 1_000);
        Assert.Equal(Verdict.NotLinearizable, result.Verdict);
        Assert.Equal("k", result.Counterexample!.Key);
        Assert.Equal(["a"], result.UndecidedKeys);
    }

    [Fact]
    public void Checking_twice_takes_the_same_steps_and_says_the_same()
    {
        Operation[] history = [.. LongExecution(unknown: 0.05), Op(9, 1_000_000, 1_000_001, Get, Found(-1))];
        CheckResult first = LinearizabilityChecker.Check(history, maxStepsPerKey: 200_000);
        CheckResult second = LinearizabilityChecker.Check(history, maxStepsPerKey: 200_000);
        Assert.Equal(first.Steps, second.Steps);
        Assert.Equal(first.ToString(), second.ToString());
    }

    [Fact]
    public void The_witness_of_any_model_is_a_legal_order()
    {
        // Three takes of numbers from one counter, all concurrent, and one that came after: 3, 1, 2, then 4.
        Interval[] intervals = [new(0, 9, true), new(0, 9, true), new(0, 9, true), new(10, 11, true)];
        LinearizationSearch<CounterModel, int> search = new(intervals, new CounterModel([3, 1, 2, 4]), maxSteps: 100);
        Assert.Equal(Verdict.Linearizable, search.Run());
        Assert.Equal([1, 2, 0, 3], search.LongestPrefix.ToArray());
        Assert.Equal(-1, search.Misfit);
    }

    [Fact]
    public void An_interval_that_ends_before_it_starts_is_an_error() =>
        Assert.Throws<ArgumentException>(() => new LinearizationSearch<CounterModel, int>([new(2, 1, true)], new CounterModel([1]), 100));

    private static bool IsWritten(Operation operation) => operation is { Request.Kind: RequestKind.Put, Outcome.Kind: OutcomeKind.Ok };

    /// <summary>2,000 operations of which about five run at a time.</summary>
    private static Operation[] LongExecution(double unknown) =>
        new HistoryGenerator(seed: 7).Execution(LongHistory, spacing: 4, width: 20, unknown, unreported: 0);

    /// <summary>A counter whose operations each answer the number they took.</summary>
    private readonly struct CounterModel(int[] answers) : IModel<int>
    {
        public int Initial => 0;

        public bool TryStep(in int state, int operation, out int next)
        {
            next = state + 1;
            return answers[operation] == next;
        }

        public bool IsSpent(in int state, int operation) => false;

        public ulong Hash(in int state) => (ulong)state;
    }
}
