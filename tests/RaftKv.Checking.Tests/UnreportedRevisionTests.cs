using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>Revisions that no answer reported: every history is accepted that some assignment of numbers explains, and no other.</summary>
public sealed class UnreportedRevisionTests
{
    private static readonly Operation _secondPut = Op(0, 2, 3, Put(2), Written());

    [Fact]
    public void A_read_fixes_the_revision_of_a_write()
    {
        Operation read = Op(1, 4, 5, Get, Found(2, 6));
        AssertLinearizable(FirstPut, _secondPut, read, Op(1, 6, 7, PutIfMatch(3, 6), Written(7)));
        AssertNotLinearizable([FirstPut, _secondPut, read, Op(1, 6, 7, PutIfMatch(3, 5), Written(7))]);
        AssertNotLinearizable([FirstPut, _secondPut, read, Op(1, 6, 7, Get, Found(2, 7))]);
    }

    [Fact]
    public void An_unreported_revision_is_larger_than_the_last() =>
        AssertNotLinearizable([FirstPut, _secondPut, Op(1, 4, 5, Get, Found(2, 1))]);

    [Fact]
    public void Every_unreported_revision_needs_room_below_the_next_reported_one()
    {
        Operation third = Op(0, 4, 5, Put(3), Written());
        AssertLinearizable(FirstPut, _secondPut, third, Op(0, 6, 7, Put(4), Written(4)));
        AssertNotLinearizable([FirstPut, _secondPut, third, Op(0, 6, 7, Put(4), Written(3))]);
        AssertNotLinearizable([FirstPut, _secondPut, third, Op(1, 6, 7, Get, Found(3, 2))]);
    }

    [Fact]
    public void A_deletion_needs_room_too()
    {
        Operation delete = Op(0, 4, 5, Delete, Deleted());
        AssertLinearizable(FirstPut, _secondPut, delete, Op(0, 6, 7, PutIfNoneMatch(4), Written(4)));
        AssertNotLinearizable([FirstPut, _secondPut, delete, Op(0, 6, 7, PutIfNoneMatch(4), Written(3))]);
    }

    [Fact]
    public void Success_of_if_match_fixes_the_revision_it_named()
    {
        AssertLinearizable(FirstPut, _secondPut, Op(1, 4, 5, PutIfMatch(3, 9), Written(10)));
        AssertNotLinearizable([FirstPut, _secondPut, Op(1, 4, 5, PutIfMatch(3, 9), Written(9))]);
        AssertNotLinearizable([FirstPut, _secondPut, Op(1, 4, 5, PutIfMatch(3, 1), Written(10))]);
    }

    [Fact]
    public void A_refusal_that_names_nothing_rules_its_revision_out()
    {
        Operation refused = Op(1, 4, 5, PutIfMatch(3, 4), Refused());
        AssertLinearizable(FirstPut, _secondPut, refused, Op(2, 6, 7, Get, Found(2, 5)));
        AssertNotLinearizable([FirstPut, _secondPut, refused, Op(2, 6, 7, Get, Found(2, 4))]);
        AssertNotLinearizable([FirstPut, _secondPut, refused, Op(2, 6, 7, DeleteIfMatch(4), Deleted())]);
    }

    [Fact]
    public void What_is_ruled_out_leaves_less_room()
    {
        // v2 has none of 2, 3 and 4, so it has at least 5 and the next write at least 6.
        Operation[] refusals = [.. new ulong[] { 3, 2, 4 }.Select((revision, i) => Op(1, 10 + i, 10 + i, PutIfMatch(3, revision), Refused()))];
        AssertLinearizable([FirstPut, _secondPut, .. refusals, Op(2, 20, 21, Put(4), Written(6))]);
        AssertNotLinearizable([FirstPut, _secondPut, .. refusals, Op(2, 20, 21, Put(4), Written(5))]);
    }

    [Fact]
    public void What_is_ruled_out_stays_so_when_a_smaller_revision_is_too()
    {
        Operation[] history = [FirstPut, _secondPut, Op(1, 4, 5, PutIfMatch(3, 5), Refused()), Op(1, 6, 7, PutIfMatch(3, 2), Refused())];
        AssertLinearizable([.. history, Op(2, 8, 9, PutIfNoneMatch(4), Refused(4))]);
        AssertNotLinearizable([.. history, Op(2, 8, 9, PutIfNoneMatch(4), Refused(5))]);
    }

    [Fact]
    public void A_refusal_of_a_revision_long_gone_says_nothing()
    {
        Operation[] history = [Op(0, 0, 1, Put(1), Written(5)), _secondPut, Op(1, 4, 5, PutIfMatch(3, 2), Refused())];
        AssertLinearizable([.. history, Op(2, 6, 7, PutIfNoneMatch(4), Refused(6))]);
        AssertNotLinearizable([.. history, Op(2, 6, 7, PutIfNoneMatch(4), Refused(4))]);
    }

    [Fact]
    public void What_was_ruled_out_for_one_value_is_free_for_the_next()
    {
        Operation refused = Op(1, 4, 5, PutIfMatch(3, 4), Refused());
        AssertLinearizable(FirstPut, _secondPut, refused, Op(2, 6, 7, Put(3), Written()), Op(2, 8, 9, Get, Found(3, 4)));
    }

    [Fact]
    public void A_refused_creation_fixes_the_revision_it_names()
    {
        AssertLinearizable(FirstPut, _secondPut, Op(1, 4, 5, PutIfNoneMatch(3), Refused(8)), Op(2, 6, 7, Get, Found(2, 8)));
        AssertNotLinearizable([FirstPut, _secondPut, Op(1, 4, 5, PutIfNoneMatch(3), Refused(8)), Op(2, 6, 7, Get, Found(2, 9))]);
    }

    [Fact]
    public void No_revision_follows_the_largest_number()
    {
        Operation largest = Op(0, 0, 1, Put(1), Written(ulong.MaxValue));
        Operation[] history = [largest, Op(0, 2, 3, Put(2), Written())];
        Assert.Equal(Verdict.NotLinearizable, LinearizabilityChecker.Check(history).Verdict);
    }
}
