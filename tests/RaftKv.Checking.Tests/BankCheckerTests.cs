using RaftKv.Checking.Bank;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Tests.Model;
using static RaftKv.Checking.Tests.Model.Calls;

namespace RaftKv.Checking.Tests;

/// <summary>A bank "b/" of two accounts with 20 in all.</summary>
public sealed class BankCheckerTests
{
    private static readonly ClientCall _open = Asked(CallKind.Txn, KvOperation.Put("b/1", "10"), KvOperation.Put("b/2", "10")).During(0, 10, Written("b/1", 1), Written("b/2", 1));

    [Fact]
    public void Transfers_keep_the_total()
    {
        ClientCall transfer = Transfer(20, 30, revision: 2, "7", "13");
        AssertValid(Check(_open, transfer, Read(40, 50, "7", 2, "13", 2)));
        AssertInvalid(Check(_open, transfer, Read(40, 50, "7", 2, "14", 2)), "the accounts of \"b/\" add up to 21 in the read called at 0.000040 s, not to 20", calls: 1);
    }

    [Fact]
    public void No_account_is_below_zero() => AssertInvalid(Check(_open, Read(40, 50, "-1", 2, "21", 2)), "account \"b/1\" is at -1");

    [Fact]
    public void A_balance_is_a_number() => AssertInvalid(Check(_open, Read(40, 50, "ten", 1, "10", 1)), "\"ten\", which is no balance");

    [Fact]
    public void A_read_does_not_mix_states_though_its_total_be_right()
    {
        ClientCall transfer = Transfer(20, 30, revision: 2, "10", "10"); // Of nothing.
        Finding mixed = AssertInvalid(Check(_open, transfer, Read(20, 50, "10", 2, "10", 1)), "mixes states: \"b/1\" is at revision 2, but \"b/2\" at 1, before its change at 2", calls: 2);
        Assert.Contains("b/2: 10 at revision 1", mixed.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_reads_that_each_lack_what_the_other_shows_mix_states() =>
        AssertInvalid(Check(_open, Read(20, 50, "10", 5, "10", 1), Read(20, 50, "10", 1, "10", 6)), "mixes states", calls: 2);

    [Fact]
    public void A_read_while_accounts_are_opened_says_nothing()
    {
        ClientCall first = AskPut("b/1", "10").During(0, 10, Written("b/1", 1));
        ClientCall second = AskPut("b/2", "10").During(20, 30, Written("b/2", 2));
        ClientCall early = Asked(CallKind.Txn, KvOperation.Get("b/1"), KvOperation.Get("b/2")).During(12, 18, Found("b/1", "10", 1), Found("b/2", null, index: 1));
        AssertValid(Check(first, second, early, Read(40, 50, "10", 1, "10", 2)));
        AssertUnknown(Check(first, second, early), "no transaction read all accounts of \"b/\"");
        AssertInvalid(Check(first, second, early with { Call = 35, Return = 38 }), "did not find it", calls: 2);
    }

    [Fact]
    public void A_read_of_some_accounts_is_no_full_read() =>
        AssertUnknown(Check(_open, Asked(CallKind.Txn, KvOperation.Get("b/1")).During(12, 18, Found("b/1", "10", 1))), "no transaction read all accounts");

    [Fact]
    public void An_unknown_transfer_may_have_happened()
    {
        ClientCall transfer = Asked(CallKind.Txn, KvOperation.Put("b/1", "7"), KvOperation.Put("b/2", "13")).UnknownFrom(20);
        AssertValid(Check(_open, transfer, Read(40, 50, "7", 2, "13", 2)));
        AssertValid(Check(_open, transfer, Read(40, 50, "10", 1, "10", 1)));
    }

    [Fact]
    public void The_honest_are_never_convicted() => Conviction.NeverOfTheHonest(3_000, Workloads.Bank, history => BankChecker.Check(history, Workloads.BankTotals));

    [Theory]
    [InlineData(Lie.HalvesTransactions, 90)]
    [InlineData(Lie.LosesWrites, 50)]
    [InlineData(Lie.ReadsOldStates, 80)]
    [InlineData(Lie.IgnoresConditions, 70)]
    internal void Liars_are(Lie lie, int percent) => Conviction.OfTheLiar(lie, percent, Workloads.Bank, history => BankChecker.Check(history, Workloads.BankTotals));

    private static CheckVerdict Check(params ClientCall[] history) => BankChecker.Check(history, new Dictionary<string, long> { ["b/"] = 20 });

    private static ClientCall Transfer(long from, long to, ulong revision, string left, string right) =>
        Asked(CallKind.Txn, KvOperation.Put("b/1", left), KvOperation.Put("b/2", right)).During(from, to, Written("b/1", revision, 1), Written("b/2", revision, 1));

    private static ClientCall Read(long from, long to, string left, ulong leftAt, string right, ulong rightAt) =>
        Asked(CallKind.Txn, KvOperation.Get("b/1"), KvOperation.Get("b/2")).During(from, to, Found("b/1", left, leftAt, 9), Found("b/2", right, rightAt, 9));
}
