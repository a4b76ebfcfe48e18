using RaftKv.Checking.Histories;
using RaftKv.Checking.Tests.Model;
using RaftKv.Checking.Ttl;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>The key "t" is put for a second, in milliseconds 100 to 200; it may be half a second late.</summary>
public sealed class TtlCheckerTests
{
    private const long Milli = 1_000;
    private const long Grace = 500 * Milli;
    private static readonly ClientCall _put = AskPut("t", "a", ttl: 1).During(100 * Milli, 200 * Milli, Written("t", 1));
    private static readonly ClientCall _early = Read(300, "a");
    private static readonly ClientCall _late = Read(1_800, null);

    [Fact]
    public void A_key_lives_as_long_as_it_should() => AssertValid(Check(_put, _early, Read(1_050, "a"), Read(1_300, null), _late));

    [Fact]
    public void A_key_is_not_gone_before_its_time()
    {
        AssertInvalid(Check(_put, _early, Read(1_000, null), _late), "early: \"t\" = \"a\" was put for 1 s at 0.100000 s at the earliest, and after 901.0 ms it was gone", calls: 2);
        AssertValid(Check(_put, _early, Read(1_100, null), _late));
    }

    [Fact]
    public void On_a_clock_that_is_too_fast_it_may_be_gone_earlier() =>
        AssertValid(TtlChecker.Check([_put, _early, Read(1_050, null), _late], Grace, fastestClockPerMille: 1_100));

    [Fact]
    public void A_key_is_not_there_long_after_its_time()
    {
        AssertInvalid(Check(_put, _early, Read(1_701, "a"), _late), "late: \"t\" = \"a\" was put for 1 s by 0.200000 s at the latest, and 1501.0 ms after that it was still there", calls: 2);
        AssertValid(Check(_put, _early, Read(1_700, "a"), _late));
    }

    [Fact]
    public void A_list_is_a_read_too()
    {
        ClientCall list = List(1_701 * Milli, 1_702 * Milli, "t", Found("t", "a", 1));
        AssertInvalid(Check(_put, _early, list, _late), "late", calls: 2);
    }

    [Fact]
    public void A_delete_may_have_taken_it()
    {
        AssertValid(Check(_put, _early, AskDelete("t").UnknownFrom(150 * Milli), Read(400, null), _late));
        AssertInvalid(Check(_put, _early, AskDelete("t").FailedDuring(350 * Milli, 360 * Milli), Read(400, null), _late), "early");
        AssertInvalid(Check(_put, _early, Delete(10 * Milli, 20 * Milli, "t", 0, 0), Read(400, null), _late), "early");
    }

    [Fact]
    public void Another_put_may_have_replaced_it_and_must_be_seen_then()
    {
        ClientCall other = AskPut("t", "b").During(320 * Milli, 330 * Milli, Written("t", 2, 1));
        AssertValid(Check(_put, _early, other, Read(400, "b"), Read(1_800, "b"), _late with { Call = 3_000 * Milli, Return = 3_001 * Milli, Results = [Found("t", "b", 2)] }));
        AssertInvalid(Check(_put, _early, other, Read(400, null), Read(1_800, "b")), "early", calls: 2);
    }

    [Fact]
    public void A_put_without_a_ttl_clears_it() =>
        AssertInvalid(Check(_put, _early, AskPut("t", "b").During(320 * Milli, 330 * Milli, Written("t", 2, 1)), Read(1_800, null)), "\"t\" = \"b\" was put without a ttl", calls: 2);

    [Fact]
    public void An_unknown_put_has_a_deadline_once_it_was_seen()
    {
        ClientCall unknown = AskPut("t", "b", ttl: 1).UnknownFrom(2_000 * Milli);
        AssertValid(Check(_put, _early, _late, unknown, Read(5_000, "b"), Read(6_400, "b")));
        AssertInvalid(Check(_put, _early, _late, unknown, Read(5_000, "b"), Read(6_600, "b")), "late", calls: 3);
        AssertValid(Check(_put, _early, _late, unknown, Read(5_000, null), Read(7_000, "b")));
    }

    [Fact]
    public void What_is_gone_is_not_back() =>
        AssertInvalid(Check(_put, _early, Read(1_150, null), Read(1_200, "a"), _late), "back: \"t\" = \"a\" was no more at 1.151000 s, and was there again", calls: 3);

    [Fact]
    public void A_value_that_nobody_put_is_not_found() => AssertInvalid(Check(_put, Read(300, "x"), _late), "no put that can have happened by then wrote", calls: 1);

    [Fact]
    public void Without_reads_on_both_sides_of_a_deadline_nothing_is_known()
    {
        AssertUnknown(Check(_put, _early), "no read was after a deadline and its grace");
        AssertUnknown(Check(_put, _late), "no read was between");
    }

    [Fact]
    public void A_value_is_put_once() => Assert.Throws<ArgumentException>(() => Check(_put, AskPut("t", "a").UnknownFrom(0)));

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Ttl, history => TtlChecker.Check(history, ModelStore.GraceMicros));

    [Theory]
    [InlineData(Lie.ExpiresEarly, 50)]
    [InlineData(Lie.NeverExpires, 50)]
    [InlineData(Lie.ReadsOldStates, 50)]
    [InlineData(Lie.LosesWrites, 40)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Ttl, history => TtlChecker.Check(history, ModelStore.GraceMicros));

    private static CheckVerdict Check(params ClientCall[] history) => TtlChecker.Check(history, Grace);

    private static ClientCall Read(long atMillis, string? value) => Get(atMillis * Milli, (atMillis + 1) * Milli, "t", value, value is null ? 0UL : 1UL, index: 1);
}
