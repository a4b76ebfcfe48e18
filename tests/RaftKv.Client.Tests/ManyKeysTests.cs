using System.Text;
using System.Text.Json;
using RaftKv.Tests.Fakes;

namespace RaftKv.Client.Tests;

/// <summary>Batches, transactions and lists: what is sent, and what the answers are taken for.</summary>
public sealed class ManyKeysTests
{
    private static readonly byte[] Binary = [0xC3, 0x28];

    [Fact]
    public async Task A_batch_is_sent_as_the_server_takes_it_and_each_item_has_its_own_outcome()
    {
        await using FakeNode node = new(new FakeReply(200, """
            {"results":[
            {"op":"put","key":"a","status":200,"node":"n1","shard":3,"epoch":"1.1","term":6,"index":17,"item":0,"revision":5,"prevRevision":4,"created":1,"version":2},
            {"op":"get","keyBase64":"wyg=","status":200,"valueBase64":"/w==","revision":7,"created":7,"version":1},
            {"op":"get","key":"none","status":404,"error":{"code":"key-not-found","detail":"d","status":404,"title":"t","retryable":false}},
            {"op":"delete","key":"d","status":200,"deleted":true,"revision":8,"prevRevision":2},
            {"op":"put","key":"e","status":412,"revision":9,"error":{"code":"precondition-failed","detail":"not so","outcome":"not-applied","status":412,"title":"t","retryable":false}},
            {"op":"put","key":"f","status":504,"error":{"code":"outcome-unknown","detail":"who knows","outcome":"unknown","status":504,"title":"t","retryable":true}},
            {"op":"put","key":"g","status":503,"error":{"code":"no-leader","detail":"nobody","outcome":"not-applied","status":503,"title":"t","retryable":true}}]}
            """));
        using RaftKvClient client = ClientOf(node.Endpoint);
        BatchResult batch = await client.BatchAsync(
        [
            Operation.Put(Bytes("a"), Bytes("v"), TimeSpan.FromSeconds(2.5)), Operation.Get(Binary, revision: 7), Operation.Get(Bytes("none")), Operation.Delete(Bytes("d"), WriteCondition.IfRevision(2)),
            Operation.Put(Bytes("e"), Binary, condition: WriteCondition.IfAbsent), Operation.Put(Bytes("f"), default), Operation.Put(Bytes("g"), default),
        ]);
        Assert.Equal((RequestOutcome.Applied, null), (batch.Outcome, batch.Error));
        Assert.Equal(
            [RequestOutcome.Applied, RequestOutcome.Applied, RequestOutcome.Applied, RequestOutcome.Applied, RequestOutcome.Rejected, RequestOutcome.Unknown, RequestOutcome.Rejected],
            batch.Items.Select(item => item.Outcome));
        Assert.Equal((5ul, 4ul, 2ul, new Position("n1", 3, "1.1", 6, 17, 0)), (batch.Items[0].Revision, batch.Items[0].PrevRevision, batch.Items[0].Version, batch.Items[0].Position));
        Assert.Equal([0xFF], batch.Items[1].Value);
        Assert.Equal((null, false, null), (batch.Items[2].Value, batch.Items[2].Existed, batch.Items[2].Error));
        Assert.True(batch.Items[3].Existed);
        Assert.Equal((9ul, "precondition-failed", "not so"), (batch.Items[4].Revision, batch.Items[4].Error?.Code, batch.Items[4].Error?.Detail));

        FakeRequest request = node.Requests.Single();
        Assert.Equal(("POST", "/v1/batch", "application/json"), (request.Method, request.Target, request.Headers["Content-Type"]));
        Assert.True(request.Headers.ContainsKey("Idempotency-Key"));
        AssertJson(
            """
            {"operations":[{"op":"put","key":"a","value":"v","ttl":3},{"op":"get","keyBase64":"wyg=","revision":7},{"op":"get","key":"none"},{"op":"delete","key":"d","ifRevision":2},
            {"op":"put","key":"e","valueBase64":"wyg=","ifAbsent":true},{"op":"put","key":"f","value":""},{"op":"put","key":"g","value":""}]}
            """, request.Body);
    }

