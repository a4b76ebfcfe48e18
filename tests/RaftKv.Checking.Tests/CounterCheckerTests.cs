using RaftKv.Checking.Counters;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>The counter "c", incremented by compare-and-set.</summary>
public sealed class CounterCheckerTests
{
    private static readonly ClientCall _one = Put(0, 10, "c", "1", 1);
    private static readonly ClientCall _two = Put(20, 30, "c", "2", 2, 1);

    [Fact]
    public void Every_increment_counts_once()
    {
        AssertValid(Check(_one, _two, Get(40, 50, "c", "2", 2)));
        AssertInvalid(Check(_one, _two, Get(40, 50, "c", "1", 1)), "a read of 1 was called at 0.000040 s, when 2 increments of \"c\" had been acknowledged: 1 of them are lost", calls: 2);
        AssertInvalid(Check(_one, _two, Get(40, 50, "c", "3", 3)), "a read of 3 returned at 0.000050 s, when at most 2 other increments", calls: 1);
    }

    [Fact]
    public void Two_increments_never_write_one_number() =>
        AssertInvalid(Check(_one, Put(20, 30, "c", "1", 2, 1), Get(40, 50, "c", "1", 2)), "lost update: two increments of \"c\" succeeded and both wrote 1", calls: 2);

    [Fact]
    public void An_absent_counter_is_at_zero() => AssertInvalid(Check(_one, Get(40, 50, "c", null)), "a read of 0", calls: 2);

    [Fact]
    public void Reads_in_between_are_within_their_bounds()
    {
        ClientCall final = Get(90, 95, "c", "2", 2);
        AssertValid(Check(_one, _two, Get(15, 25, "c", "2", 2), final));
        AssertInvalid(Check(_one, _two, Get(11, 15, "c", "2", 2), final), "when at most 1 other increments", calls: 1);
        AssertInvalid(Check(_one, _two, Get(35, 40, "c", "1", 1), final), "1 of them are lost", calls: 2);
    }

    [Fact]
    public void An_increment_stands_behind_those_acknowledged_before_it() =>
        AssertInvalid(Check(_one, _two, Put(40, 50, "c", "5", 3, 2), Get(60, 70, "c", "3", 3)), "an increment to 5", calls: 1);

    [Fact]
    public void An_unknown_increment_counts_or_not()
    {
        ClientCall unknown = AskPut("c", "2").UnknownFrom(20);
        AssertValid(Check(_one, unknown, Get(40, 50, "c", "1", 1)));
        AssertValid(Check(_one, unknown, Get(40, 50, "c", "2", 2)));
        AssertInvalid(Check(_one, unknown, Get(40, 50, "c", "3", 3)), "at most 2 other increments");
    }

    [Fact]
    public void Refused_and_failed_increments_do_not_count() =>
        AssertInvalid(Check(_one, AskPut("c", "2").FailedDuring(12, 13), AskPut("c", "2").During(14, 15, Refused("c", 1, 2)), Get(40, 50, "c", "2", 2)), "at most 1 other increments");

    [Fact]
    public void A_counter_holds_a_number() => AssertInvalid(Check(_one, Get(40, 50, "c", "x", 1)), "\"x\", which is no number", calls: 1);

    [Fact]
    public void Without_a_final_read_nothing_is_known()
    {
        AssertUnknown(Check(_one, Get(5, 15, "c", "1", 1)), "no read of \"c\" that was called after the last increment");
        AssertUnknown(Check(Get(5, 15, "c", null)), "\"c\" was never incremented");
    }

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Counter, history => CounterChecker.Check(history, "c"));

    [Theory]
    [InlineData(Lie.LosesWrites, 60)]
    [InlineData(Lie.IgnoresConditions, 80)]
    [InlineData(Lie.ReadsOldStates, 80)]
    [InlineData(Lie.KeepsFailedWrites, 0)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Counter, history => CounterChecker.Check(history, "c"));

    private static CheckVerdict Check(params ClientCall[] history) => CounterChecker.Check(history, "c");
}
