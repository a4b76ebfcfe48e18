using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Contracts.Tests;

public sealed class ShardMapTests
{
    private static readonly string[] ThreeNodes = ["n1", "n2", "n3"];

    private static ShardDescription Shard(ulong id, ulong start, ulong end, params ShardReplica[] replicas) =>
        new(id, new HashRange(start, end), ShardEpoch.Initial, replicas.Length > 0 ? [.. replicas] : [new ShardReplica(1, "n1")]);

    [Fact]
    public void Initial_places_replicas_of_shard_i_on_consecutive_nodes_of_the_sorted_list_from_node_i()
    {
        ShardMap map = ShardMap.Initial(["n3", "n1", "n4", "n2"], shards: 5, replicas: 3);
        Assert.Equal(
            [
                "shard 1 [0000000000000000, 3333333333333333) epoch 1.1: n1/1 n2/2 n3/3",
                "shard 2 [3333333333333333, 6666666666666666) epoch 1.1: n2/1 n3/2 n4/3",
                "shard 3 [6666666666666666, 9999999999999999) epoch 1.1: n3/1 n4/2 n1/3",
                "shard 4 [9999999999999999, cccccccccccccccc) epoch 1.1: n4/1 n1/2 n2/3",
                "shard 5 [cccccccccccccccc, 0000000000000000) epoch 1.1: n1/1 n2/2 n3/3",
            ],
            map.Shards.Select(s => s.ToString()));
    }

    [Fact]
    public void Initial_sorts_names_ordinally() =>
        Assert.Equal("B/1 a/2 a-b/3 a.b/4", string.Join(' ', ShardMap.Initial(["a.b", "a", "B", "a-b"], 1, 4).Shards[0].Replicas));

    [Fact]
    public void Initial_does_not_depend_on_the_order_of_names() =>
        Assert.Equal(ShardMap.Initial(ThreeNodes, 8, 3).Digest(), ShardMap.Initial(["n2", "n3", "n1"], 8, 3).Digest());

    [Theory]
    [InlineData(0, 3, "shard")]
    [InlineData(8, 0, "replicas")]
    [InlineData(8, 4, "replicas")]
    public void Initial_refuses_impossible_numbers(int shards, int replicas, string named) =>
        Assert.Contains(named, Assert.Throws<ArgumentException>(() => ShardMap.Initial(ThreeNodes, shards, replicas)).Message, StringComparison.Ordinal);

    [Fact]
    public void Initial_refuses_a_name_given_twice() => Assert.Throws<ArgumentException>(() => ShardMap.Initial(["n1", "n2", "n1"], 1, 1));