    /// <summary>The first attempt was lost: what the second says not to have applied may have been.</summary>
    [Fact]
    public async Task After_a_lost_attempt_an_item_that_nothing_settled_is_unknown()
    {
        int attempts = 0;
        await using FakeNode node = new(_ => Interlocked.Increment(ref attempts) == 1 ? FakeReply.Hangup : new FakeReply(200, """
            {"results":[
            {"op":"put","key":"a","status":200,"revision":5,"replayed":true},
            {"op":"put","key":"b","status":412,"revision":9,"error":{"code":"precondition-failed","outcome":"not-applied","retryable":false}},
            {"op":"put","key":"c","status":503,"error":{"code":"no-leader","outcome":"not-applied","retryable":true}},
            {"op":"get","key":"d","status":503,"error":{"code":"no-leader","outcome":"not-applied","retryable":true}}]}
            """));
        using RaftKvClient client = ClientOf(node.Endpoint);
        BatchResult batch = await client.BatchAsync([Operation.Put(Bytes("a"), default), Operation.Put(Bytes("b"), default), Operation.Put(Bytes("c"), default), Operation.Get(Bytes("d"))]);
        Assert.Equal([RequestOutcome.Applied, RequestOutcome.Rejected, RequestOutcome.Unknown, RequestOutcome.Rejected], batch.Items.Select(item => item.Outcome));
        Assert.Single(node.Requests.Select(request => request.Headers["Idempotency-Key"]).Distinct());
    }

