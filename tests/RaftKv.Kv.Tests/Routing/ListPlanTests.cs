using RaftKv.Contracts;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Routing;

/// <summary>A list over shards that answer in chunks of any size, for what they own by then, against one sorted list of all keys (design §8).</summary>
public sealed class ListPlanTests
{
    private const long MaxBytes = 64 * 1024;
    private static readonly string[] Names = ["n1"];

    [Fact]
    public void All_keys_come_once_and_in_order_whatever_the_chunks_and_however_the_space_was_cut_meanwhile()
    {
        for (int seed = 1; seed <= 300; seed++)
        {
            Random random = new(seed);
            Shards shards = new(random, random.Next(200));
            KvListQuery query = Query(random);
            KvListPlan plan = new(query, ShardMap.Initial(Names, random.Next(1, 9), 1), MaxBytes);
            List<string> listed = [];
            while (true)
            {
                while (plan.TryTake(out KvListItem item))
                {
                    Assert.Equal(item.At.Group.Value, shards.OwnerOf(item.Row.Key.Span));
                    listed.Add(Convert.ToHexString(item.Row.Key.Span));
                }

                IReadOnlyList<KvListPart> parts = plan.TakeParts(random.Next(1, 50));
                if (parts.Count == 0) break;
                foreach (KvListPart part in parts) plan.OnAnswer(part, shards.Answer(part));
            }

            Assert.Null(plan.Failure);
            Assert.Equal(query.CountOnly ? [] : shards.Expected(query), listed);
            if (query.CountOnly) Assert.Equal((ulong)shards.Expected(query).Length, plan.Count);
        }
    }

    /// <summary>A shard's later chunks show it as the first one did.</summary>
    [Fact]
    public void A_source_goes_on_at_the_revision_of_its_first_chunk()
    {
        KvListPlan plan = new(new KvListQuery(default, default), ShardMap.Initial(Names, 1, 1), MaxBytes);
        KvListPart first = Assert.Single(plan.TakeParts());
        Assert.Equal((0UL, ""), (AskedOf(first).Revision, System.Text.Encoding.UTF8.GetString(AskedOf(first).Start.Span)));
        plan.OnAnswer(first, new KvResponse { Value = new KvListChunk(HashRange.Full, 77, Latin("b"), 1, [new KvRow(Latin("a"), 1, 1, 1, 0, false, default)]).Encode() });
        Assert.True(plan.TryTake(out _));
        KvListPart second = Assert.Single(plan.TakeParts());
        Assert.Equal((77UL, "b"), (AskedOf(second).Revision, System.Text.Encoding.UTF8.GetString(AskedOf(second).Start.Span)));
    }

    /// <summary>Where its value must be fetched: at the row's own revision history may have been compacted long ago.</summary>
    [Fact]
    public void A_row_says_in_which_state_it_stands()
    {
        KvListPlan plan = new(new KvListQuery(default, default), ShardMap.Initial(Names, 1, 1), MaxBytes);
        KvListPart part = Assert.Single(plan.TakeParts());
        plan.OnAnswer(part, new KvResponse { Value = new KvListChunk(HashRange.Full, 77, null, 1, [new KvRow(Latin("a"), 5, 5, 1, 0, IsValueLeftOut: true, default)]).Encode() });
        Assert.True(plan.TryTake(out KvListItem item));
        Assert.Equal((5UL, 77UL), (item.Row.Revision, item.AsOf));
    }

    [Fact]
    public void Nothing_is_given_while_a_smaller_key_may_be_to_come()
    {
        Shards shards = new(new Random(2), 100);
        KvListPlan plan = new(new KvListQuery(default, default), ShardMap.Initial(Names, 2, 1), MaxBytes);
        IReadOnlyList<KvListPart> parts = plan.TakeParts();
        plan.OnAnswer(parts[0], shards.Answer(parts[0]));
        Assert.False(plan.TryTake(out _));
        plan.OnAnswer(parts[1], shards.Answer(parts[1]));
        Assert.True(plan.TryTake(out _));
    }

    [Fact]
    public void Sources_share_the_memory_and_each_may_hold_some()
    {
        foreach (var (shards, expected) in new (int, uint)[] { (1, 64 * 1024), (8, 8 * 1024), (64, 4 * 1024) })
            Assert.All(new KvListPlan(new KvListQuery(default, default), ShardMap.Initial(Names, shards, 1), MaxBytes).TakeParts(), part => Assert.Equal(expected, AskedOf(part).MaxBytes));
    }

    [Fact]
    public void A_part_that_fails_ends_the_list()
    {
        KvListPlan plan = new(new KvListQuery(default, default), ShardMap.Initial(Names, 2, 1), MaxBytes);
        IReadOnlyList<KvListPart> parts = plan.TakeParts();
        plan.OnAnswer(parts[0], KvResponse.Fail(ErrorCode.NoLeader, "nobody"));
        plan.OnAnswer(parts[1], KvResponse.Fail(ErrorCode.Overloaded, "later"));
        Assert.Same(ErrorCode.NoLeader, plan.Failure!.Error);
        Assert.Empty(plan.TakeParts());
        Assert.False(plan.TryTake(out _));
    }

