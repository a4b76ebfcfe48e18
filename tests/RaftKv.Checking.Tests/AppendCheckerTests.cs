using RaftKv.Checking.Append;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Lists under "a", appended to by guarded transactions. Where times do not matter everything is concurrent, from 0 to 100.</summary>
public sealed class AppendCheckerTests
{
    [Fact]
    public void Appends_and_reads_in_one_order_are_valid() =>
        AssertValid(Check(Txn(0, 10, W("a", "1")), Txn(20, 30, W("a", "1,2"), W("ab", "3")), Txn(40, 50, R("a", "1,2"), R("ab", "3"))));

    [Fact]
    public void An_element_of_a_transaction_that_had_no_effect_is_not_read()
    {
        ClientCall failed = Asked(CallKind.Txn, KvOperation.Put("a", "1")).FailedDuring(0, 10);
        AssertInvalid(Check(failed, Txn(20, 30, R("a", "1"))), "aborted read (G1a): 1 is in \"a\"", calls: 2);
        ClientCall elsewhere = (Asked(CallKind.Txn, KvOperation.Put("a", "1")) with { Else = [KvOperation.Get("a")] }).During(0, 10, Found("a", null, index: 1)) with { Succeeded = false };
        AssertInvalid(Check(elsewhere, Txn(20, 30, R("a", "1"))), "aborted read (G1a)", calls: 2);
    }

