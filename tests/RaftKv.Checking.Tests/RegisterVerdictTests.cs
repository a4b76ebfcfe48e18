using RaftKv.Checking.Histories;
using RaftKv.Checking.Replay;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Calls of every kind, taken apart into operations on single keys and judged by both checkers of registers.</summary>
public sealed class RegisterVerdictTests
{
    [Fact]
    public void A_stale_read_is_convicted_by_both_and_points_at_its_calls()
    {
        ClientCall[] history = [Put(0, 10, "k", "a", 1), Put(20, 30, "k", "b", 2, 1), Get(40, 50, "k", "a", 1, index: 2)];
        Finding replay = AssertInvalid(ReplayVerdict.Check(history), "was answered v1, revision 1, but the key was v2 at revision 2");
        Assert.Contains(history[2], replay.Calls);
        Assert.Contains(history[1], replay.Calls);
        Assert.Contains("v1 = \"a\"", replay.Detail, StringComparison.Ordinal);
        Finding search = AssertInvalid(LinearizabilityVerdict.Check(history), "no order of the operations on \"k\" explains all answers");
        Assert.Contains(history[2], search.Calls);
    }

    [Fact]
    public void A_history_of_which_nothing_was_answered_is_unknown()
    {
        ClientCall[] history = [AskPut("k", "a").UnknownFrom(0)];
        AssertUnknown(ReplayVerdict.Check(history), "no operation was answered with its position");
        AssertUnknown(LinearizabilityVerdict.Check(history), "no operation was answered");
    }

    [Fact]
    public void Attempts_under_one_key_are_one_write()
    {
        ClientCall[] history =
        [
            AskPut("k", "a").UnknownFrom(0).Keyed("i"),
            Put(20, 30, "k", "b", 2, 1),
            Put(40, 50, "k", "a", 1).Keyed("i", isReplay: true), // It had been applied before the other.
            Get(60, 70, "k", "b", 2),
        ];
        AssertBothValid(history);
        AssertBothInvalid([.. history, Get(80, 90, "k", "a", 1, index: 2)]);
        Operation put = Assert.Single(RegisterHistory.Of(history).Operations, operation => operation.Outcome == RegisterOutcome.Written(1, 0));
        Assert.Equal((0, 50), (put.Call, put.Return));
    }

    [Fact]
    public void Attempts_that_all_failed_had_no_effect()
    {
        ClientCall[] failed = [AskPut("k", "a").FailedDuring(0, 5).Keyed("i"), AskPut("k", "a").FailedDuring(10, 15).Keyed("i")];
        ClientCall seen = Get(20, 30, "k", "a", 1);
        AssertBothInvalid([.. failed, seen]);
        AssertBothValid([.. failed, AskPut("k", "a").UnknownFrom(12).Keyed("i"), seen]);
    }

    [Fact]
    public void A_write_may_take_effect_only_until_its_first_definite_answer()
    {
        ClientCall[] attempts = [Put(0, 10, "k", "a", 1).Keyed("i"), Put(100, 110, "k", "a", 1).Keyed("i", isReplay: true)];
        AssertBothInvalid([.. attempts, Get(20, 30, "k", null, index: 0)]);
    }

    [Fact]
    public void Items_of_a_batch_are_judged_each_for_itself()
    {
        ClientCall batch = Asked(CallKind.Batch, KvOperation.Put("a", "1"), KvOperation.Put("b", "1"), KvOperation.Get("c"))
            .During(0, 10, Written("a", 1), Refused("b", 0, 1) with { Outcome = OutcomeKind.Unknown }, Found("c", null, index: 1));
        AssertBothValid([batch, Get(20, 30, "a", "1", 1), Get(20, 30, "b", null, index: 1)]);
        AssertBothValid([batch, Get(20, 30, "a", "1", 1), Get(20, 30, "b", "1", 2)]);
        AssertBothInvalid([batch, Get(20, 30, "a", null, index: 1)]);
    }

    [Fact]
    public void Writes_of_a_batch_stand_in_its_entry_in_their_order()
    {
        ClientCall batch = Asked(CallKind.Batch, KvOperation.Put("a", "1"), KvOperation.Put("a", "2")).During(0, 10, Written("a", 1, 0, index: 7), Written("a", 2, 1, index: 7));
        AssertBothValid([batch, Get(20, 30, "a", "2", 2, index: 7)]);
    }

    [Fact]
    public void A_transactions_comparison_is_the_condition_of_the_write_it_guards()
    {
        ClientCall txn = Asked(CallKind.Txn, KvOperation.Put("a", "2"), KvOperation.Put("b", "2")) with { Compares = [new KvCompare("a", 1)] };
        AssertBothValid([Put(0, 10, "a", "1", 1), txn.During(20, 30, Written("a", 2, 1), Written("b", 2, 0))]);
        AssertBothInvalid([Put(0, 10, "a", "1", 1), Put(12, 14, "a", "x", 2, 1), txn.During(20, 30, Written("a", 3, 2), Written("b", 3, 0))]);
    }

