using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>Which shards a batch asks for what, and what becomes of each item.</summary>
public sealed class BatchPlanTests
{
    private const int Budget = 1_000;
    private static readonly ShardMap Map = ShardMap.Initial(["n1"], 3, 1);

    [Fact]
    public void Each_shard_gets_its_writes_as_one_entry_and_its_gets_as_one_read_and_the_results_are_in_order()
    {
        KvRequest[] items = [Put(2, "a"), Get(1, "b"), Delete(2, "c"), Put(3, "d"), Get(1, "e"), Get(2, "a")];
        KvBatchPlan plan = new(items, default, Map, Budget);
        IReadOnlyList<KvBatchPart> parts = plan.TakeParts();
        Assert.Equal(
            ["Batch 0 2", "Batch 3", "GetMany 1 4", "GetMany 5"],
            parts.Select(part => $"{part.Operation} {string.Join(' ', part.Positions)}"));
        foreach (KvBatchPart part in parts)
        {
            Assert.Equal(KeyHash.Of(items[part.Positions[0]].Key.Span), part.Hash);
            Assert.True(KvRequest.DecodeWhole(part.Request).IdempotencyKey.IsEmpty);
            plan.OnAnswer(part, Answer([.. part.Positions.Select(position => new KvResponse { Revision = (ulong)position })]));
        }

        Assert.Empty(plan.TakeParts());
        Assert.Equal([0UL, 1, 2, 3, 4, 5], plan.Results.Select(result => result.Revision));
    }

    [Fact]
    public void Writes_carry_their_positions_and_the_fingerprint_of_the_whole()
    {
        KvRequest[] items = [Put(2, "a"), Put(1, "b"), Get(3, "c"), Delete(2, "d")];
        byte[] id = Bytes("id-1");
        KvBatch[] batches = [.. new KvBatchPlan(items, id, Map, Budget).TakeParts().Select(part => KvRequest.Decode(part.Request)).Where(request => request.Operation == KvOperation.Batch).Select(request =>
        {
            Assert.Equal(id, request.IdempotencyKey.ToArray());
            return KvBatch.Decode(request.Value);
        })];
        Assert.Equal([[0u, 3u], [1u]], batches.Select(batch => batch.Items.Select(item => item.Position).ToArray()));
        Assert.All(batches, batch => Assert.Equal(KvBatch.FingerprintOf(items), batch.Fingerprint));
    }

    [Fact]
    public void The_fingerprint_is_of_every_item_and_of_their_order()
    {
        KvRequest[] items = [Put(1, "a"), Get(1, "b"), Delete(1, "c")];
        KvRequest[][] others = [[items[1], items[0], items[2]], items[..2], [.. items, items[0]], [items[0] with { TtlMillis = 1 }, .. items[1..]], [items[0], Get(1, "bb"), items[2]]];
        Assert.Equal(KvBatch.FingerprintOf(items), KvBatch.FingerprintOf([.. items]));
        Assert.All(others, other => Assert.NotEqual(KvBatch.FingerprintOf(items), KvBatch.FingerprintOf(other)));
    }

    [Fact]
    public void A_part_that_failed_as_a_whole_fails_each_of_its_items()
    {
        KvRequest[] items = [Put(1, "a"), Put(2, "b"), Put(1, "c"), Get(3, "d"), Get(3, "e")];
        KvBatchPlan plan = new(items, default, Map, Budget);
        IReadOnlyList<KvBatchPart> parts = plan.TakeParts();
        plan.OnAnswer(parts[0], KvResponse.Fail(ErrorCode.OutcomeUnknown, "who knows"));
        plan.OnAnswer(parts[1], Answer([new KvResponse()]));
        plan.OnAnswer(parts[2], KvResponse.Fail(ErrorCode.NoLeader, "nobody"));
        Assert.Empty(plan.TakeParts());
        Assert.Equal([ErrorCode.OutcomeUnknown, null, ErrorCode.OutcomeUnknown, ErrorCode.NoLeader, ErrorCode.NoLeader], plan.Results.Select(result => result.Error));
    }

