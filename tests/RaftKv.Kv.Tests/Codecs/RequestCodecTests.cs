using FsCheck;
using FsCheck.Fluent;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Tests;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv.Tests.Codecs;

/// <summary>Requests stand in log entries and responses cross the wire, so both outlive this version.</summary>
public sealed class RequestCodecTests
{
    private const string File = "requests-v1.txt";

    private static readonly KvResponse Served = new()
    {
        Node = "n1",
        Group = new GroupId(0x0102),
        Epoch = new ShardEpoch(3, 4),
        Term = new Term(5),
        Index = new LogIndex(6),
        Revision = 7,
        PrevRevision = 8,
        Created = 9,
        Version = 10,
        Existed = true,
        Value = new byte[] { 0x00, 0xFF },
    };

    private static readonly KvResponse Replayed = Served with { IsReplay = true, TtlMillis = 0x2122232425262728, Value = default };

    private static readonly KvResponse Stale = Served with { AgeMicros = 0x3132333435363738 };

    private static readonly KvResponse Several = Served with { Value = default, Succeeded = true, Items = [Replayed, KvResponse.Fail(ErrorCode.WrongShard, "", "n1")] };

    private static readonly KvResponse Refused = KvResponse.Fail(ErrorCode.NoLeader, "not here — there", "n2", new GroupId(1)) with { LeaderHint = new NodeId(0x0A0B) };

    private static readonly KvBatch Batch = new(
        0x4142434445464748, [new KvBatchItem(2, new KvRequest(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray(), TtlMillis: 9)), new KvBatchItem(5, new KvRequest(KvOperation.Delete, "gone"u8.ToArray()))]);

    private static readonly KvGets Gets = new(0x51525354, [new KvRequest(KvOperation.Get, "key"u8.ToArray()), new KvRequest(KvOperation.Get, "past"u8.ToArray(), Revision: 7)]);

    private static readonly KvTxn Txn = new(
        [new KvCompare("key"u8.ToArray(), KvTarget.Revision, KvRelation.Greater, 0x6162636465666768), new KvCompare("other"u8.ToArray(), KvTarget.Value, KvRelation.NotEqual, 0, "v"u8.ToArray())],
        [new KvRequest(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray(), TtlMillis: 9), new KvRequest(KvOperation.Get, "other"u8.ToArray())],
        [new KvRequest(KvOperation.Delete, "key"u8.ToArray())]);

    private static readonly KvListRequest List = new(new HashRange(0x7172737475767778, 0), "from"u8.ToArray(), "to"u8.ToArray(), 7, 8, 9, KeysOnly: true);

    private static readonly KvListChunk Chunk = new(
        new HashRange(1, 2), 3, "next"u8.ToArray(), 2, [new KvRow("a"u8.ToArray(), 4, 5, 6, 7, false, "value"u8.ToArray()), new KvRow("b"u8.ToArray(), 8, 9, 10, 0, true, default)]);

