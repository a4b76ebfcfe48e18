using RaftKv.Checking.Histories;
using RaftKv.Checking.Monotonic;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Revisions that one process sees, and stale reads.</summary>
public sealed class MonotonicCheckerTests
{
    private const long Milli = 1_000;
    private static readonly ClientCall _first = Put(0, 10 * Milli, "k", "a", 1);
    private static readonly ClientCall _second = Put(20 * Milli, 30 * Milli, "k", "b", 2, 1);

    [Fact]
    public void Revisions_that_a_process_reads_never_go_down()
    {
        ClientCall newer = Get(40, 50, "k", "b", 2).By(7);
        AssertInvalid(Check(newer, Get(60, 70, "k", "a", 1).By(7)), "process 7 saw \"k\" at revision 2 by 0.000050 s, and at 1 when it asked again 10 µs later", calls: 2);
        AssertValid(Check(newer, Get(60, 70, "k", "a", 1).By(8), Get(60, 70, "k", "b", 2).By(7)));
        AssertValid(Check(newer, Get(60, 70, "other", "a", 1).By(7), Get(80, 90, "k", null).By(7), Get(92, 93, "k", "b", 2).By(7)));
    }

    [Fact]
    public void Nor_below_what_it_wrote_itself()
    {
        AssertInvalid(Check(Put(0, 10, "k", "a", 5).By(7), Get(20, 30, "k", "x", 4).By(7)), "at revision 5", calls: 2);
        AssertInvalid(Check(Put(0, 10, "k", "a", 5).By(7), Delete(20, 30, "k", 4, 3).By(7)), "at revision 5", calls: 2);
        AssertInvalid(Check(Put(0, 10, "k", "a", 5).By(7), List(20, 30, "k", Found("k", "x", 4)).By(7)), "at revision 5", calls: 2);
    }

    [Fact]
    public void A_replay_tells_of_the_past() =>
        AssertValid(Check(Put(0, 10, "k", "b", 5).By(7), Put(20, 30, "k", "a", 3).By(7).Keyed("i", isReplay: true), Get(40, 50, "k", "b", 5).By(7)));

    [Fact]
    public void Stale_reads_may_go_back() =>
        AssertValid(Check(_first, _second, Stale(40, 50, "b", 2, index: 2, age: 100), Stale(60, 70, "a", 1, index: 1, age: 100)));

    [Fact]
    public void A_stale_read_is_no_older_than_it_says()
    {
        AssertValid(Check(_first, _second, Stale(40, 41, "a", 1, index: 1, age: 10)));
        AssertInvalid(Check(_first, _second, Stale(40, 41, "a", 1, index: 1, age: 9)), "older than it says: a stale read called at 0.040000 s, at most 9 ms old, is of index 1 of shard 1, but a write at index 2 had returned 10.0 ms before", calls: 2);
    }

    [Fact]
    public void It_counts_that_any_write_of_the_shard_had_returned() =>
        AssertInvalid(Check(_first, Put(20 * Milli, 30 * Milli, "other", "b", 2), Stale(40, 41, "a", 1, index: 1, age: 9)), "older than it says", calls: 2);

    [Fact]
    public void A_stale_read_shows_the_state_of_its_index()
    {
        AssertInvalid(Check(_first, _second, Stale(40, 41, "a", 1, index: 2, age: 100)), "found \"a\" at revision 1 at index 2, but the last write by then is at index 2, revision 2", calls: 2);
        AssertInvalid(Check(_first, _second, Stale(40, 41, null, 0, index: 2, age: 100)), "found nothing at index 2, but the last write by then", calls: 2);
        AssertInvalid(Check(_first, _second, Stale(40, 41, "b", 2, index: 1, age: 100)), "but that was written only at index 2", calls: 2);
        AssertInvalid(Check(_first, _second, Stale(40, 41, "x", 2, index: 2, age: 100)), "but what was written at that revision is \"b\"", calls: 2);
        AssertInvalid(Check(_first, _second, Stale(40, 41, "x", 3, index: 3, age: 100)), "no write of unknown outcome explains it", calls: 2);
    }

    [Fact]
    public void A_stale_read_may_show_a_write_of_unknown_outcome()
    {
        AssertValid(Check(_first, AskPut("k", "x").UnknownFrom(15 * Milli), Stale(40, 41, "x", 3, index: 3, age: 100)));
        AssertInvalid(Check(_first, AskPut("k", "x").UnknownFrom(60 * Milli), Stale(40, 41, "x", 3, index: 3, age: 100)), "no write of unknown outcome");
        AssertValid(Check(_first, AskDelete("k").UnknownFrom(15 * Milli), Stale(40, 41, null, 0, index: 3, age: 100)));
    }

    [Fact]
    public void Behind_a_delete_there_is_nothing()
    {
        ClientCall delete = Delete(20 * Milli, 30 * Milli, "k", 2, 1);
        AssertValid(Check(_first, delete, Stale(40, 41, null, 0, index: 2, age: 1)));
        AssertInvalid(Check(_first, delete, Stale(40, 41, "a", 1, index: 2, age: 1)), "revision 2", calls: 2);
    }

    [Fact]
    public void A_stale_read_says_its_index_and_of_one_of_unknown_age_only_that_is_checked()
    {
        ClientCall read = Stale(40, 41, "a", 1, index: 1, age: 1);
        AssertInvalid(Check(_first, _second, read), "older than it says", calls: 2);
        AssertValid(Check(_first, _second, read with { AgeMillis = null }));
        AssertInvalid(Check(_first, _second, Stale(40, 41, "a", 1, index: 2, age: 100) with { AgeMillis = null }), "the last write by then is at index 2", calls: 2);
        AssertInvalid(Check(_first, read with { Results = [read.Results[0] with { Position = null }] }), "does not say of which index it is", calls: 1);
    }

    [Fact]
    public void An_age_is_as_right_as_the_clock_that_measured_it()
    {
        ClientCall[] history = [_first, _second, Stale(40, 41, "a", 1, index: 1, age: 9)];
        AssertValid(MonotonicChecker.Check(history, new ClockError(LostMicros: 1 * Milli)));
        AssertValid(MonotonicChecker.Check(history, new ClockError(SlowestPerMille: 900)));
        AssertInvalid(MonotonicChecker.Check(history, new ClockError(SlowestPerMille: 910, FastestPerMille: 1_200)), "older than it says", calls: 2);
    }

    [Fact]
    public void Keys_with_a_ttl_may_be_gone() =>
        AssertValid(Check(AskPut("k", "a", ttl: 1).During(0, 10 * Milli, Written("k", 1)), Stale(40, 41, null, 0, index: 2, age: 1)));

    [Fact]
    public void A_history_in_which_nothing_was_seen_twice_is_unknown() => AssertUnknown(Check(_first), "no process saw a key twice");

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Monotonic, MonotonicChecker.Check);

    [Theory]
    [InlineData(Lie.LiesAboutAge, 25)]
    [InlineData(Lie.ReadsOldStates, 25)]
    [InlineData(Lie.LosesWrites, 60)]
    [InlineData(Lie.KeepsFailedWrites, 15)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Monotonic, MonotonicChecker.Check);

    private static CheckVerdict Check(params ClientCall[] history) => MonotonicChecker.Check(history);

    private static ClientCall Stale(long fromMillis, long toMillis, string? value, ulong revision, ulong index, long age) =>
        AskGet("k", Freshness.Stale).During(fromMillis * Milli, toMillis * Milli, Found("k", value, revision, index)).By((int)fromMillis) with { AgeMillis = age };
}
