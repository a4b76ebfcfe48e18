using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>Operations without an answer: they may have taken effect at any time after the call, or never. Design §3.3.</summary>
public sealed class UnknownOutcomeTests
{
    [Fact]
    public void An_unknown_write_may_be_seen_later() =>
        AssertLinearizable(FirstPut, Lost(1, 2, Put(2)), Op(2, 3, 4, Get, Found(1, 1)), Op(2, 50, 51, Get, Found(2, 2)));

    [Fact]
    public void An_unknown_write_may_never_be_seen() =>
        AssertLinearizable(FirstPut, Lost(1, 2, Put(2)), Op(2, 3, 4, Get, Found(1, 1)), Op(2, 50, 51, Get, Found(1, 1)));

    [Fact]
    public void An_unknown_write_once_seen_stays()
    {
        Operation unseen = Op(2, 7, 8, Get, Found(1, 1));
        AssertNotLinearizable([FirstPut, Lost(1, 2, Put(2)), Op(2, 5, 6, Get, Found(2)), unseen], misfit: unseen);
    }

    [Fact]
    public void An_unknown_write_is_not_seen_before_its_call()
    {
        Operation early = Op(2, 2, 3, Get, Found(2));
        AssertNotLinearizable([FirstPut, early, Lost(1, 4, Put(2))], misfit: early);
    }

    [Fact]
    public void An_unknown_write_takes_effect_at_most_once() =>
        AssertNotLinearizable(
            [FirstPut, Lost(1, 2, Put(2)), Op(2, 3, 4, Get, Found(2)), Op(2, 5, 6, Put(3), Written()), Op(2, 7, 8, Get, Found(2))]);

    [Fact]
    public void The_return_time_of_an_unknown_write_means_nothing() =>
        AssertLinearizable(FirstPut, Op(1, 2, 3, Put(2), RegisterOutcome.Unknown), Op(2, 5, 6, Get, Found(1)), Op(2, 7, 8, Get, Found(2)));

    [Fact]
    public void An_unknown_read_says_nothing() => AssertLinearizable(FirstPut, Lost(1, 2, Get));

    [Fact]
    public void An_unknown_write_explains_a_previous_revision()
    {
        Operation next = Op(2, 5, 6, Put(3), Written(7, 4));
        AssertLinearizable(FirstPut, Lost(1, 2, Put(2)), next);
        AssertNotLinearizable([FirstPut, next], misfit: next);
        AssertNotLinearizable([FirstPut, Lost(1, 2, Put(2)), next, Op(2, 7, 8, Get, Found(2))]);
    }

    [Fact]
    public void Two_unknown_writes_explain_two_previous_revisions_and_no_third()
    {
        Operation[] lost = [Lost(1, 2, Put(2)), Lost(2, 2, Put(3))];
        Operation[] writes = [Op(3, 5, 6, Put(4), Written(7, 4)), Op(3, 7, 8, Put(5), Written(20, 9))];
        AssertLinearizable([FirstPut, .. lost, .. writes]);
        AssertNotLinearizable([FirstPut, .. lost, .. writes, Op(3, 9, 10, Put(6), Written(30, 25))]);
    }

    [Fact]
    public void An_unknown_delete_may_have_happened()
    {
        AssertLinearizable(FirstPut, Lost(1, 2, Delete), Op(2, 3, 4, Get, Found(1)), Op(2, 5, 6, Get, Absent));
        AssertLinearizable(FirstPut, Lost(1, 2, Delete), Op(2, 5, 6, PutIfNoneMatch(2), Written(3, 0)));
        AssertNotLinearizable([FirstPut, Lost(1, 2, Delete), Op(2, 5, 6, PutIfNoneMatch(2), Written(2, 0))]);
        AssertNotLinearizable([FirstPut, Lost(1, 2, Delete), Op(2, 3, 4, Get, Absent), Op(2, 5, 6, Get, Found(1))]);
    }

