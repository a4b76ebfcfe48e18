using RaftKv.Checking.Histories;
using RaftKv.Checking.Retries;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Writes repeated under idempotency keys.</summary>
public sealed class ExactlyOnceCheckerTests
{
    private static readonly ClientCall _first = Put(0, 10, "k", "a", 1).Keyed("i");

    [Fact]
    public void Every_attempt_is_told_the_same() => AssertValid(Check(_first, Put(20, 30, "k", "a", 1).Keyed("i", isReplay: true), ReadVersion(40, 1)));

    [Fact]
    public void Attempts_that_were_given_two_revisions_are_convicted() =>
        AssertInvalid(Check(_first, Put(20, 30, "k", "a", 2, 1).Keyed("i", isReplay: true), ReadVersion(40, 1)), "under the idempotency key \"i\" were told different things: \"k\" at revision 1, and at 2", calls: 2);

    [Fact]
    public void Attempts_that_were_given_two_positions_are_convicted() =>
        AssertInvalid(Check(_first, Put(20, 30, "k", "a", 1, index: 9).Keyed("i", isReplay: true)), "\"k\" at shard 1 index 1, and at shard 1 index 9", calls: 2);

    [Fact]
    public void An_attempt_that_was_refused_after_another_had_succeeded_is_convicted()
    {
        ClientCall refused = Asked(CallKind.Put, KvOperation.Put("k", "a").IfAbsent()).During(20, 30, Refused("k", 1, 2)).Keyed("i");
        AssertInvalid(Check(_first, refused), "told different things: ok, and refused", calls: 2);
    }

    [Fact]
    public void A_transaction_that_ran_two_branches_is_convicted()
    {
        ClientCall txn = (Asked(CallKind.Txn, KvOperation.Put("k", "a")) with { Compares = [new KvCompare("k", 0)], Else = [KvOperation.Get("k")] }).Keyed("i");
        AssertInvalid(Check(txn.During(0, 10, Written("k", 1)), txn.During(20, 30, Found("k", "a", 1)) with { Succeeded = false }), "one ran the branch then, the other else", calls: 2);
    }

    [Fact]
    public void Two_attempts_that_both_say_they_did_it_are_convicted() =>
        AssertInvalid(Check(_first, Put(20, 30, "k", "a", 1).Keyed("i")), "were both told that they did it, at shard 1 index 1", calls: 2);

    [Fact]
    public void The_one_that_did_it_may_have_lost_its_answer() =>
        AssertValid(Check(AskPut("k", "a").UnknownFrom(0).Keyed("i"), Put(20, 30, "k", "a", 1).Keyed("i", isReplay: true), Put(25, 35, "k", "a", 1).Keyed("i", isReplay: true), ReadVersion(40, 1)));

    [Fact]
    public void Two_writes_never_have_one_revision_of_a_shard()
    {
        ClientCall other = Put(20, 30, "l", "b", 1).Keyed("j");
        AssertInvalid(Check(_first, other), "two writes have revision 1 of shard 1", calls: 2);
        AssertValid(Check(_first, other.During(20, 30, Written("l", 1) with { Position = Position.OfWrite(2, 1) }), ReadVersion(40, 1), ReadVersion(40, 1, key: "l")));
    }

    [Fact]
    public void Writes_of_one_transaction_share_a_revision_and_items_of_a_batch_do_not()
    {
        KvOperation[] puts = [KvOperation.Put("k", "a"), KvOperation.Put("l", "a")];
        ClientCall[] reads = [ReadVersion(40, 1), ReadVersion(40, 1, key: "l")];
        AssertValid(Check([Asked(CallKind.Txn, puts).During(0, 10, Written("k", 1), Written("l", 1)), .. reads]));
        AssertInvalid(Check([Asked(CallKind.Batch, puts).During(0, 10, Written("k", 1), Written("l", 1)), .. reads]), "two writes have revision 1", calls: 1);
    }

    [Fact]
    public void A_version_counts_every_put_once()
    {
        ClientCall replay = Put(20, 30, "k", "a", 1).Keyed("i", isReplay: true);
        ClientCall second = Put(32, 34, "k", "b", 2, 1).Keyed("j");
        AssertValid(Check(_first, replay, second, ReadVersion(40, 2)));
        AssertInvalid(Check(_first, replay, second, ReadVersion(40, 3)), "but only 2 puts of it can have happened, 2 of them acknowledged: it was written more often than anybody asked", calls: 2);
        AssertInvalid(Check(_first, replay, second, ReadVersion(40, 1)), "\"k\" is at version 1 at 0.000040 s, but 2 puts of it were acknowledged before: 1 of them are lost", calls: 2);
        AssertInvalid(Check(_first, Get(40, 50, "k", null)), "\"k\" is at version 0", calls: 2);
    }

    [Fact]
    public void An_unknown_put_counts_once_or_not_at_all()
    {
        ClientCall[] unknown = [AskPut("k", "b").UnknownFrom(12).Keyed("j"), AskPut("k", "b").UnknownFrom(14).Keyed("j")];
        AssertValid(Check([_first, .. unknown, ReadVersion(40, 1)]));
        AssertValid(Check([_first, .. unknown, ReadVersion(40, 2)]));
        AssertInvalid(Check([_first, .. unknown, ReadVersion(40, 3)]), "only 2 puts of it can have happened, 1 of them acknowledged");
    }

    [Fact]
    public void Every_read_is_counted_not_only_the_last() =>
        AssertInvalid(Check(_first, ReadVersion(20, 2), Put(31, 32, "k", "b", 2, 1).Keyed("j"), ReadVersion(40, 2)), "only 1 puts of it can have happened");

    [Fact]
    public void Without_a_final_read_nothing_is_known()
    {
        AssertUnknown(Check(_first), "1 keys were not read after their last write, first \"k\"");
        AssertUnknown(Check(_first, AskPut("k", "b").UnknownFrom(70).Keyed("j"), ReadVersion(40, 1)), "first \"k\"");
        AssertUnknown(Check(ReadVersion(40, 1)), "nothing was written");
    }

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Retries, ExactlyOnceChecker.Check);

    [Theory]
    [InlineData(Lie.ForgetsKeys, 90)]
    [InlineData(Lie.LosesWrites, 90)]
    [InlineData(Lie.KeepsFailedWrites, 25)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Retries, ExactlyOnceChecker.Check);

    private static CheckVerdict Check(params ClientCall[] history) => ExactlyOnceChecker.Check(history);

    private static ClientCall ReadVersion(long at, ulong version, string key = "k") => AskGet(key).During(at, at + 10, Found(key, "x", 9, version: version));
}
