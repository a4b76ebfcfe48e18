using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;
using static RaftKv.Checking.Tests.Histories;

namespace RaftKv.Checking.Tests;

/// <summary>Small histories of known verdict in which every answer arrived. Design §3.1, §9.</summary>
public sealed class RegisterHistoryTests
{
    [Fact]
    public void No_operations_are_linearizable() => AssertLinearizable();

    [Fact]
    public void A_write_is_read_back() => AssertLinearizable(FirstPut, Op(1, 2, 3, Get, Found(1, 1)));

    [Fact]
    public void A_read_of_a_value_never_written_is_not() =>
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Get, Found(9))]);

    [Fact]
    public void A_stale_read_is_not()
    {
        Operation stale = Op(2, 4, 5, Get, Found(1, 1));
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Put(2), Written(2, 1)), stale], misfit: stale);
    }

    [Fact]
    public void A_read_concurrent_with_a_write_may_see_either_value()
    {
        Operation put = Op(1, 2, 10, Put(2), Written(2, 1));
        AssertLinearizable(FirstPut, put, Op(2, 3, 4, Get, Found(1, 1)));
        AssertLinearizable(FirstPut, put, Op(2, 3, 4, Get, Found(2, 2)));
    }

    [Fact]
    public void Reads_one_after_the_other_never_go_back()
    {
        Operation back = Op(2, 5, 6, Get, Found(1, 1));
        AssertNotLinearizable([FirstPut, Op(1, 2, 10, Put(2), Written(2, 1)), Op(2, 3, 4, Get, Found(2, 2)), back], misfit: back);
    }

    [Fact]
    public void A_return_and_a_call_at_the_same_time_are_concurrent() =>
        AssertLinearizable(FirstPut, Op(1, 2, 3, Put(2), Written(2, 1)), Op(2, 3, 4, Get, Found(1, 1)));

    [Fact]
    public void An_operation_may_take_no_time() =>
        AssertLinearizable(FirstPut, Op(1, 5, 5, Put(2), Written(2, 1)), Op(2, 5, 5, Get, Found(1, 1)), Op(3, 5, 5, Get, Found(2, 2)));

    [Fact]
    public void A_read_before_the_first_write_finds_nothing()
    {
        AssertLinearizable(Op(1, -3, -2, Get, Absent), FirstPut);
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Get, Absent)]);
    }

    [Fact]
    public void A_lost_update_shows_in_the_previous_revisions()
    {
        // Both say that they replaced revision 1; nobody reads.
        AssertNotLinearizable([FirstPut, Op(1, 2, 9, Put(2), Written(2, 1)), Op(2, 2, 9, Put(3), Written(3, 1))]);
        AssertLinearizable(FirstPut, Op(1, 2, 9, Put(2), Written(2, 1)), Op(2, 2, 9, Put(3), Written(3, 2)));
    }

    [Fact]
    public void A_lost_update_shows_in_a_later_read() =>
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Put(2), Written()), Op(1, 4, 5, Put(3), Written()), Op(2, 6, 7, Get, Found(2))]);

    [Fact]
    public void A_revision_never_goes_back()
    {
        AssertNotLinearizable([Op(0, 0, 1, Put(1), Written(5)), Op(1, 2, 3, Put(2), Written(4))]);
        AssertNotLinearizable([Op(0, 0, 1, Put(1), Written(5)), Op(1, 2, 3, Put(2), Written(5))]);
    }

    [Fact]
    public void Revisions_of_concurrent_writes_say_their_order()
    {
        Operation later = Op(0, 0, 9, Put(1), Written(8));
        Operation earlier = Op(1, 0, 9, Put(2), Written(3));
        AssertLinearizable(later, earlier, Op(2, 10, 11, Get, Found(1, 8)));
        AssertNotLinearizable([later, earlier, Op(2, 10, 11, Get, Found(2, 3))]);
    }

    [Fact]
    public void Revisions_are_of_the_shard_so_a_key_may_skip_some() =>
        AssertLinearizable(Op(0, 0, 1, Put(1), Written(17, 0)), Op(1, 2, 3, Put(2), Written(90, 17)), Op(2, 4, 5, Get, Found(2, 90)));

    [Fact]
    public void The_first_revision_is_at_least_one() => AssertNotLinearizable([Op(0, 0, 1, Put(1), Written(0))]);

    [Fact]
    public void A_read_must_report_the_revision_of_the_value_it_found() =>
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Get, Found(1, 2))]);

    [Fact]
    public void A_deleted_key_does_not_reappear()
    {
        Operation ghost = Op(1, 4, 5, Get, Found(1, 1));
        AssertNotLinearizable([FirstPut, Op(0, 2, 3, Delete, Deleted(2, 1)), ghost], misfit: ghost);
        AssertLinearizable(FirstPut, Op(0, 2, 3, Delete, Deleted(2, 1)), Op(1, 4, 5, Get, Absent));
    }

    [Fact]
    public void Revisions_grow_over_delete_and_creation()
    {
        Operation delete = Op(0, 2, 3, Delete, Deleted(2, 1));
        AssertLinearizable(FirstPut, delete, Op(0, 4, 5, PutIfNoneMatch(2), Written(3, 0)));
        AssertNotLinearizable([FirstPut, delete, Op(0, 4, 5, PutIfNoneMatch(2), Written(1, 0))]);
        AssertNotLinearizable([FirstPut, delete, Op(0, 4, 5, Put(2), Written(2, 0))]);
    }

    [Fact]
    public void A_put_over_a_deleted_key_replaces_nothing()
    {
        Operation delete = Op(0, 2, 3, Delete, Deleted(2, 1));
        AssertLinearizable(FirstPut, delete, Op(0, 4, 5, Put(2), Written(3, 0)));
        AssertNotLinearizable([FirstPut, delete, Op(0, 4, 5, Put(2), Written(3, 1))]);
        AssertNotLinearizable([FirstPut, Op(0, 4, 5, Put(2), Written(3, 0))]);
    }

    [Fact]
    public void A_delete_says_whether_there_was_something()
    {
        AssertLinearizable(Op(0, 0, 1, Delete, NothingDeleted));
        AssertNotLinearizable([Op(0, 0, 1, Delete, Deleted())]);
        AssertNotLinearizable([FirstPut, Op(0, 2, 3, Delete, NothingDeleted)]);
        AssertNotLinearizable([FirstPut, Op(1, 2, 9, Delete, Deleted()), Op(2, 2, 9, Delete, Deleted())]);
        AssertLinearizable(FirstPut, Op(1, 2, 9, Delete, Deleted()), Op(2, 2, 9, Delete, NothingDeleted));
    }

    [Fact]
    public void A_delete_of_nothing_takes_no_revision() =>
        AssertNotLinearizable([Op(0, 0, 1, Delete, NothingDeleted with { Revision = 1 })]);

    [Fact]
    public void A_failed_operation_does_not_count()
    {
        AssertLinearizable(FirstPut, Op(1, 2, 3, Put(2), Failed), Op(2, 4, 5, Get, Found(1, 1)));
        AssertLinearizable(FirstPut, Op(1, 2, 3, Get, Failed));
        AssertNotLinearizable([FirstPut, Op(1, 2, 3, Put(2), Failed), Op(2, 4, 5, Get, Found(2))]);
    }

    [Fact]
    public void A_definite_outcome_learnt_from_a_log_counts_at_any_time_after_the_call()
    {
        Operation proved = Op(1, 2, Operation.Never, Put(2), Written(2, 1));
        AssertLinearizable(FirstPut, proved, Op(2, 3, 4, Get, Found(1, 1)), Op(2, 5, 6, Get, Found(2, 2)));
        AssertNotLinearizable([FirstPut, proved, Op(2, 3, 4, Put(3), Written(3, 1))]);
    }
}
