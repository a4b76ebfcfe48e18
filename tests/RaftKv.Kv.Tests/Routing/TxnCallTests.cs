using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Transactions on their way: here, forwarded, read only, recalled.</summary>
public sealed class TxnCallTests
{
    private static readonly byte[] Key = "key"u8.ToArray();

    [Fact]
    public void A_transaction_is_one_entry_and_its_answer_says_where_it_stands()
    {
        FrontNode node = FrontNode.Alone();
        KvResponse answer = node.Call(Txn(Put("1"), new KvRequest(KvOperation.Get, Key))).Ended;
        Assert.Equal((null, "n1", 12UL, 6UL, 1UL, true, false), (answer.Error, answer.Node, answer.Index.Value, answer.Term.Value, answer.Revision, answer.Succeeded, answer.IsReplay));
        Assert.Equal([(1UL, false, ""), (1UL, true, "1")], answer.Items.Select(item => (item.Revision, item.Existed, System.Text.Encoding.UTF8.GetString(item.Value.Span))));
        Assert.All(answer.Items, item => Assert.Equal((12UL, "n1", new GroupId(1)), (item.Index.Value, item.Node, item.Group)));
    }

    [Fact]
    public void A_forwarded_one_is_answered_whole_and_its_repetition_where_the_first_stands()
    {
        FrontNode node = FrontNode.Alone();
        KvRequest keyed = Txn(new KvRequest(KvOperation.Get, Key), Put("1")) with { IdempotencyKey = "id"u8.ToArray() };
        node.Forwarded(1, keyed);
        node.Forwarded(2, keyed);
        KvResponse[] answers = [.. node.TakeAnswers().Select(answer => answer.Response)];
        Assert.Equal([(12UL, 1UL, true, false), (12UL, 1UL, true, true)], answers.Select(answer => (answer.Index.Value, answer.Revision, answer.Succeeded, answer.IsReplay)));
        Assert.All(answers, answer => Assert.Equal(2, answer.Items.Length));
    }

    [Fact]
    public void One_that_only_reads_needs_no_entry()
    {
        FrontNode node = FrontNode.Alone();
        node.Call(Txn(Put("1")));
        KvTxn read = new([new KvCompare(Key, KvTarget.Exists, KvRelation.Equal, 1)], [new KvRequest(KvOperation.Get, Key)], []);
        KvResponse answer = node.Call(new KvRequest(KvOperation.ReadTxn, default, read.Encode())).Ended;
        Assert.Equal((true, 12UL, "1"), (answer.Succeeded, answer.Index.Value, System.Text.Encoding.UTF8.GetString(answer.Items[0].Value.Span)));
        Assert.Equal(12UL, node.Group.LastIndex.Value);
    }

    [Fact]
    public void Gets_that_would_return_too_much_refuse_it_with_both_numbers()
    {
        FrontNode node = FrontNode.Alone();
        node.Call(new KvRequest(KvOperation.Put, Key, new byte[Limits.Mebi]));
        KvTxn read = new([], [.. Enumerable.Repeat(new KvRequest(KvOperation.Get, Key), 10)], []);
        KvResponse answer = node.Call(new KvRequest(KvOperation.ReadTxn, default, read.Encode())).Ended;
        Assert.Equal((ErrorCode.BatchTooLarge, (8L * Limits.Mebi, 9L * Limits.Mebi)), (answer.Error, answer.Exceeded!.Value));
    }

    [Fact]
    public void What_was_applied_is_recalled_and_what_was_not_is_not()
    {
        FrontNode node = FrontNode.Alone();
        KvRequest keyed = Txn(Put("1")) with { IdempotencyKey = "id"u8.ToArray() };
        KvRequest recall = KvRequest.RecallOf(keyed.Encode(), Key, "id"u8.ToArray());
        KvResponse nothing = node.Call(recall).Ended;
        Assert.Equal((null, false), (nothing.Error, nothing.IsReplay));
        node.Call(keyed);
        KvResponse first = node.Call(recall).Ended;
        Assert.Equal((null, true, 12UL, true), (first.Error, first.IsReplay, first.Index.Value, first.Succeeded));
        Assert.Same(ErrorCode.IdempotencyKeyReused, node.Call(recall with { Value = new byte[8] }).Ended.Error);
    }

    private static KvRequest Put(string value) => new(KvOperation.Put, Key, System.Text.Encoding.UTF8.GetBytes(value));

    private static KvRequest Txn(params KvRequest[] then) => new(KvOperation.Txn, default, new KvTxn([], [.. then], []).Encode());
}