    /// <summary>A node that answers for fewer writes than it was asked for proves nothing of the others.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void An_answer_for_another_number_of_writes_is_unknown(int count)
    {
        KvBatchPlan plan = new([Put(1, "a"), Put(1, "b")], default, Map, Budget);
        plan.OnAnswer(Assert.Single(plan.TakeParts()), Answer([.. Enumerable.Range(0, count).Select(_ => new KvResponse())]));
        Assert.All(plan.Results, result => Assert.Equal(ErrorOutcome.Unknown, result.Error!.Outcome));
    }

    /// <summary>Values of all sizes in three shards: whatever fits together is read, and nothing is refused that fits.</summary>
    [Fact]
    public void Gets_share_the_budget_and_those_that_did_not_fit_are_asked_again()
    {
        for (int seed = 1; seed <= 300; seed++)
        {
            Random random = new(seed);
            int[] sizes = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(10) == 0 ? random.Next(2 * Budget) : random.Next(Budget / 8))];
            KvRequest[] items = [.. sizes.Select((_, i) => Get((ulong)random.Next(1, 4), $"k{i}"))];
            KvBatchPlan plan = new(items, default, Map, Budget);
            int rounds = 0;
            for (IReadOnlyList<KvBatchPart> parts = plan.TakeParts(); parts.Count > 0; parts = plan.TakeParts(), rounds++)
            {
                Assert.True(parts.Sum(part => BudgetOf(part)) <= Budget);
                foreach (KvBatchPart part in parts) plan.OnAnswer(part, Serve(part, sizes));
            }

            int read = 0;
            int refused = 0;
            for (int i = 0; i < items.Length; i++)
            {
                if (plan.Results[i].Error is null) read += plan.Results[i].Value.Length;
                else refused++;
                Assert.True(plan.Results[i].Error is null || plan.Results[i].Error == ErrorCode.BatchTooLarge);
            }

            Assert.True(read <= Budget, $"seed {seed}: {read}");
            if (sizes.Sum() <= Budget) Assert.Equal((seed, 0), (seed, refused));
            Assert.All(sizes.Where((_, i) => plan.Results[i].Error is not null), size => Assert.True(size > 0));
            Assert.True(rounds <= 2 * items.Length + 2, $"seed {seed}: {rounds} rounds for {items.Length} gets");
        }
    }

    [Fact]
    public void A_get_that_does_not_fit_is_refused_and_those_behind_it_go_on()
    {
        KvBatchPlan plan = new([Get(1, "a"), Get(1, "b"), Get(1, "c")], default, Map, Budget);
        for (IReadOnlyList<KvBatchPart> parts = plan.TakeParts(); parts.Count > 0; parts = plan.TakeParts())
            foreach (KvBatchPart part in parts) plan.OnAnswer(part, Serve(part, [10, Budget, 10]));
        Assert.Equal([null, ErrorCode.BatchTooLarge, null], plan.Results.Select(result => result.Error));
        Assert.Equal((Budget, Budget + 10), plan.Results[1].Exceeded);
    }

    private static uint BudgetOf(KvBatchPart part) => KvGets.Decode(KvRequest.Decode(part.Request).Value).MaxValueBytes;

    /// <summary>As a node answers: in order, as far as the budget goes.</summary>
    private static KvResponse Serve(KvBatchPart part, int[] sizes)
    {
        long left = BudgetOf(part);
        if (sizes[part.Positions[0]] > left) return new KvResponse { Index = new LogIndex(20) }.WithUnfit(sizes[part.Positions[0]]);
        return Answer([.. part.Positions.TakeWhile(position => (left -= sizes[position]) >= 0).Select(position => new KvResponse { Existed = true, Value = new byte[sizes[position]] })]);
    }

    private static KvResponse Answer(params KvResponse[] items) => new() { Index = new LogIndex(20), Items = [.. items] };

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static KvRequest Put(ulong shard, string name) => new(KvOperation.Put, Key(shard, name), Bytes("value"));

    private static KvRequest Delete(ulong shard, string name) => new(KvOperation.Delete, Key(shard, name));

    private static KvRequest Get(ulong shard, string name) => new(KvOperation.Get, Key(shard, name));

    /// <summary>A key of that shard that ends in <paramref name="name"/>.</summary>
    private static byte[] Key(ulong shard, string name)
    {
        for (int i = 0; ; i++)
            if (Map.ByKey(Bytes($"{{{i}}}{name}")).Id == shard) return Bytes($"{{{i}}}{name}");
    }
}
