using RaftKv.Checking.Histories;
using RaftKv.Checking.Sets;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Elements are keys under "s/", and lists read the set.</summary>
public sealed class SetCheckerTests
{
    private static readonly ClientCall _one = Put(0, 10, "s/1", "x", 1);
    private static readonly ClientCall _two = Put(0, 10, "s/2", "x", 2);
    private static readonly KvResult _first = Found("s/1", "x", 1);
    private static readonly KvResult _second = Found("s/2", "x", 2);

    [Fact]
    public void What_was_acknowledged_is_in_the_final_read()
    {
        AssertValid(Check(_one, _two, List(20, 30, "s/", _first, _second)));
        Finding lost = AssertInvalid(Check(_one, _two, List(20, 30, "s/", _first)), "lost: \"s/2\" was acknowledged at 0.000010 s and is missing from the list called 10 µs later", calls: 2);
        Assert.Equal("2 attempted, 2 acknowledged, 0 recovered, 1 lost, 0 phantom\n", lost.Detail);
    }

    [Fact]
    public void An_unknown_add_may_be_there_or_not()
    {
        ClientCall unknown = AskPut("s/2", "x").UnknownFrom(5);
        AssertValid(Check(_one, unknown, List(20, 30, "s/", _first)));
        ClientCall[] recovered = [_one, unknown, List(20, 30, "s/", _first, _second)];
        AssertValid(Check(recovered));
        Assert.Equal(new SetCounts(2, 1, 1, 0, 0), SetChecker.Count(recovered, "s/"));
    }

    [Fact]
    public void What_nobody_put_is_not_there() =>
        AssertInvalid(Check(_one, List(20, 30, "s/", _first, _second)), "phantom: \"s/2\" is in the list called at 0.000020 s, but nobody ever put it", calls: 1);

    [Fact]
    public void What_failed_is_not_there()
    {
        ClientCall failed = AskPut("s/2", "x").FailedDuring(0, 10);
        AssertInvalid(Check(_one, failed, List(20, 30, "s/", _first, _second)), "every put of it had no effect", calls: 2);
        AssertValid(Check(_one, failed, AskPut("s/2", "x").UnknownFrom(0), List(20, 30, "s/", _first, _second)));
    }

    [Fact]
    public void What_is_put_later_is_not_seen_before() =>
        AssertInvalid(Check(_one, List(20, 30, "s/", _first, _second), Put(40, 50, "s/2", "x", 2), List(60, 70, "s/", _first, _second)), "was put only at 0.000040 s", calls: 2);

    [Fact]
    public void What_was_acknowledged_is_in_every_later_list_too()
    {
        ClientCall final = List(60, 70, "s/", _first, _second);
        AssertInvalid(Check(_one, _two, List(20, 30, "s/", _first), final), "lost: \"s/2\"", calls: 2);
        AssertValid(Check(_one, Put(15, 25, "s/2", "x", 2), List(20, 30, "s/", _first), final));
    }

    [Fact]
    public void What_was_seen_once_is_never_missing_later()
    {
        ClientCall unknown = AskPut("s/2", "x").UnknownFrom(5);
        ClientCall seen = List(20, 30, "s/", _first, _second);
        AssertInvalid(Check(_one, unknown, seen, List(40, 50, "s/", _first)), "lost: \"s/2\" was in the list that returned at 0.000030 s and is missing from the one called 10 µs later", calls: 2);
        AssertValid(Check(_one, unknown, seen, List(30, 50, "s/", _first), List(60, 70, "s/", _first, _second)));
    }

    [Fact]
    public void An_add_that_was_retried_under_its_key_is_one()
    {
        ClientCall[] attempts = [AskPut("s/2", "x").FailedDuring(0, 5).Keyed("i"), AskPut("s/2", "x").UnknownFrom(6).Keyed("i")];
        AssertValid(Check(_one, attempts[0], attempts[1], List(20, 30, "s/", _first)));
        AssertValid(Check(_one, attempts[0], attempts[1], List(20, 30, "s/", _first, _second)));
    }

    [Fact]
    public void Without_a_final_read_nothing_is_known()
    {
        AssertUnknown(Check(_one, List(5, 30, "s/", _first)), "no list of \"s/\"");
        AssertUnknown(Check(_one, AskList("s/") with { Call = 20, Return = 30, Outcome = OutcomeKind.Failed }), "no list of \"s/\"");
        AssertUnknown(Check(_one, AskPut("s/2", "x").UnknownFrom(35), List(20, 30, "s/", _first)), "no list of \"s/\"");
        AssertUnknown(Check(List(20, 30, "s/")), "nothing was put");
    }

    [Fact]
    public void Elements_that_may_have_been_deleted_are_left_out() =>
        AssertValid(Check(_one, _two, AskDelete("s/2").UnknownFrom(12), List(20, 30, "s/", _first)));

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Set, history => SetChecker.Check(history, "s/"));

    [Theory]
    [InlineData(Lie.LosesWrites, 95)]
    [InlineData(Lie.SkipsKeys, 80)]
    [InlineData(Lie.KeepsFailedWrites, 60)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Set, history => SetChecker.Check(history, "s/"));

    private static CheckVerdict Check(params ClientCall[] history) => SetChecker.Check(history, "s/");
}