    [Fact]
    public void An_answer_for_other_hashes_than_were_wanted_ends_the_list()
    {
        KvListPlan plan = new(new KvListQuery(default, default), ShardMap.Initial(Names, 2, 1), MaxBytes);
        plan.OnAnswer(plan.TakeParts()[0], new KvResponse { Value = new KvListChunk(HashRange.Full, 1, null, 0, []).Encode() });
        Assert.Same(ErrorCode.Internal, plan.Failure!.Error);
    }

    [Theory]
    [InlineData("", "", "", null, "", "")]
    [InlineData("ab", "", "", null, "ab", "ac")]
    [InlineData("ab", "aa", "", null, "ab", "ac")]
    [InlineData("ab", "abc", "", null, "abc", "ac")]
    [InlineData("ab", "", "abz", null, "ab", "abz")]
    [InlineData("ab", "", "b", null, "ab", "ac")]
    [InlineData("", "k", "z", null, "k", "z")]
    [InlineData("", "k", "", "m", "m\0", "")]
    [InlineData("", "k", "", "a", "k", "")]
    [InlineData("a\xff", "", "", null, "a\xff", "b")]
    [InlineData("\xff\xff", "", "", null, "\xff\xff", "")]
    public void Prefix_bounds_and_cursor_are_one_range(string prefix, string start, string end, string? after, string expectedStart, string expectedEnd)
    {
        KvListQuery query = KvListQuery.Of(Latin(prefix), Latin(start), Latin(end), after is null ? null : Latin(after), false, false);
        Assert.Equal((expectedStart, expectedEnd), (System.Text.Encoding.Latin1.GetString(query.Start.Span), System.Text.Encoding.Latin1.GetString(query.End.Span)));
        Assert.False(query.IsEmpty);
    }

    [Fact]
    public void An_empty_range_asks_nobody()
    {
        KvListQuery query = KvListQuery.Of(Latin("b"), [], Latin("a"), null, false, false);
        Assert.True(query.IsEmpty);
        KvListPlan plan = new(query, ShardMap.Initial(Names, 2, 1), MaxBytes);
        Assert.Empty(plan.TakeParts());
        Assert.False(plan.TryTake(out _));
    }

    private static byte[] Latin(string text) => System.Text.Encoding.Latin1.GetBytes(text);

    private static KvListRequest AskedOf(KvListPart part) => KvListRequest.Decode(KvRequest.DecodeWhole(part.Request).Value);

    private static KvListQuery Query(Random random) => KvListQuery.Of(
        random.Next(3) == 0 ? [(byte)random.Next(4)] : [], random.Next(3) == 0 ? [(byte)random.Next(4), (byte)random.Next(4)] : [], random.Next(3) == 0 ? [(byte)random.Next(4), (byte)random.Next(4)] : [],
        null, random.Next(2) == 0, random.Next(4) == 0);

    /// <summary>
    /// What the shards really are: another cut of the space than the plan's map, and it changes between answers. Each answer has as many rows as it likes.
    /// </summary>
    private sealed class Shards(Random random, int keys)
    {
        private readonly byte[][] _keys = [.. Enumerable.Range(0, keys).Select(_ => Convert.ToHexString(Enumerable.Range(0, random.Next(1, 5)).Select(_ => (byte)random.Next(4)).ToArray())).Distinct().Order(StringComparer.Ordinal).Select(Convert.FromHexString)];
        private HashRange[] _ranges = HashRange.SplitFull(random.Next(1, 9));

        public ulong OwnerOf(ReadOnlySpan<byte> key) => 1 + (KeyHash.Of(key) & 1); // Any fact that an item can be checked by.

        public string[] Expected(KvListQuery query) => [.. _keys.Where(key => IsIn(key, query.Start, query.End)).Select(Convert.ToHexString)];

        public KvResponse Answer(KvListPart part)
        {
            KvListRequest asked = AskedOf(part);
            if (random.Next(5) == 0) _ranges = HashRange.SplitFull(random.Next(1, 9));
            HashRange covered = _ranges.First(range => range.Contains(part.Hash)).Intersect(asked.Range)!.Value;
            byte[][] mine = [.. _keys.Where(key => covered.Contains(KeyHash.Of(key)) && IsIn(key, asked.Start, asked.End))];
            int given = Math.Min(mine.Length, random.Next(0, (int)Math.Min(asked.MaxRows, 12) + 1));
            byte[]? behind = given < mine.Length ? mine[given] : random.Next(4) == 0 && mine.Length > 0 ? [.. mine[^1], 0] : null;
            // One group a parity, so that every row is checked against the answer it came in.
            ulong group = given == 0 ? 1 : OwnerOf(mine[0]);
            int alike = mine.Take(given).TakeWhile(key => OwnerOf(key) == group).Count();
            if (alike < given) (given, behind) = (alike, mine[alike]);
            ReadOnlyMemory<byte>? next = behind is null ? default(ReadOnlyMemory<byte>?) : behind;
            KvRow[] rows = asked.CountOnly ? [] : [.. mine.Take(given).Select(key => new KvRow(key, 1, 1, 1, 0, false, default))];
            return new KvResponse { Group = new GroupId(group), Value = new KvListChunk(covered, 9, next, (ulong)given, [.. rows]).Encode() };
        }

        private static bool IsIn(byte[] key, ReadOnlyMemory<byte> start, ReadOnlyMemory<byte> end) =>
            key.AsSpan().SequenceCompareTo(start.Span) >= 0 && (end.IsEmpty || key.AsSpan().SequenceCompareTo(end.Span) < 0);
    }
}
