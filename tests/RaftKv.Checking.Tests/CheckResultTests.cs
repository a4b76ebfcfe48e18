using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>What a person is told, and what is refused as input.</summary>
public sealed class CheckResultTests
{
    [Fact]
    public void A_failure_shows_the_longest_order_and_the_operation_that_does_not_fit()
    {
        Operation[] history =
        [
            new("cart", 1, 0, 10, Put(1), Written(1, 0)),
            new("cart", 12, 5, 130, PutIfMatch(2, 1), Written(2, 1), "r#812"),
            new("cart", 3, 20, Operation.Never, Delete, RegisterOutcome.Unknown),
            new("cart", 1, 100, 110, Get, Found(2, 2)),
            new("cart", 1, 120, 125, Get, Found(1, 1)),
            new("cart", 1, 140, 150, PutIfNoneMatch(3), Refused(2)),
        ];
        string expected =
            """
            key "cart" is not linearizable: 3 of 6 operations fit in the order numbered,
            after which the key holds v2 at revision 2, and the one marked >> fits nowhere
               1  p1      0..10  put v1 → written, revision 1, previous 0
               2  p12    5..130  put v2 if-match 1 → written, revision 2, previous 1  (r#812)
                  p3       20..  delete → unknown
               3  p1   100..110  get → v2, revision 2
              >>  p1   120..125  get → v1, revision 1
                  p1   140..150  put v3 if-none-match → refused, current 2

            """;
        Assert.Equal(expected, LinearizabilityChecker.Check(history).ToString());
    }

    [Fact]
    public void A_long_failure_is_cut_around_the_operation_that_does_not_fit()
    {
        Operation[] puts = [.. Enumerable.Range(1, 100).Select(i => Op(1, 10 * i, 10 * i + 1, Put(i), Written((ulong)i)))];
        Operation[] history = [.. puts, Op(2, 605, 606, Get, Found(1))];
        string[] lines = LinearizabilityChecker.Check(history).Counterexample!.ToText(maxLines: 9).TrimEnd().Split('\n');
        Assert.Equal(2 + 1 + 9 + 1, lines.Length);
        Assert.Equal("  … 54 earlier operations", lines[2]);
        Assert.Equal("  >>  p2  605..606  get → v1", lines[9]);
        Assert.Equal("  … 38 later operations", lines[^1]);
    }

    [Fact]
    public void Each_operation_of_the_longest_prefix_fits_after_the_ones_before()
    {
        int found = 0;
        for (int seed = 0; seed < 2_000; seed++)
        {
            Operation[] history = new HistoryGenerator(seed).MutatedExecution(lies: 1);
            if (LinearizabilityChecker.Check(history).Counterexample is not { } counterexample) continue;
            found++;
            Assert.DoesNotContain(counterexample.Misfit, counterexample.LongestPrefix);
            IEnumerable<Operation> inOrder = counterexample.LongestPrefix.Select((operation, i) => operation with { Call = i, Return = i });
            Assert.True(BruteForceChecker.IsLinearizable(inOrder), $"seed {seed}\n{counterexample}");
        }

        Assert.True(found > 200);
    }

    [Fact]
    public void Keys_are_independent_and_the_first_in_ordinal_order_is_reported()
    {
        Operation bad = Op(1, 0, 1, Get, Found(1));
        CheckResult result = LinearizabilityChecker.Check([bad with { Key = "b" }, FirstPut, bad with { Key = "B" }]);
        Assert.Equal("B", result.Counterexample!.Key);
        Assert.Equal(Verdict.Linearizable, LinearizabilityChecker.Check([FirstPut, FirstPut with { Key = "b" }]).Verdict);
    }

    [Fact]
    public void The_order_in_which_operations_are_listed_does_not_matter()
    {
        Operation[] history = [FirstPut, Op(1, 2, 3, Put(2), Written(2, 1)), Op(2, 4, 5, Get, Found(2, 2))];
        Assert.Equal(Verdict.Linearizable, LinearizabilityChecker.Check(history.Reverse()).Verdict);
    }

    [Fact]
    public void A_history_no_client_can_make_is_an_error_not_a_verdict()
    {
        Operation[] impossible =
        [
            Op(1, 2, 1, Get, Absent),
            Op(1, 0, 1, PutIfMatch(1, 0), Written()),
            Op(1, 0, 1, Get with { Condition = ConditionKind.IfNoneMatch }, Absent),
            Op(1, 0, 1, Delete with { Condition = ConditionKind.IfNoneMatch }, NothingDeleted),
            Op(1, 0, 1, Put(1), RegisterOutcome.Unknown with { Revision = 3 }),
        ];
        foreach (Operation operation in impossible)
        {
            Assert.Throws<ArgumentException>(() => LinearizabilityChecker.Check([operation]));
        }
    }
}