    [Fact]
    public async Task What_only_reads_has_no_idempotency_key_and_is_repeated()
    {
        int attempts = 0;
        await using FakeNode node = new(_ => Interlocked.Increment(ref attempts) == 1 ? FakeReply.Hangup : new FakeReply(200, """{"results":[{"op":"get","key":"a","status":200,"value":"v","revision":1}]}"""));
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [node.Endpoint], IdempotencyKeys = false });
        Assert.Equal("v"u8.ToArray(), (await client.BatchAsync([Operation.Get(Bytes("a"))])).Items[0].Value);
        Assert.All(node.Requests, request => Assert.False(request.Headers.ContainsKey("Idempotency-Key")));
    }

    [Fact]
    public async Task A_transaction_is_sent_as_the_server_takes_it_and_its_branch_comes_back()
    {
        await using FakeNode node = new(new FakeReply(
            200, """{"succeeded":false,"revision":12,"results":[{"op":"get","key":"{t}a","found":true,"value":"x","revision":3,"created":3,"version":1}]}""",
            ("RaftKv-Node", "n2"), ("RaftKv-Shard", "1"), ("RaftKv-Epoch", "1.1"), ("RaftKv-Term", "6"), ("RaftKv-Index", "20"), ("Idempotency-Replayed", "true")));
        using RaftKvClient client = ClientOf(node.Endpoint);
        TxnResult txn = await client.TxnAsync(new Txn(
            [Compare.RevisionIs(Bytes("{t}a"), 2), Compare.Exists(Bytes("{t}b"), false), new Compare(Bytes("{t}c"), CompareTarget.Value, CompareRelation.Less, Value: Binary), new Compare(Bytes("{t}d"), CompareTarget.Version, CompareRelation.Greater, 5), new Compare(Bytes("{t}e"), CompareTarget.Created, CompareRelation.NotEqual, 6)],
            [Operation.Put(Bytes("{t}a"), Bytes("y"))],
            [Operation.Get(Bytes("{t}a"))]));
        Assert.Equal((RequestOutcome.Applied, false, 12ul, true, new Position("n2", 1, "1.1", 6, 20)), (txn.Outcome, txn.Succeeded, txn.Revision, txn.IsReplay, txn.Position));
        Assert.Equal(("x", true, RequestOutcome.Applied), (Encoding.UTF8.GetString(txn.Items.Single().Value!), txn.Items[0].Existed, txn.Items[0].Outcome));
        AssertJson(
            """
            {"compare":[{"key":"{t}a","op":"=","revision":2},{"key":"{t}b","op":"=","exists":false},{"key":"{t}c","op":"<","valueBase64":"wyg="},{"key":"{t}d","op":">","version":5},{"key":"{t}e","op":"!=","created":6}],
            "then":[{"op":"put","key":"{t}a","value":"y"}],"else":[{"op":"get","key":"{t}a"}]}
            """, node.Requests.Single().Body);
    }

    [Fact]
    public async Task A_transaction_over_shards_is_rejected()
    {
        await using FakeNode node = new(FakeReply.Problem(409, "spans-shards", "not-applied"));
        using RaftKvClient client = ClientOf(node.Endpoint);
        TxnResult txn = await client.TxnAsync(new Txn([], [Operation.Delete(Bytes("a"))], []));
        Assert.Equal((RequestOutcome.Rejected, "spans-shards"), (txn.Outcome, txn.Error?.Code));
    }

    [Fact]
    public async Task A_list_goes_page_by_page_to_its_end()
    {
        await using FakeNode node = new(request => new FakeReply(200, request.Target.Contains("cursor", StringComparison.Ordinal)
            ? """{"items":[{"keyBase64":"wyg=","valueBase64":"","revision":3,"created":3,"version":1,"ttl":9}],"count":1,"more":false}"""
            : """{"items":[{"key":"a","value":"1","node":"n1","shard":2,"epoch":"1.1","term":6,"index":9,"item":0,"revision":1,"created":1,"version":1}],"count":1,"more":true,"cursor":"YQ"}"""));
        using RaftKvClient client = ClientOf(node.Endpoint);
        List<ListItem> items = [];
        await foreach (ListItem item in client.ListAsync(new ListQuery(Prefix: Binary, Start: Bytes("s"), End: Bytes("é")) { PageKeys = 5 })) items.Add(item);
        Assert.Equal(["61", "C328"], items.Select(item => Convert.ToHexString(item.Key)));
        Assert.Equal(("1", new Position("n1", 2, "1.1", 6, 9, 0), null), (Encoding.UTF8.GetString(items[0].Value!), items[0].Position, items[0].Ttl));
        Assert.Equal((0, 3ul, TimeSpan.FromSeconds(9)), (items[1].Value!.Length, items[1].Revision, items[1].Ttl));
        Assert.Equal(["/v1/kv?limit=5&prefix=%C3%28&start=s&end=%C3%A9", "/v1/kv?limit=5&prefix=%C3%28&start=s&end=%C3%A9&cursor=YQ"], node.Requests.Select(request => request.Target));
    }

    [Fact]
    public async Task A_page_that_cannot_be_had_throws_and_those_before_it_were_given()
    {
        await using FakeNode node = new(request => request.Target.Contains("cursor", StringComparison.Ordinal)
            ? FakeReply.Problem(400, "bad-cursor", "not-applied")
            : new FakeReply(200, """{"items":[{"key":"a","revision":1,"created":1,"version":1}],"more":true,"cursor":"YQ"}"""));
        using RaftKvClient client = ClientOf(node.Endpoint);
        List<ListItem> items = [];
        ListFailedException failure = await Assert.ThrowsAsync<ListFailedException>(async () =>
        {
            await foreach (ListItem item in client.ListAsync(new ListQuery(KeysOnly: true))) items.Add(item);
        });
        Assert.Equal(("bad-cursor", 1, null), (failure.Error.Code, items.Count, items[0].Value));
    }

    [Fact]
    public async Task A_count_is_a_number()
    {
        await using FakeNode node = new(new FakeReply(200, """{"count":29}"""));
        using RaftKvClient client = ClientOf(node.Endpoint);
        Assert.Equal(new CountResult(RequestOutcome.Applied, 29, null), await client.CountAsync(new ListQuery(Prefix: Bytes("a"))));
        Assert.Equal("/v1/kv?countOnly&prefix=a", node.Requests.Single().Target);
    }

    [Theory]
    [InlineData("<html>")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"results":[],"items":null}""")]
    public async Task An_answer_that_is_none_is_named_as_such(string body)
    {
        await using FakeNode node = new(new FakeReply(200, body));
        using RaftKvClient client = ClientOf(node.Endpoint);
        BatchResult batch = await client.BatchAsync([Operation.Put(Bytes("a"), default)]);
        Assert.Equal((RequestOutcome.Unknown, RequestError.NotRaftKv), (batch.Outcome, batch.Error?.Code));
        TxnResult txn = await client.TxnAsync(new Txn([], [Operation.Delete(Bytes("a"))], [Operation.Delete(Bytes("a"))]));
        Assert.Equal((RequestOutcome.Unknown, RequestError.NotRaftKv), (txn.Outcome, txn.Error?.Code));
        await Assert.ThrowsAsync<ListFailedException>(async () =>
        {
            await foreach (ListItem item in client.ListAsync(new ListQuery())) Assert.Fail($"{item}");
        });
    }

    private static RaftKvClient ClientOf(ClientEndpoint endpoint) => new(new RaftKvClientOptions { Endpoints = [endpoint] });

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static void AssertJson(string expected, byte[] actual)
    {
        using JsonDocument left = JsonDocument.Parse(expected);
        using JsonDocument right = JsonDocument.Parse(actual);
        Assert.True(JsonElement.DeepEquals(left.RootElement, right.RootElement), Encoding.UTF8.GetString(actual));
    }
}