    private static readonly KvRequest[] Requests =
    [
        new(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray()),
        new(KvOperation.Put, new byte[] { 0x00 }, Array.Empty<byte>(), KvCondition.RevisionIs, 0x0102030405060708),
        new(KvOperation.Put, "key"u8.ToArray(), "v"u8.ToArray(), KvCondition.Absent),
        new(KvOperation.Put, "key"u8.ToArray(), "value"u8.ToArray(), TtlMillis: 0x1112131415161718, IdempotencyKey: "id-1"u8.ToArray()),
        new(KvOperation.Delete, "key"u8.ToArray(), default, KvCondition.RevisionIs, 9),
        new(KvOperation.Expire, default),
        new(KvOperation.Get, "key"u8.ToArray()),
        new(KvOperation.Get, "key"u8.ToArray(), Revision: 0x0102030405060708, Consistency: KvConsistency.Stale),
        new(KvOperation.Batch, default, Batch.Encode(), IdempotencyKey: "id-1"u8.ToArray()),
        new(KvOperation.GetMany, default, Gets.Encode()),
        new(KvOperation.Txn, default, Txn.Encode(), IdempotencyKey: "id-1"u8.ToArray()),
        new(KvOperation.ReadTxn, default, (Txn with { Then = [], Else = [] }).Encode()),
        new(KvOperation.List, default, List.Encode()),
        new(KvOperation.Recall, "key"u8.ToArray(), new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }, IdempotencyKey: "id-1"u8.ToArray()),
    ];

    private static readonly Arbitrary<KvRequest> AnyRequest = (
        from operation in Gen.Elements(KvOperation.Put, KvOperation.Delete, KvOperation.Expire, KvOperation.Get)
        from condition in Gen.Elements(Enum.GetValues<KvCondition>())
        from first in ArbMap.Default.ArbFor<byte>().Generator
        from rest in ArbMap.Default.ArbFor<byte[]>().Generator
        from ttl in ArbMap.Default.ArbFor<ulong>().Generator
        from idempotencyKey in ArbMap.Default.ArbFor<byte[]>().Generator.Select(bytes => bytes.Take(KvRequest.MaxIdempotencyKeyBytes).ToArray())
        from value in ArbMap.Default.ArbFor<byte[]>().Generator
        from consistency in Gen.Elements(Enum.GetValues<KvConsistency>())
        from revision in ArbMap.Default.ArbFor<ulong>().Generator
        select operation == KvOperation.Expire
            ? new KvRequest(operation, default)
            : new KvRequest(operation, new byte[] { first }.Concat(rest).ToArray(), value, condition, revision, ttl, idempotencyKey, (byte)operation < 16 ? default : consistency)).ToArbitrary();

    [Fact]
    public void What_is_written_is_what_version_1_wrote() => GoldenHex.AssertEqual(File, Cases());

    [Fact]
    public void What_version_1_wrote_is_read_as_what_it_meant()
    {
        byte[][] golden = [.. GoldenHex.Load(File).Values];
        for (int i = 0; i < Requests.Length; i++) AssertSame(Requests[i], KvRequest.Decode(golden[i]));
        AssertSame(Served, Read(golden[^5]));
        AssertSame(Stale, Read(golden[^4]));
        AssertSame(Replayed, Read(golden[^3]));
        AssertSame(Several, Read(golden[^2]));
        AssertSame(Refused, Read(golden[^1]));
    }

    [Fact]
    public void Requests_can_be_read_back() =>
        Prop.ForAll(AnyRequest, request => AssertSame(request, KvRequest.Decode(request.Encode()))).QuickCheckThrowOnFailure();

    [Fact]
    public void A_put_whose_value_comes_later_has_the_same_bytes() =>
        Prop.ForAll(AnyRequest, request =>
        {
            byte[] bytes = (request with { Value = default }).EncodeFor(request.Value.Length, out Memory<byte> value);
            request.Value.CopyTo(value);
            Assert.Equal(request.Value.Length, value.Length);
            Assert.Equal(request.Encode(), bytes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_truncation_and_every_byte_too_many_is_malformed()
    {
        foreach (KvRequest request in Requests)
        {
            byte[] bytes = request.Encode();
            for (int length = 0; length < bytes.Length; length++) Assert.Throws<MalformedException>(() => KvRequest.Decode(bytes.AsMemory(0, length)));
            Assert.Throws<MalformedException>(() => KvRequest.Decode((byte[])[.. bytes, 0]));
        }

        foreach (KvResponse response in new[] { Served, Stale, Replayed, Several, Refused })
        {
            byte[] bytes = Encode(response);
            for (int length = 0; length < bytes.Length; length++) Assert.Throws<MalformedException>(() => Read(bytes[..length]));
        }
    }

    [Fact]
    public void Random_bytes_are_malformed_or_something_never_anything_else()
    {
        Random random = new(7);
        byte[][] valid = [.. Cases().Select(item => item.Bytes)];
        for (int i = 0; i < 40_000; i++)
        {
            byte[] start = valid[random.Next(valid.Length)];
            byte[] bytes = new byte[random.Next(2 * start.Length)];
            random.NextBytes(bytes);
            start.AsSpan(0, Math.Min(random.Next(start.Length), bytes.Length)).CopyTo(bytes);
            OnlyMalformed(() => KvRequest.DecodeWhole(bytes));
            OnlyMalformed(() => Read(bytes));
        }
    }

    [Fact]
    public void An_empty_key_is_malformed_but_for_expire_which_has_none()
    {
        Assert.Throws<MalformedException>(() => KvRequest.Decode(new KvRequest(KvOperation.Get, default).Encode()));
        Assert.Throws<MalformedException>(() => KvRequest.Decode(new KvRequest(KvOperation.Expire, "key"u8.ToArray()).Encode()));
        AssertSame(new KvRequest(KvOperation.Expire, default), KvRequest.Decode(KvRequest.ExpireCommand));
    }

    /// <summary>A newer node's; and a write that any replica may serve is none.</summary>
    [Theory]
    [InlineData(KvOperation.Get, 3)]
    [InlineData(KvOperation.Put, 1)]
    [InlineData(KvOperation.Delete, 1)]
    [InlineData(KvOperation.Put, 2)]
    public void A_consistency_that_the_operation_does_not_know_is_malformed(KvOperation operation, byte consistency) =>
        Assert.Throws<MalformedException>(() => KvRequest.Decode(new KvRequest(operation, "key"u8.ToArray(), Consistency: (KvConsistency)consistency).Encode()));

    [Fact]
    public void Whether_a_request_has_an_idempotency_key_is_seen_in_its_bytes() =>
        Prop.ForAll(AnyRequest, request => KvRequest.HasIdempotencyKey(request.Encode()) == !request.IdempotencyKey.IsEmpty).QuickCheckThrowOnFailure();

    /// <summary>A newer node's error says nothing about what was applied; so neither do we.</summary>
    [Fact]
    public void An_error_that_this_build_does_not_know_is_an_unknown_outcome()
    {
        byte[] bytes = Encode(Refused);
        int at = bytes.AsSpan().IndexOf("no-leader"u8);
        "no-leadxx"u8.CopyTo(bytes.AsSpan(at));
        Assert.Same(ErrorCode.OutcomeUnknown, Read(bytes).Error);
    }

    [Fact]
    public void Every_error_code_survives_the_wire()
    {
        foreach (ErrorCode error in ErrorCode.All) AssertSame(KvResponse.Fail(error, "détail", "n9"), Read(Encode(KvResponse.Fail(error, "détail", "n9"))));
    }

    [Fact]
    public void What_stands_in_requests_on_several_keys_can_be_read_back_and_every_truncation_is_malformed()
    {
        KvBatch batch = KvBatch.Decode(Batch.Encode());
        Assert.Equal(Batch.Fingerprint, batch.Fingerprint);
        Assert.Equal([2u, 5u], batch.Items.Select(item => item.Position));
        for (int i = 0; i < 2; i++) AssertSame(Batch.Items[i].Request, batch.Items[i].Request);
        KvGets gets = KvGets.Decode(Gets.Encode());
        Assert.Equal(Gets.MaxValueBytes, gets.MaxValueBytes);
        for (int i = 0; i < 2; i++) AssertSame(Gets.Gets[i], gets.Gets[i]);
        KvTxn txn = KvTxn.Decode(Txn.Encode());
        Assert.Equal((2, 2, 1), (txn.Compare.Length, txn.Then.Length, txn.Else.Length));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(Txn.Compare[i] with { Key = default, Value = default }, txn.Compare[i] with { Key = default, Value = default });
            Assert.Equal(Txn.Compare[i].Key.ToArray(), txn.Compare[i].Key.ToArray());
            Assert.Equal(Txn.Compare[i].Value.ToArray(), txn.Compare[i].Value.ToArray());
            AssertSame(Txn.Then[i], txn.Then[i]);
        }

        AssertSame(Txn.Else[0], txn.Else[0]);
        Assert.Equal("key"u8, txn.SmallestKey.Span);
        foreach (KvRequest request in Requests[^6..])
            for (int length = 0; length <= request.Value.Length; length++)
            {
                KvRequest cut = request with { Value = length == request.Value.Length ? (byte[])[.. request.Value.Span, 0] : request.Value[..length] };
                Assert.Throws<MalformedException>(() => KvRequest.DecodeWhole(cut.Encode()));
            }
    }

    [Fact]
    public void A_list_and_its_chunk_can_be_read_back_and_every_truncation_is_malformed()
    {
        foreach (KvListRequest list in new[] { List, List with { KeysOnly = false, CountOnly = true, Start = default, End = default } })
        {
            KvListRequest read = KvListRequest.Decode(list.Encode());
            Assert.Equal(list with { Start = default, End = default }, read with { Start = default, End = default });
            Assert.Equal(list.Start.ToArray(), read.Start.ToArray());
            Assert.Equal(list.End.ToArray(), read.End.ToArray());
        }

        KvListChunk chunk = KvListChunk.Decode(Chunk.Encode());
        Assert.Equal((Chunk.Covered, 3UL, 2UL), (chunk.Covered, chunk.Revision, chunk.Count));
        Assert.Equal("next"u8, chunk.Next!.Value.Span);
        Assert.Equal(Chunk.Rows.Select(row => $"{row with { Key = default, Value = default }} {Convert.ToHexString(row.Key.Span)} {Convert.ToHexString(row.Value.Span)}"), chunk.Rows.Select(row => $"{row with { Key = default, Value = default }} {Convert.ToHexString(row.Key.Span)} {Convert.ToHexString(row.Value.Span)}"));
        Assert.Null(KvListChunk.Decode((Chunk with { Next = null }).Encode()).Next);
        Assert.Equal(0, KvListChunk.Decode((Chunk with { Next = Array.Empty<byte>() }).Encode()).Next!.Value.Length);
        byte[] bytes = Chunk.Encode();
        for (int length = 0; length < bytes.Length; length++) Assert.Throws<MalformedException>(() => KvListChunk.Decode(bytes.AsMemory(0, length)));
        Assert.Throws<MalformedException>(() => KvListChunk.Decode((byte[])[.. bytes, 0]));
        Assert.Throws<MalformedException>(() => KvListRequest.Decode((List with { MaxRows = 0 }).Encode()));
        Assert.Throws<MalformedException>(() => KvListRequest.Decode((byte[])[4, .. List.Encode()[1..]]));
    }

    [Fact]
    public void Items_within_items_are_malformed() =>
        Assert.Throws<MalformedException>(() => Read(Encode(Several with { Items = [Several] })));

    private static IEnumerable<(string Name, byte[] Bytes)> Cases()
    {
        string[] names = ["put", "put if revision", "put if absent", "put with ttl and idempotency key", "delete if revision", "expire", "get", "stale get at a revision", "batch", "get many", "txn", "read txn", "list", "recall"];
        for (int i = 0; i < names.Length; i++) yield return (names[i], Requests[i].Encode());
        yield return ("list chunk", Chunk.Encode());
        yield return ("last list chunk", (Chunk with { Next = null, Rows = [] }).Encode());
        yield return ("response served", Encode(Served));
        yield return ("response stale", Encode(Stale));
        yield return ("response replayed", Encode(Replayed));
        yield return ("response of items", Encode(Several));
        yield return ("response refused", Encode(Refused));
    }

    private static void OnlyMalformed(Action read)
    {
        try
        {
            read();
        }
        catch (MalformedException)
        {
        }
    }

    private static void AssertSame(KvRequest expected, KvRequest actual)
    {
        Assert.Equal(expected with { Key = default, Value = default, IdempotencyKey = default }, actual with { Key = default, Value = default, IdempotencyKey = default });
        Assert.Equal(expected.Key.ToArray(), actual.Key.ToArray());
        Assert.Equal(expected.IdempotencyKey.ToArray(), actual.IdempotencyKey.ToArray());
        Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
    }

    private static void AssertSame(KvResponse expected, KvResponse actual)
    {
        Assert.Equal(expected with { Value = default, Items = [] }, actual with { Value = default, Items = [] });
        Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
        Assert.Equal(expected.Items.Length, actual.Items.Length);
        for (int i = 0; i < expected.Items.Length; i++) AssertSame(expected.Items[i], actual.Items[i]);
    }

    private static byte[] Encode(KvResponse response)
    {
        ByteWriter writer = new();
        response.Write(writer);
        return writer.ToArray();
    }

    private static KvResponse Read(byte[] bytes)
    {
        ByteReader reader = new(bytes);
        return KvResponse.Read(ref reader);
    }
}