    [Fact]
    public void An_element_that_nobody_appended_is_not_read() => AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(20, 30, R("a", "1,2"))), "phantom: 2 is in \"a\", and nobody appended it", calls: 1);

    [Fact]
    public void An_element_is_in_a_list_once() => AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(20, 30, R("a", "1,1"))), "duplicate: 1 is in \"a\" twice: [1, 1]", calls: 2);

    [Fact]
    public void Two_appends_to_one_version_lose_one() =>
        AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(20, 30, W("a", "1,2")), Txn(20, 30, W("a", "1,3")), Txn(40, 50, R("a", "1,3"))), "lost update: 2 and 3 were both appended to \"a\" when it had 1 elements", calls: 2);

    [Fact]
    public void Reads_that_are_no_prefixes_of_each_other_are_of_incompatible_orders() =>
        AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(12, 14, W("a", "1,2")), Txn(15, 16, W("a", "1,2,3")), Txn(20, 30, R("a", "1,3"))), "incompatible order: \"a\" was [1, 3], and it was [1, 2, 3]", calls: 2);

    [Fact]
    public void A_value_that_is_no_list_is_garbage() => AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(20, 30, R("a", "x"))), "\"x\", which is no list of numbers", calls: 1);

    [Fact]
    public void What_a_transaction_reads_twice_is_the_same() =>
        AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(0, 30, R("a", "1"), R("a", null))), "internal: a transaction read [1] of \"a\" and then read []", calls: 1);

    [Fact]
    public void What_a_transaction_wrote_it_reads()
    {
        AssertValid(Check(Txn(0, 10, W("a", "1"), R("a", "1"))));
        AssertInvalid(Check(Txn(0, 10, W("a", "1"), R("a", null))), "internal: a transaction wrote [1] of \"a\" and then read []", calls: 1);
    }

    [Fact]
    public void What_a_transaction_appends_it_has_not_read_before() =>
        AssertInvalid(Check(Txn(0, 10, R("a", "1"), W("a", "1"))), "future read: a transaction read [1] of \"a\" before it appended 1 itself", calls: 1);

    [Fact]
    public void A_transaction_appends_to_what_it_read() =>
        AssertInvalid(Check(Txn(0, 10, W("a", "1")), Txn(12, 14, W("a", "1,2")), Txn(20, 30, R("a", "1"), W("a", "1,2,3"))), "internal: a transaction read [1] of \"a\" and appended 3 to [1, 2]", calls: 1);

    [Fact]
    public void Two_transactions_that_each_write_behind_the_other_are_G0() => Assert.Equal(
        "T1 < T2, because T1 appended 1 to \"a\" and T2 appended 2 behind it; however T2 < T1, because T2 appended 4 to \"b\" and T1 appended 3 behind it: a contradiction (G0)",
        AssertInvalid(CheckAll(Txn(0, 100, W("a", "1"), W("b", "4,3")), Txn(0, 100, W("a", "1,2"), W("b", "4"))), "G0", calls: 2).Sentence);

    [Fact]
    public void Two_transactions_that_each_read_the_others_write_are_G1c() => Assert.Equal(
        "T1 < T2, because T1 appended 1 to \"a\" and T2 read [1]; however T2 < T1, because T2 appended 2 to \"b\" and T1 read [2]: a contradiction (G1c)",
        AssertInvalid(CheckAll(Txn(0, 100, W("a", "1"), R("b", "2")), Txn(0, 100, W("b", "2"), R("a", "1"))), "G1c", calls: 2).Sentence);

    [Fact]
    public void A_read_of_half_a_transaction_is_G_single() => Assert.Equal(
        "T1 < T2, because T1 appended 1 to \"a\" and T2 read [1]; however T2 < T1, because T2 read [] of \"b\" and T1 appended 2 behind that: a contradiction (G-single)",
        AssertInvalid(CheckAll(Txn(0, 100, W("a", "1"), W("b", "2")), Txn(0, 100, R("a", "1"), R("b", null))), "G-single", calls: 2).Sentence);

    [Fact]
    public void Write_skew_is_G2_item() => AssertInvalid(
        CheckAll(Txn(0, 100, R("a", null), W("b", "2")), Txn(0, 100, R("b", null), W("a", "1"))), "a contradiction (G2-item)", calls: 2);

    [Fact]
    public void A_long_fork_is_G_nonadjacent() => AssertInvalid(
        CheckAll(Txn(0, 100, W("a", "1")), Txn(0, 100, W("b", "2")), Txn(0, 100, R("a", "1"), R("b", null)), Txn(0, 100, R("a", null), R("b", "2"))), "a contradiction (G-nonadjacent)", calls: 4);

    [Fact]
    public void A_process_that_goes_back_is_found_though_its_calls_touch()
    {
        ClientCall write = Txn(0, 10, W("a", "1"));
        AssertInvalid(CheckAll(write.By(1), Txn(5, 20, R("a", "1")).By(2), Txn(20, 30, R("a", null)).By(2)), "(G-single-process)", calls: 3);
    }

    [Fact]
    public void A_stale_read_is_G_single_realtime() => Assert.Equal(
        "T1 < T2, because T1 had returned 10 µs before T2 was called; however T2 < T1, because T2 read [] of \"a\" and T1 appended 1 behind that: a contradiction (G-single-realtime)",
        AssertInvalid(CheckAll(Txn(0, 10, W("a", "1")).By(1), Txn(20, 30, R("a", null)).By(2)), "realtime", calls: 2).Sentence);

    [Fact]
    public void A_read_of_what_is_appended_later_is_G1c_realtime() => AssertInvalid(
        CheckAll(Txn(0, 10, R("a", "1")).By(1), Txn(20, 30, W("a", "1")).By(2)), "(G1c-realtime)", calls: 2);

    [Fact]
    public void A_stale_read_is_found_across_others_that_had_returned()
    {
        ClientCall[] between = [.. Enumerable.Range(1, 50).Select(i => Txn(10 * i + 1, 10 * i + 8, W($"a{i}", "1")).By(i % 3))];
        AssertInvalid(CheckAll([Txn(0, 9, W("a", "1")).By(1), .. between, Txn(600, 610, R("a", null)).By(4)]), "(G-single-realtime)");
    }

    [Fact]
    public void An_unknown_append_counts_once_it_is_seen()
    {
        ClientCall unknown = Asked(CallKind.Txn, KvOperation.Put("a", "1"), KvOperation.Put("b", "2")).UnknownFrom(0);
        AssertValid(Check(unknown, Txn(0, 5, W("c", "9")), Txn(20, 30, R("c", "9"), R("a", null), R("b", null)), Txn(40, 50, R("a", "1"), R("b", "2"))));
        AssertInvalid(CheckAll(unknown, Txn(40, 50, R("a", "1"), R("b", null))), "(G-single)", calls: 2);
        // Seen in one list it has happened; so the other list cannot have gone another way.
        AssertInvalid(CheckAll(unknown, Txn(0, 30, W("b", "3")), Txn(40, 50, R("a", "1"))), "lost update", calls: 2);
    }

    [Fact]
    public void Attempts_under_one_key_are_one_append()
    {
        ClientCall append = Asked(CallKind.Txn, KvOperation.Put("a", "1")).Keyed("i");
        AssertValid(Check(append.UnknownFrom(0), append.During(20, 30, Written("a", 1)) with { IsReplay = true }, Txn(5, 6, R("a", "1")), Txn(40, 50, R("a", "1"))));
    }

    [Fact]
    public void Without_a_last_read_nothing_is_known()
    {
        AssertUnknown(AppendChecker.Check([Txn(0, 10, W("a", "1"))], "a"), "1 lists were not read after their last append");
        AssertUnknown(AppendChecker.Check([Txn(0, 10, R("a", null))], "a"), "no append was acknowledged");
    }

    [Fact]
    public void Bad_histories_are_the_harnesss_fault()
    {
        Assert.Throws<ArgumentException>(() => Check(Open(W("a", "1")), Txn(0, 10, W("a", "1"))));
        Assert.Throws<ArgumentException>(() => Check(Delete(0, 10, "a", 1, 1)));
        Assert.Throws<ArgumentException>(() => Check(Asked(CallKind.Batch, KvOperation.Get("a")).During(0, 1, Found("a", null))));
    }

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(4_000, Workloads.Append, history => AppendChecker.Check(history, "a"));

    [Theory]
    [InlineData(Lie.HalvesTransactions, 75)]
    [InlineData(Lie.LosesWrites, 75)]
    [InlineData(Lie.ReadsOldStates, 80)]
    [InlineData(Lie.IgnoresConditions, 60)]
    [InlineData(Lie.KeepsFailedWrites, 25)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Append, history => AppendChecker.Check(history, "a"));

    /// <summary>With a last read of the list "a".</summary>
    private static CheckVerdict Check(params ClientCall[] history)
    {
        string? longest = history.SelectMany(call => call.Operations.Where(operation => operation.Key == "a" && call.Outcome == OutcomeKind.Ok).Select(operation => operation.Value).Concat(call.Results.Select(result => result.Key == "a" ? result.Value : null)))
            .MaxBy(value => value?.Length ?? 0);
        string? ab = history.SelectMany(call => call.Operations).FirstOrDefault(operation => operation.Key is "ab" or "c")?.Value;
        string other = history.SelectMany(call => call.Operations).FirstOrDefault(operation => operation.Key is "ab" or "c")?.Key ?? "a";
        KvResult[] reads = other == "a" ? [Found("a", longest, 1)] : [Found("a", longest, 1), Found(other, ab, 1)];
        ClientCall last = Asked(CallKind.Txn, [.. reads.Select(read => KvOperation.Get(read.Key))]).During(900, 910, reads).By(90);
        return AppendChecker.Check([.. history.Select((call, i) => call.Process == 0 ? call.By(100 + i) : call), last], "");
    }

    private static CheckVerdict CheckAll(params ClientCall[] history) => AppendChecker.Check([.. history.Select((call, i) => call.Process == 0 ? call.By(100 + i) : call)], "");

    private static (KvOperation Asked, string? Value) W(string key, string value) => (KvOperation.Put(key, value), value);

    private static (KvOperation Asked, string? Value) R(string key, string? value) => (KvOperation.Get(key), value);

    private static ClientCall Txn(long from, long to, params (KvOperation Asked, string? Value)[] steps) =>
        Asked(CallKind.Txn, [.. steps.Select(step => step.Asked)]).During(from, to, [.. steps.Select(step => step.Asked.Kind == RequestKind.Put ? Written(step.Asked.Key, 1) : Found(step.Asked.Key, step.Value, 1))]);

    private static ClientCall Open(params (KvOperation Asked, string? Value)[] steps) => Asked(CallKind.Txn, [.. steps.Select(step => step.Asked)]).UnknownFrom(0);
}