    [Fact]
    public void Every_hash_is_found_in_the_one_shard_that_contains_it() =>
        Prop.ForAll(Gen.Choose(1, 300).ToArbitrary(), ArbMap.Default.ArbFor<ulong>(), (shards, hash) =>
        {
            ShardMap map = ShardMap.Initial(ThreeNodes, shards, 3);
            ulong boundary = map.Shards[(int)(hash % (ulong)shards)].Range.Start;
            return new[] { hash, boundary, boundary - 1, 0UL, ulong.MaxValue }.All(h => ReferenceEquals(map.ByHash(h), map.Shards.Single(s => s.Range.Contains(h))));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_key_is_found_by_the_hash_of_its_routing_key()
    {
        ShardMap map = ShardMap.Initial(ThreeNodes, 64, 3);
        Assert.Same(map.ByHash(XxHash64.Hash("42"u8)), map.ByKey("user:{42}:name"u8));
    }

    [Fact]
    public void A_shard_is_found_by_its_id_and_a_replica_by_its_node()
    {
        ShardMap map = ShardMap.Initial(["n1", "n2", "n3", "n4"], 4, 3);
        Assert.Equal(2UL, map.ById(2)!.Id);
        Assert.Null(map.ById(0));
        Assert.Null(map.ById(5));
        Assert.Equal(2UL, map.ById(2)!.ReplicaOn(NodeIdentity.IdOf("n3"))!.ReplicaId);
        Assert.Null(map.ById(2)!.ReplicaOn(NodeIdentity.IdOf("n1")));
    }

    [Fact]
    public void Shards_are_sorted_by_range_whatever_their_ids_and_order()
    {
        var map = new ShardMap([Shard(1, 0x80, 0), Shard(9, 0, 0x40), Shard(4, 0x40, 0x80)]);
        Assert.Equal([9UL, 4UL, 1UL], map.Shards.Select(s => s.Id));
    }

    public static TheoryData<string, ShardDescription[]> NotTiling() => new()
    {
        { "there is no shard", [] },
        { "below", [Shard(1, 1, 0)] },
        { "above", [Shard(1, 0, 5)] },
        { "between", [Shard(1, 0, 5), Shard(2, 6, 0)] },
        { "overlap", [Shard(1, 0, 6), Shard(2, 5, 0)] },
        { "overlap", [Shard(1, 0, 0), Shard(2, 5, 0)] },
        { "overlap", [Shard(1, 0, 0), Shard(2, 0, 0)] },
        { "occurs twice", [Shard(1, 0, 5), Shard(1, 5, 0)] },
    };

    [Theory]
    [MemberData(nameof(NotTiling), DisableDiscoveryEnumeration = true)]
    public void A_map_that_does_not_tile_the_space_with_distinct_ids_is_refused(string named, ShardDescription[] shards) =>
        Assert.Contains(named, Assert.Throws<InvalidShardMapException>(() => new ShardMap(shards)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_shard_that_breaks_its_invariants_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Shard(0, 0, 0));
        Assert.Throws<ArgumentException>(() => new ShardReplica(0, "n1"));
        Assert.Throws<ArgumentException>(() => new ShardReplica(1, "no name"));
        Assert.Throws<ArgumentException>(() => Shard(1, 0, 0, new ShardReplica(1, "n1"), new ShardReplica(2, "n1")));
        Assert.Throws<ArgumentException>(() => Shard(1, 0, 0, new ShardReplica(1, "n1"), new ShardReplica(1, "n2")));
        Assert.Throws<ArgumentException>(() => Shard(1, 0, 0, new ShardReplica(1, "n1", ReplicaRole.Learner)));
        Assert.Throws<ArgumentException>(() => new ShardDescription(1, HashRange.Full, new ShardEpoch(1, 0), [new ShardReplica(1, "n1")]));
    }

    [Fact]
    public void Descriptions_are_equal_when_their_replicas_are() => Assert.Equal(Shard(1, 0, 5, new ShardReplica(1, "n1")), Shard(1, 0, 5, new ShardReplica(1, "n1")));

    /// <summary>The format is for ever: this file is never changed, a new version gets a new one beside it (design §12).</summary>
    [Fact]
    public void The_file_of_format_version_1_is_written_and_read_byte_for_byte()
    {
        var map = new ShardMap(
            [
                new ShardDescription(1, new HashRange(0, 1UL << 63), ShardEpoch.Initial, [new ShardReplica(1, "n1"), new ShardReplica(2, "n2"), new ShardReplica(3, "n-3.example_org")]),
                new ShardDescription(7, new HashRange(1UL << 63, 0), new ShardEpoch(3, ulong.MaxValue), [new ShardReplica((9UL << 16) + 4, "n2"), new ShardReplica(ulong.MaxValue, "n1", ReplicaRole.Learner)]),
            ],
            leaseReads: true);
        byte[] golden = Resource.Bytes("shard-map-v1.json");
        Assert.Equal(Encoding.UTF8.GetString(golden), Encoding.UTF8.GetString(map.ToFile()));
        ShardMap read = ShardMap.FromFile(golden);
        Assert.Equal(map.Shards.AsEnumerable(), read.Shards.AsEnumerable());
        Assert.True(read.LeaseReads);
    }

    /// <summary>Equals <c>xxhsum -H1 Golden/shard-map-v1.json</c>.</summary>
    [Fact]
    public void The_digest_is_that_of_the_file() =>
        Assert.Equal("b8f4ab885faba537", HashRange.FormatBound(ShardMap.FromFile(Resource.Bytes("shard-map-v1.json")).Digest()));

    [Fact]
    public void The_digest_does_not_depend_on_the_layout_of_the_file_that_was_read()
    {
        ShardMap map = ShardMap.Initial(ThreeNodes, 8, 3);
        string flat = Encoding.UTF8.GetString(map.ToFile()).Replace("\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal(map.Digest(), ShardMap.FromFile(Encoding.UTF8.GetBytes(flat)).Digest());
    }

    [Fact]
    public void Maps_that_differ_have_different_digests()
    {
        ulong[] digests =
        [
            ShardMap.Initial(ThreeNodes, 8, 3).Digest(),
            ShardMap.Initial(ThreeNodes, 8, 2).Digest(),
            ShardMap.Initial(ThreeNodes, 7, 3).Digest(),
            ShardMap.Initial(["n1", "n2", "n4"], 8, 3).Digest(),
            ShardMap.Initial(ThreeNodes, 8, 3, leaseReads: true).Digest(),
        ];
        Assert.Equal(digests.Length, digests.Distinct().Count());
    }

    [Fact]
    public void Every_initial_map_can_be_read_back() =>
        Prop.ForAll(Gen.Choose(1, 100).ToArbitrary(), Gen.Choose(1, 3).ToArbitrary(), ArbMap.Default.ArbFor<bool>(), (shards, replicas, lease) =>
        {
            ShardMap map = ShardMap.Initial(ThreeNodes, shards, replicas, lease);
            ShardMap read = ShardMap.FromFile(map.ToFile());
            return map.Shards.SequenceEqual(read.Shards) && read.LeaseReads == lease;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("", "", "")]
    [InlineData("\"formatVersion\": 1", "\"formatVersion\": 2", "format version 2")]
    [InlineData("\"leaseReads\"", "\"leaseRead\"", "leaseRead")]
    [InlineData("\"leaseReads\": true,", "", "leaseReads")]
    [InlineData("\"leaseReads\": true,", "\"leaseReads\": true, \"leaseReads\": true,", "leaseReads")]
    [InlineData("\"8000000000000000\"", "\"800000000000000\"", "bound")]
    [InlineData("\"end\": \"8000000000000000\"", "\"end\": \"4000000000000000\"", "between")]
    [InlineData("\"learner\"", "\"witness\"", "witness")]
    [InlineData("\"18446744073709551615\"", "\"18446744073709551616\"", "replica id")]
    [InlineData("\"18446744073709551615\"", "\"-1\"", "replica id")]
    [InlineData("\"id\": 7", "\"id\": 1", "occurs twice")]
    [InlineData("\"id\": 7", "\"id\": 0", "shard id 0")]
    [InlineData("\"id\": 7", "\"id\": -7", "")]
    [InlineData("\"n-3.example_org\"", "\"n/3\"", "n/3")]
    [InlineData("\"n-3.example_org\"", "null", "")]
    [InlineData("\"shards\": [", "\"shards\": [ null,", "null")]
    [InlineData("\"replicas\": [", "\"replicas\": [ null,", "null")]
    public void A_damaged_file_is_refused_in_one_line_that_names_the_fault(string find, string replace, string named)
    {
        string golden = Encoding.UTF8.GetString(Resource.Bytes("shard-map-v1.json"));
        string damaged = find.Length == 0 ? "" : golden.Replace(find, replace, StringComparison.Ordinal);
        Assert.NotEqual(golden, damaged);
        string message = Assert.Throws<InvalidShardMapException>(() => ShardMap.FromFile(Encoding.UTF8.GetBytes(damaged))).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"formatVersion\": 1}")]
    [InlineData("{\"formatVersion\": 1, \"leaseReads\": false, \"shards\": null}")]
    [InlineData("{\"formatVersion\": 1, \"leaseReads\": false, \"shards\": []}")]
    public void What_is_no_map_is_refused(string text) => Assert.Throws<InvalidShardMapException>(() => ShardMap.FromFile(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void A_file_cut_short_anywhere_is_refused()
    {
        byte[] golden = Resource.Bytes("shard-map-v1.json");
        // Without the last newline it is still whole.
        for (int length = 0; length < golden.Length - 1; length++) Assert.Throws<InvalidShardMapException>(() => ShardMap.FromFile(golden.AsSpan(0, length)));
    }
}
