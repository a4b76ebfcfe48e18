using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Compare, then, else: atomic, in one revision (design §9); what it may compare and what its gets see.</summary>
public sealed class TxnTests : IDisposable
{
    private readonly SimStore _store = new();
    private readonly KvStateMachine _machine;

    public TxnTests()
    {
        KvStateMachine.InitialiseStore(_store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        _machine = new KvStateMachine(Shard.Id, _store, Limits.Default);
    }

    public void Dispose()
    {
        _machine.Dispose();
        _store.Dispose();
    }

    [Fact]
    public void All_writes_take_one_revision_and_stand_in_the_change_index_in_their_order()
    {
        Apply(then: [Put("c", "old")]);
        KvTxnApplied txn = Apply(then: [Put("b", "1"), Delete("c"), Put("a", "2"), Delete("never")]);
        Assert.Equal((null, true, 2UL), (txn.Error, txn.Succeeded, txn.Revision));
        Assert.Equal(
            [new KvTxnItem(2, 0, 2, 1, false), new KvTxnItem(2, 1, 0, 0, true), new KvTxnItem(2, 0, 2, 1, false), default],
            txn.Items);
        Assert.Equal(2UL, _machine.Meta.Revision);
        string[] changes = [.. Shard.RowsOf(_store).Where(row => row.Key[0] == RowLayout.ChangeTag).Select(row => Convert.ToHexString(row.Key[8..13]) + System.Text.Encoding.UTF8.GetString(row.Value))];
        Assert.Equal(["0100000000c", "0200000000b", "0200000001c", "0200000002a"], changes);
    }

    [Fact]
    public void One_that_changes_nothing_takes_no_revision()
    {
        Apply(then: [Put("a", "1")]);
        string[] rows = Shard.TextOf(_store)[1..];
        KvTxnApplied txn = Apply(then: [Delete("b"), Get("a"), Get("b")]);
        Assert.Equal((true, 1UL), (txn.Succeeded, txn.Revision));
        Assert.Equal(rows, Shard.TextOf(_store)[1..]);
    }

    [Fact]
    public void Else_runs_when_one_comparison_does_not_hold()
    {
        Apply(then: [Put("a", "1")]);
        KvTxnApplied txn = Apply([Version("a", KvRelation.Equal, 1), Version("a", KvRelation.Equal, 2)], [Put("b", "then")], [Put("b", "else"), Get("b")]);
        Assert.Equal((null, false, 2UL, "else"), (txn.Error, txn.Succeeded, txn.Revision, Text(txn.Items[1].Value)));
        Assert.Equal("else"u8, _machine.Get("b"u8).Value!);
    }

    /// <summary>Against a key written at revisions 1 and 3 with the value m, and one that was never there.</summary>
    [Theory]
    [InlineData(KvTarget.Revision, 2UL, ">", "")]
    [InlineData(KvTarget.Revision, 3UL, "=", "")]
    [InlineData(KvTarget.Revision, 4UL, "<", "")]
    [InlineData(KvTarget.Version, 2UL, "=", "")]
    [InlineData(KvTarget.Version, 1UL, ">", "")]
    [InlineData(KvTarget.Created, 1UL, "=", "")]
    [InlineData(KvTarget.Created, 2UL, "<", "")]
    [InlineData(KvTarget.Exists, 1UL, "=", "")]
    [InlineData(KvTarget.Exists, 0UL, ">", "")]
    [InlineData(KvTarget.Value, 0UL, "=", "m")]
    [InlineData(KvTarget.Value, 0UL, ">", "lzz")]
    [InlineData(KvTarget.Value, 0UL, "<", "ma")]
    [InlineData(KvTarget.Value, 0UL, ">", "")]
    public void Every_target_can_stand_in_every_relation(KvTarget target, ulong number, string relation, string value)
    {
        Apply(then: [Put("a", "k")]);
        Apply(then: [Put("z", "z")]);
        Apply(then: [Put("a", "m")]);
        foreach (KvRelation asked in Enum.GetValues<KvRelation>())
        {
            bool expected = asked switch { KvRelation.Equal => relation == "=", KvRelation.NotEqual => relation != "=", KvRelation.Less => relation == "<", _ => relation == ">" };
            Assert.Equal((asked, expected), (asked, Apply([new KvCompare(Bytes("a"), target, asked, number, Bytes(value))]).Succeeded));
        }
    }

    [Theory]
    [InlineData(KvTarget.Revision)]
    [InlineData(KvTarget.Version)]
    [InlineData(KvTarget.Created)]
    [InlineData(KvTarget.Exists)]
    public void Of_an_absent_key_the_numbers_are_0_also_of_a_deleted_one(KvTarget target)
    {
        Apply(then: [Put("gone", "x")]);
        Apply(then: [Delete("gone")]);
        foreach (string key in (string[])["gone", "never"])
        {
            Assert.True(Apply([new KvCompare(Bytes(key), target, KvRelation.Equal, 0)]).Succeeded);
            Assert.True(Apply([new KvCompare(Bytes(key), target, KvRelation.Less, 1)]).Succeeded);
        }
    }

    [Fact]
    public void Of_an_absent_key_no_comparison_of_the_value_holds()
    {
        foreach (KvRelation relation in Enum.GetValues<KvRelation>())
            Assert.False(Apply([new KvCompare(Bytes("never"), KvTarget.Value, relation, 0, Bytes("x"))]).Succeeded);
    }

    /// <summary>Also what earlier entries of the same batch wrote, which is not in the store yet.</summary>
    [Fact]
    public void Comparisons_and_gets_see_everything_before_them_and_nothing_behind()
    {
        _machine.Begin();
        Run(Entries.Put(11, "a", "batch"));
        KvTxnApplied txn = (KvTxnApplied)Run(Entries.Command(12, Txn(
            [new KvCompare(Bytes("a"), KvTarget.Value, KvRelation.Equal, 0, Bytes("batch"))],
            [Get("a"), Put("a", "own"), Get("a"), Get("b"), Delete("b"), Put("b2", "x"), Get("b2")])))!;
        _machine.Commit();
        Assert.True(txn.Succeeded);
        Assert.Equal(["batch", "", "own", "", "", "", "x"], txn.Items.Select(item => Text(item.Value)));
        Assert.Equal((2UL, 1UL, 2UL), (txn.Items[2].Revision, txn.Items[2].Created, txn.Items[2].Version));
        KvTxnApplied deleted = Apply(then: [Delete("a"), Get("a")]);
        Assert.Equal((true, false), (deleted.Items[0].Existed, deleted.Items[1].Existed));
    }

    /// <summary>Both rows would be one, and one of the keys live for ever.</summary>
    [Fact]
    public void Two_keys_with_equal_deadlines_in_one_revision_both_expire()
    {
        Apply(then: [Put("a", "1") with { TtlMillis = 500 }, Put("b", "1") with { TtlMillis = 500 }], stamp: 1_000);
        Assert.Equal(1_500UL, _machine.NextDeadlineMillis);
        Apply(then: [Put("c", "1")]);
        _machine.Begin();
        _machine.Apply(Entries.Expire(_machine.Applied.Next.Value, 1_500), false);
        _machine.Commit();
        Assert.Equal((null, null, 4UL), (_machine.Get("a"u8).Value, _machine.Get("b"u8).Value, _machine.Meta.Revision));
        Assert.Null(_machine.NextDeadlineMillis);
    }

    [Fact]
    public void Gets_that_would_return_too_much_refuse_the_whole_before_anything_is_written()
    {
        Limits limits = Limits.Default with { MaxBatchBytes = 10 };
        using KvStateMachine machine = new(Shard.Id, _store, limits);
        machine.Begin();
        machine.Apply(Entries.Put(11, "a", "123456"), false);
        KvTxnApplied fits = (KvTxnApplied)machine.Apply(Entries.Command(12, Txn([], [Put("b", "1234"), Get("a"), Get("b")])), true)!;
        KvTxnApplied tooLarge = (KvTxnApplied)machine.Apply(Entries.Command(13, Txn([], [Put("b", "12345"), Get("a"), Get("b")]) with { IdempotencyKey = Bytes("id") }), true)!;
        machine.Commit();
        Assert.Equal((null, ErrorCode.BatchTooLarge, new LimitExceeded(10, 11)), (fits.Error, tooLarge.Error, tooLarge.Exceeded));
        Assert.Equal(("1234", 2UL, 0UL), (Text(machine.Get("b"u8).Value), machine.Meta.Revision, machine.Meta.DedupRecords));
    }

    [Fact]
    public void A_repetition_gives_the_first_result_with_its_values_and_position()
    {
        Apply(then: [Put("b", "first")]);
        KvRequest request = Txn([Version("b", KvRelation.Equal, 1)], [Get("b"), Put("b", "second"), Put("a", "x")], [Get("a")]) with { IdempotencyKey = Bytes("id") };
        KvTxnApplied first = ApplyAlone(request);
        KvTxnApplied second = ApplyAlone(request);
        Assert.Equal((true, true, first.Revision, new LogIndex(12), new Term(6)), (second.IsReplay, second.Succeeded, second.Revision, second.FirstIndex, second.FirstTerm));
        Assert.Equal("first", Text(second.Items[0].Value));
        Assert.Equal(first.Items.Select(item => item with { Value = default }), second.Items.Select(item => item with { Value = default }));
        Assert.Equal(2UL, _machine.Meta.Revision);
        // The record hangs on the smallest key: another write there under this idempotency key is another request.
        KvRequest put = new(KvOperation.Put, Bytes("a"), Bytes("y"), IdempotencyKey: Bytes("id"));
        _machine.Begin();
        Assert.Same(ErrorCode.IdempotencyKeyReused, ((KvApplied)Run(Entries.Command(_machine.Applied.Next.Value, put))!).Error);
        Assert.Null(((KvApplied)Run(Entries.Command(_machine.Applied.Next.Value, put with { Key = Bytes("b") }))!).Error);
        _machine.Commit();
    }

    /// <summary>A transaction whose keys span shards by now was perhaps applied when they did not (design §9).</summary>
    [Fact]
    public void What_became_of_a_transaction_is_recalled_by_its_smallest_key()
    {
        KvRequest request = Txn([], [Put("b", "1"), Put("a", "2")]) with { IdempotencyKey = Bytes("id") };
        KvRequest recall = KvRequest.RecallOf(request.Encode(), Bytes("a"), Bytes("id"));
        Assert.Null(_machine.RecallTxn(recall));
        ApplyAlone(request);
        KvTxnApplied? first = _machine.RecallTxn(recall);
        Assert.Equal((null, true, 1UL, 11UL, 2), (first!.Error, first.IsReplay, first.Revision, first.FirstIndex.Value, first.Items.Length));
        Assert.Same(ErrorCode.IdempotencyKeyReused, _machine.RecallTxn(recall with { Value = new byte[8] })!.Error);
        Assert.Null(_machine.RecallTxn(recall with { Key = Bytes("b") }));

        KvRequest dated = recall with { IdempotencyKey = Entries.Uuid7(5_000) };
        ApplyAlone(Txn([], [Put("a", "3")]) with { IdempotencyKey = dated.IdempotencyKey });
        _machine.Begin();
        _machine.Apply(Entries.Expire(_machine.Applied.Next.Value, 10_000_000), false);
        _machine.Commit();
        Assert.Same(ErrorCode.IdempotencyWindowPassed, _machine.RecallTxn(dated)!.Error);
        Assert.Null(_machine.RecallTxn(recall));
    }

    [Fact]
    public void Keys_of_another_shard_refuse_the_whole_in_whichever_branch_they_stand()
    {
        using SimStore store = new();
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(Entries.Half), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        byte[] mine = Entries.Keys.First(key => Entries.Half.Contains(KeyHash.Of(key)));
        byte[] others = Entries.Keys.First(key => !Entries.Half.Contains(KeyHash.Of(key)));
        KvRequest[] spanning =
        [
            Txn([new KvCompare(others, KvTarget.Version, KvRelation.Equal, 0)], [new KvRequest(KvOperation.Put, mine)]),
            Txn([], [new KvRequest(KvOperation.Put, mine), new KvRequest(KvOperation.Get, others)]),
            Txn([], [new KvRequest(KvOperation.Put, mine)], [new KvRequest(KvOperation.Put, others)]),
        ];
        machine.Begin();
        foreach (KvRequest request in spanning) Assert.Same(ErrorCode.WrongShard, ((KvTxnApplied)machine.Apply(Entries.Command(machine.Applied.Next.Value, request), true)!).Error);
        machine.Commit();
        Assert.Equal(0UL, machine.Meta.Revision);
        Assert.Same(ErrorCode.WrongShard, machine.ReadTxn(KvTxn.Decode(spanning[0].Value)).Error);
    }

    [Fact]
    public void One_without_writes_is_read_from_the_applied_state()
    {
        Apply(then: [Put("a", "1")]);
        KvTxn txn = KvTxn.Decode(Txn([Version("a", KvRelation.Equal, 1)], [Get("a"), Get("b")], [Get("c")]).Value);
        Assert.False(txn.HasWrites);
        Assert.Equal((true, "1"), (_machine.ReadTxn(txn).Succeeded, Text(_machine.ReadTxn(txn).Items[0].Value)));
        Apply(then: [Put("a", "2")]);
        Assert.Equal((false, 1), (_machine.ReadTxn(txn).Succeeded, _machine.ReadTxn(txn).Items.Length));
    }

    private static byte[] Bytes(string text) => Entries.Bytes(text);

    private static string Text(ReadOnlyMemory<byte> value) => System.Text.Encoding.UTF8.GetString(value.Span);

    private static KvRequest Put(string key, string value) => new(KvOperation.Put, Bytes(key), Bytes(value));

    private static KvRequest Delete(string key) => new(KvOperation.Delete, Bytes(key));

    private static KvRequest Get(string key) => new(KvOperation.Get, Bytes(key));

    private static KvCompare Version(string key, KvRelation relation, ulong version) => new(Bytes(key), KvTarget.Version, relation, version);

    private static KvRequest Txn(KvCompare[] compare, KvRequest[] then, KvRequest[]? otherwise = null) =>
        new(KvOperation.Txn, default, new KvTxn([.. compare], [.. then], [.. otherwise ?? []]).Encode());

    private object? Run(Entry entry) => _machine.Apply(entry, true);

    private KvTxnApplied Apply(KvCompare[]? compare = null, KvRequest[]? then = null, KvRequest[]? otherwise = null, ulong stamp = 0) => ApplyAlone(Txn(compare ?? [], then ?? [], otherwise), stamp);

    private KvTxnApplied ApplyAlone(KvRequest request, ulong stamp = 0)
    {
        _machine.Begin();
        KvTxnApplied applied = (KvTxnApplied)Run(Entries.Command(_machine.Applied.Next.Value, request, stamp: stamp))!;
        _machine.Commit();
        return applied;
    }
}