    [Fact]
    public void An_unknown_if_match_takes_effect_only_on_its_revision()
    {
        AssertLinearizable(FirstPut, Lost(1, 2, PutIfMatch(2, 1)), Op(2, 3, 4, Get, Found(2)));
        AssertNotLinearizable([FirstPut, Lost(1, 2, PutIfMatch(2, 3)), Op(2, 3, 4, Get, Found(2))]);
        AssertNotLinearizable([FirstPut, Op(0, 2, 3, Put(2), Written(3)), Lost(1, 4, DeleteIfMatch(1)), Op(2, 5, 6, Get, Absent)]);
    }

    [Fact]
    public void An_unknown_if_match_fixes_an_unknown_revision()
    {
        // v2 is at 5 if v3 was written over it, so the write after v3 has at least 7.
        Operation[] chain = [FirstPut, Lost(1, 2, Put(2)), Lost(2, 2, PutIfMatch(3, 5)), Op(3, 4, 5, Get, Found(3))];
        AssertLinearizable([.. chain, Op(3, 6, 7, Put(4), Written(7))]);
        AssertNotLinearizable([.. chain, Op(3, 6, 7, Put(4), Written(6))]);
    }

    [Fact]
    public void Of_two_unknown_if_match_on_one_revision_at_most_one_takes_effect()
    {
        Operation[] rivals = [FirstPut, Lost(1, 2, PutIfMatch(2, 1)), Lost(2, 2, PutIfMatch(3, 1))];
        AssertLinearizable([.. rivals, Op(3, 4, 5, Get, Found(3))]);
        AssertNotLinearizable([.. rivals, Op(3, 4, 5, Get, Found(3)), Op(3, 6, 7, Get, Found(2))]);
    }

    [Fact]
    public void An_unknown_creation_needs_an_absent_key()
    {
        AssertLinearizable(Lost(1, 0, PutIfNoneMatch(2)), Op(2, 3, 4, Get, Found(2)));
        AssertNotLinearizable([FirstPut, Lost(1, 2, PutIfNoneMatch(2)), Op(2, 3, 4, Get, Found(2))]);
        AssertLinearizable(FirstPut, Lost(1, 2, PutIfNoneMatch(2)), Lost(1, 2, Delete), Op(2, 3, 4, Get, Found(2)));
    }

    [Fact]
    public void An_unknown_write_explains_a_refusal()
    {
        Operation refused = Op(2, 3, 4, PutIfMatch(3, 1), Refused());
        AssertLinearizable(FirstPut, Lost(1, 2, Put(2)), refused);
        AssertNotLinearizable([FirstPut, refused], misfit: refused);
        AssertNotLinearizable([FirstPut, Lost(1, 2, Put(2)), refused, Op(2, 5, 6, Get, Found(1))]);
    }

    [Fact]
    public void An_unknown_write_used_too_early_in_one_order_is_still_there_in_another()
    {
        // Tried first: delete, put v2, the lost delete, put v3. That leaves nothing to explain the key's absence at the end;
        // put v2, delete, put v3 reaches the same state and saves the lost delete for it.
        AssertLinearizable(
            FirstPut,
            Lost(1, 2, Delete),
            Op(2, 3, 9, Delete, Deleted()), Op(3, 4, 9, Put(2), Written()), Op(4, 5, 9, PutIfNoneMatch(3), Written(10)),
            Op(5, 10, 11, Get, Found(3, 10)), Op(5, 12, 13, Get, Absent));
    }

    [Fact]
    public void Unknown_writes_of_which_one_may_have_been_seen_are_told_apart()
    {
        // v2 has two writers, so the get does not say which of them it saw.
        AssertLinearizable(
            FirstPut, Lost(1, 2, Put(3)), Lost(2, 3, Put(2)), Op(3, 5, 6, Get, Found(2)), Op(4, 8, 9, Put(2), Written()));
    }

    [Fact]
    public void A_value_written_twice_by_a_wrong_history_is_judged_all_the_same() =>
        AssertLinearizable(FirstPut, Lost(1, 2, Put(2)), Op(2, 3, 4, Put(2), Written(2, 1)), Op(3, 5, 6, Get, Found(2, 2)));
}
