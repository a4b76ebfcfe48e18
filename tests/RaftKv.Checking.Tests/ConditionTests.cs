using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>Conditional writes whose answers arrived: success changes the key, refusal is a read.</summary>
public sealed class ConditionTests
{
    [Fact]
    public void Of_two_if_match_on_one_revision_one_succeeds()
    {
        Operation first = Op(1, 2, 9, PutIfMatch(2, 1), Written(2, 1));
        AssertLinearizable(FirstPut, first, Op(2, 2, 9, PutIfMatch(3, 1), Refused(2)));
        AssertNotLinearizable([FirstPut, first, Op(2, 2, 9, PutIfMatch(3, 1), Written(3, 1))]);
        AssertNotLinearizable([FirstPut, Op(1, 2, 9, PutIfMatch(2, 1), Written()), Op(2, 2, 9, DeleteIfMatch(1), Deleted())]);
    }

    [Fact]
    public void Of_two_creations_one_succeeds()
    {
        Operation first = Op(1, 0, 9, PutIfNoneMatch(1), Written());
        AssertLinearizable(first, Op(2, 0, 9, PutIfNoneMatch(2), Refused()));
        AssertNotLinearizable([first, Op(2, 0, 9, PutIfNoneMatch(2), Written())]);
    }

    [Fact]
    public void A_refusal_must_name_the_revision_that_was_current()
    {
        AssertLinearizable(FirstPut, Op(1, 2, 3, PutIfMatch(2, 7), Refused(1)));
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfMatch(2, 7), Refused(3))]);
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfMatch(2, 7), Refused(0))]);
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfNoneMatch(2), Refused(0))]);
    }

    [Fact]
    public void A_condition_that_holds_is_not_refused()
    {
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfMatch(2, 1), Refused())]);
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfMatch(2, 1), Refused(1))]);
        AssertNotLinearizable([Op(1, 2, 3, PutIfNoneMatch(2), Refused())]);
    }

    [Fact]
    public void If_match_on_an_absent_key_is_refused()
    {
        AssertLinearizable(Op(0, 0, 1, PutIfMatch(1, 4), Refused(0)), Op(0, 2, 3, DeleteIfMatch(4), Refused()));
        AssertNotLinearizable([Op(0, 0, 1, PutIfMatch(1, 4), Written())]);
        AssertNotLinearizable([Op(0, 0, 1, DeleteIfMatch(4), NothingDeleted)]);
    }

    [Fact]
    public void If_match_on_the_revision_of_a_deletion_is_refused()
    {
        Operation delete = Op(0, 2, 3, Delete, Deleted(2, 1));
        AssertLinearizable(FirstPut, delete, Op(1, 4, 5, PutIfMatch(2, 2), Refused(0)));
        AssertNotLinearizable([FirstPut, delete, Op(1, 4, 5, PutIfMatch(2, 2), Written(3))]);
    }

    [Fact]
    public void A_delete_if_match_removes_that_version_only()
    {
        AssertLinearizable(FirstPut, Op(1, 2, 3, DeleteIfMatch(1), Deleted(2, 1)), Op(1, 4, 5, Get, Absent));
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, DeleteIfMatch(2), Deleted(3))]);
    }

    [Fact]
    public void A_successful_if_match_replaced_the_revision_it_named() =>
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, PutIfMatch(2, 1), Written(3, 2))]);

    [Fact]
    public void A_request_without_condition_is_not_refused() =>
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Put(2), Refused(1))]);
}
