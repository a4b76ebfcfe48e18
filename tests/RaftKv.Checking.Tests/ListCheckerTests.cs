using RaftKv.Checking.Histories;
using RaftKv.Checking.Lists;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>Lists of "l" against the writes of single keys.</summary>
public sealed class ListCheckerTests
{
    private static readonly ClientCall _a = Put(0, 10, "la", "1", 1);
    private static readonly ClientCall _b = Put(12, 20, "lb", "1", 2);
    private static readonly KvResult _itemA = Found("la", "1", 1);
    private static readonly KvResult _itemB = Found("lb", "1", 2);

    [Fact]
    public void A_list_shows_what_is_there() => AssertValid(Check(_a, _b, List(30, 40, "l", _itemA, _itemB)));

    [Fact]
    public void A_key_that_was_put_before_is_not_missing()
    {
        AssertInvalid(Check(_a, _b, List(30, 40, "l", _itemA)), "lacks \"lb\", whose put had returned 10 µs before, and which nobody can have deleted since", calls: 2);
        AssertValid(Check(_a, _b, List(15, 40, "l", _itemA)));
        AssertValid(Check(_a, _b, List(30, 40, "la", _itemA)));
    }

    [Fact]
    public void A_key_may_be_missing_that_somebody_may_have_deleted()
    {
        AssertValid(Check(_a, _b, AskDelete("lb").UnknownFrom(0), List(30, 40, "l", _itemA)));
        AssertValid(Check(_a, _b, Delete(35, 50, "lb", 3, 2), List(30, 40, "l", _itemA)));
        AssertInvalid(Check(_a, _b, Delete(45, 50, "lb", 3, 2), List(30, 40, "l", _itemA)), "lacks \"lb\"");
        AssertInvalid(Check(_a, Delete(11, 12, "lb", 2, 1), Put(13, 20, "lb", "1", 3), List(30, 40, "l", _itemA)), "lacks \"lb\"");
    }

    [Fact]
    public void A_key_may_be_missing_that_has_a_ttl() =>
        AssertValid(Check(_a, AskPut("lb", "1", ttl: 1).During(12, 20, Written("lb", 2)), List(30, 40, "l", _itemA)));

    [Fact]
    public void A_key_that_was_deleted_is_not_there() =>
        AssertInvalid(Check(_a, _b, Delete(22, 24, "lb", 3, 2), List(30, 40, "l", _itemA, _itemB)), "but its write at revision 3 had returned", calls: 2);

    [Fact]
    public void An_item_is_as_it_was_written()
    {
        AssertInvalid(Check(_a, List(30, 40, "l", Found("la", "2", 1))), "shows \"la\" = \"2\" at revision 1, at which \"1\" was written", calls: 2);
        AssertInvalid(Check(_a, List(30, 40, "l", Found("la", "1", 9))), "no write that was acknowledged or may have happened explains it", calls: 2);
        AssertInvalid(Check(_a, List(30, 40, "l", _itemA, Found("lz", "1", 9))), "explains it", calls: 1);
    }

    [Fact]
    public void An_item_may_be_of_an_unknown_write()
    {
        AssertValid(Check(_a, AskPut("la", "2").UnknownFrom(15), List(30, 40, "l", Found("la", "2", 9))));
        AssertInvalid(Check(_a, AskPut("la", "2").UnknownFrom(50), List(30, 40, "l", Found("la", "2", 9))), "explains it");
    }

    [Fact]
    public void An_item_was_not_replaced_before_the_list_was_called()
    {
        ClientCall newer = Put(12, 20, "la", "2", 2, 1);
        AssertInvalid(Check(_a, newer, List(30, 40, "l", _itemA)), "but its write at revision 2 had returned 10 µs before", calls: 2);
        AssertValid(Check(_a, newer, List(15, 40, "l", _itemA)));
    }

    [Fact]
    public void An_item_is_not_seen_before_it_is_written() => AssertInvalid(Check(_a, Put(50, 60, "la", "2", 2, 1), List(30, 40, "l", Found("la", "2", 2))), "before it was written", calls: 2);

    [Fact]
    public void All_keys_of_a_shard_are_of_one_state()
    {
        ClientCall a = Put(30, 100, "la", "2", 3, 1);
        ClientCall b = Put(30, 100, "lb", "2", 4, 2);
        AssertValid(Check(_a, _b, a, b, List(30, 100, "l", Found("la", "2", 3), _itemB)));
        AssertInvalid(Check(_a, _b, a, b, List(30, 100, "l", _itemA, Found("lb", "2", 4))), "mixes states of shard 1: it shows \"lb\" at revision 4, but \"la\" without its write at 3", calls: 2);
        // Of another shard it may be of another time.
        ClientCall elsewhere = AskPut("lb", "2").During(30, 100, Written("lb", 4, 2) with { Position = Position.OfWrite(2, 4) });
        AssertValid(Check(_a, a, elsewhere, List(30, 100, "l", _itemA, Found("lb", "2", 4) with { Position = Position.OfRead(2, 4) })));
    }

    [Fact]
    public void A_new_key_is_not_missing_beside_a_newer_one() =>
        AssertInvalid(Check(_a, Put(30, 100, "lb", "1", 2), Put(30, 100, "lc", "1", 3), List(30, 100, "l", _itemA, Found("lc", "1", 3))), "without its write at 2", calls: 2);

    [Fact]
    public void Keys_are_in_the_order_of_their_bytes()
    {
        AssertInvalid(Check(_a, _b, List(30, 40, "l", _itemB, _itemA)), "shows \"lb\" before \"la\", which is not the order of their bytes", calls: 1);
        // U+10000 is two surrogates, below U+FFFD as UTF-16 and above it as UTF-8.
        string[] keys = ["l\uFFFD", "l\U00010000"];
        ClientCall[] puts = [.. keys.Select((key, i) => Put(0, 10, key, "1", (ulong)i + 1))];
        AssertValid(Check([.. puts, List(30, 40, "l", Found(keys[0], "1", 1), Found(keys[1], "1", 2))]));
    }

    [Fact]
    public void A_key_is_shown_once() => AssertInvalid(Check(_a, List(30, 40, "l", _itemA, _itemA)), "shows \"la\" twice", calls: 1);

    [Fact]
    public void A_list_shows_nothing_but_its_prefix() => AssertInvalid(Check(_a, List(30, 40, "lb", _itemA)), "which does not begin so", calls: 1);

    [Fact]
    public void Without_a_list_nothing_is_known()
    {
        AssertUnknown(Check(_a), "no list was answered");
        AssertUnknown(Check(List(30, 40, "l")), "no list found a key");
    }

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Lists, ListChecker.Check);

    [Theory]
    [InlineData(Lie.SkipsKeys, 70)]
    [InlineData(Lie.ListsOldValues, 70)]
    [InlineData(Lie.LosesWrites, 70)]
    [InlineData(Lie.KeepsFailedWrites, 40)]
    [InlineData(Lie.HalvesTransactions, 45)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Lists, ListChecker.Check);

    private static CheckVerdict Check(params ClientCall[] history) => ListChecker.Check(history);
}