    [Fact]
    public void The_branch_else_shows_what_the_comparison_met()
    {
        ClientCall txn = Asked(CallKind.Txn, KvOperation.Put("a", "2")) with { Compares = [new KvCompare("a", 1)], Else = [KvOperation.Get("a")] };
        ClientCall first = Put(0, 10, "a", "1", 1);
        ClientCall second = Put(11, 12, "a", "x", 2, 1);
        AssertBothValid([first, second, txn.During(20, 30, Found("a", "x", 2, index: 3)) with { Succeeded = false }]);
        AssertBothInvalid([first, txn.During(20, 30, Found("a", "1", 1, index: 3)) with { Succeeded = false }]); // The comparison held.
    }

    [Fact]
    public void A_get_in_a_transaction_sees_the_writes_before_it()
    {
        ClientCall txn = Asked(CallKind.Txn, KvOperation.Put("a", "2"), KvOperation.Get("a"));
        AssertBothValid([txn.During(0, 10, Written("a", 1), Found("a", "2", 1))]);
    }

    [Fact]
    public void Of_an_unknown_transaction_either_branch_may_have_happened()
    {
        ClientCall txn = (Asked(CallKind.Txn, KvOperation.Put("a", "then")) with { Else = [KvOperation.Put("a", "else")] }).UnknownFrom(0);
        AssertBothValid([txn, Get(10, 20, "a", "then", 1)]);
        AssertBothValid([txn, Get(10, 20, "a", "else", 1)]);
        AssertBothInvalid([txn, Get(10, 20, "a", "other", 1)]);
    }

    [Fact]
    public void What_a_list_finds_is_read_and_all_of_a_shard_at_the_first_index()
    {
        ClientCall a = Put(0, 10, "a", "1", 1);
        ClientCall b = Put(0, 10, "b", "1", 2);
        ClientCall later = Put(21, 24, "b", "2", 3, 2);
        // The second key came with a later page, of the state of the first.
        AssertBothValid([a, b, later, List(20, 30, "", Found("a", "1", 1, index: 2), Found("b", "1", 2, index: 3))]);
        AssertBothInvalid([a, b, List(20, 30, "", Found("a", "0", 1, index: 2))]);
    }

    [Fact]
    public void Keys_with_a_ttl_and_stale_reads_are_left_to_others()
    {
        ClientCall lived = AskPut("t", "1", ttl: 1).During(0, 10, Written("t", 1));
        ClientCall stale = AskGet("k", Freshness.Stale).During(40, 50, Found("k", null, index: 0)) with { AgeMillis = 1 };
        RegisterHistory history = RegisterHistory.Of([lived, Get(20, 30, "t", null, index: 2), Put(20, 30, "k", "a", 2), stale]);
        Assert.Equal("k", Assert.Single(history.Operations).Key);
        Assert.Contains("t", history.KeysWithTtl);
    }

    [Fact]
    public void An_answered_write_without_position_is_of_unknown_place_to_the_replay_only()
    {
        ClientCall put = AskPut("k", "a").During(0, 10, Written("k", 1) with { Position = null });
        AssertBothValid([put, Get(20, 30, "k", "a", 1)]);
        AssertInvalid(LinearizabilityVerdict.Check([put, Get(20, 30, "k", null, index: 1)]), "explains");
        AssertValid(ReplayVerdict.Check([put, Get(20, 30, "k", null, index: 1)]));
    }

    [Fact]
    public void Every_execution_of_a_model_with_all_kinds_of_calls_is_valid()
    {
        for (int seed = 0; seed < 2_000; seed++)
        {
            IReadOnlyList<ClientCall> history = Workloads.Registers(seed, Lie.None, out _);
            CheckVerdict replay = ReplayVerdict.Check(history);
            Assert.True(replay.Finding is null, $"seed {seed}: {replay.Finding?.Sentence}\n{replay.Finding?.Detail}");
            CheckVerdict search = LinearizabilityVerdict.Check(history);
            Assert.True(search.Finding is null, $"seed {seed}: {search.Finding?.Sentence}\n{search.Finding?.Detail}");
        }
    }

    [Theory]
    [InlineData(Lie.LosesWrites)]
    [InlineData(Lie.ReadsOldStates)]
    [InlineData(Lie.KeepsFailedWrites)]
    [InlineData(Lie.IgnoresConditions)]
    [InlineData(Lie.HalvesTransactions)]
    [InlineData(Lie.ForgetsKeys)]
    internal void A_lying_model_is_convicted_by_both_when_it_shows(Lie lie)
    {
        (int lied, int byReplay, int bySearch) = (0, 0, 0);
        for (int seed = 0; seed < 300; seed++)
        {
            IReadOnlyList<ClientCall> history = Workloads.Registers(seed, lie, out int lies);
            if (lies == 0) continue;
            lied++;
            if (ReplayVerdict.Check(history).Finding is not null) byReplay++;
            if (LinearizabilityVerdict.Check(history).Finding is not null) bySearch++;
        }

        Assert.InRange(lied, 15, 300);
        Assert.InRange(byReplay, lied / 5, lied);
        Assert.InRange(bySearch, lied / 6, lied);
    }

    private static void AssertBothValid(ClientCall[] history)
    {
        AssertValid(ReplayVerdict.Check(history));
        AssertValid(LinearizabilityVerdict.Check(history));
    }

    private static void AssertBothInvalid(ClientCall[] history)
    {
        Assert.NotNull(ReplayVerdict.Check(history).Finding);
        Assert.NotNull(LinearizabilityVerdict.Check(history).Finding);
    }
}
