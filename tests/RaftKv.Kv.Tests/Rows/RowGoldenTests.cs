using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Tests;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.Rows;

/// <summary>All rows that a fixed run of entries leaves in a store, as versions of the layout wrote them: every later version reads such stores.</summary>
public sealed class RowGoldenTests
{
    /// <summary>Version 1 knew no compaction of history: another meta row, no history row.</summary>
    private const string Version1 = "rows-v1.txt";
    /// <summary>Version 2's change index did not say what a change superseded.</summary>
    private const string Version2 = "rows-v2.txt";
    private const string Version3 = "rows-v3.txt";
    private const ulong Stamp = 0x0000_0198_0000_0001;
    private static readonly KvRequest Keyed = new(KvOperation.Put, "t"u8.ToArray(), "later"u8.ToArray(), TtlMillis: 2_000, IdempotencyKey: "id-1"u8.ToArray());
    private static readonly KvRequest Batch = new(
        KvOperation.Batch, default, new KvBatch(0x7172737475767778, [new KvBatchItem(1, new KvRequest(KvOperation.Put, "b"u8.ToArray(), "B1"u8.ToArray())), new KvBatchItem(4, new KvRequest(KvOperation.Delete, "a"u8.ToArray()))]).Encode(),
        IdempotencyKey: "id-3"u8.ToArray());

    private static readonly KvRequest Txn = new(
        KvOperation.Txn, default, new KvTxn(
            [new KvCompare("t"u8.ToArray(), KvTarget.Exists, KvRelation.Equal, 1)],
            [Put("c", "C"), Put("d", "D"), new KvRequest(KvOperation.Get, "b"u8.ToArray()), new KvRequest(KvOperation.Delete, "t"u8.ToArray())],
            []).Encode(),
        IdempotencyKey: "id-4"u8.ToArray());

    private static readonly KvRequest KeyedRefused = new(KvOperation.Put, new byte[] { 0x00 }, default, KvCondition.RevisionIs, 9, IdempotencyKey: "id-2"u8.ToArray());

    [Fact]
    public void The_rows_are_what_version_3_wrote()
    {
        using SimStore store = new();
        Run(store);
        GoldenHex.AssertEqual(Version3, Shard.RowsOf(store).SelectMany((row, i) => new[] { ($"key {i}", row.Key), ($"value {i}", row.Value) }));
    }

    [Theory]
    [InlineData(Version1)]
    [InlineData(Version2)]
    [InlineData(Version3)]
    public void What_earlier_versions_wrote_is_read_as_what_it_meant(string file)
    {
        using SimStore store = new();
        Load(store, file);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        Assert.Equal((20UL, 6UL, 9UL, Stamp), (machine.Applied.Value, machine.Meta.AppliedTerm.Value, machine.Meta.Revision, machine.Meta.ShardTimeMillis));
        KvRead kept = machine.Get("a"u8, revision: 7);
        Assert.Equal((3UL, 1UL, 2UL, "two"), (kept.Revision, kept.Created, kept.Version, System.Text.Encoding.UTF8.GetString(kept.Value!)));
        Assert.Null(machine.Get([0x00, 0x01]).Value);
        KvRead passing = machine.Get("d"u8);
        Assert.Equal((9UL, 9UL, 1UL, 3_000UL), (passing.Revision, passing.Created, passing.Version, passing.TtlMillis));
        Assert.Equal((0UL, 5UL), (machine.Meta.DedupFloorMillis, machine.Meta.DedupRecords));
        Assert.Equal(Stamp + 3_000, machine.NextDeadlineMillis);
        machine.Begin();
        KvApplied replay = (KvApplied)machine.Apply(Command(machine, Keyed), true)!;
        KvApplied refused = (KvApplied)machine.Apply(Command(machine, KeyedRefused), true)!;
        KvApplied[] items = (KvApplied[])machine.Apply(Command(machine, Batch), true)!;
        KvTxnApplied txn = (KvTxnApplied)machine.Apply(Command(machine, Txn), true)!;
        machine.Commit();
        Assert.All(items, item => Assert.Equal((new LogIndex(19), new Term(6)), (item.FirstIndex, item.FirstTerm)));
        Assert.Equal([(7UL, 0UL), (8UL, 3UL)], items.Select(item => (item.Revision, item.PrevRevision)));
        Assert.Equal((true, 9UL, new LogIndex(20), "B1"), (txn.Succeeded, txn.Revision, txn.FirstIndex, System.Text.Encoding.UTF8.GetString(txn.Items[2].Value.Span)));
        Assert.Equal(new KvApplied(null, 6, 5, 5, 2, true, ShardEpoch.Initial, new LogIndex(17), new Term(6)), replay);
        Assert.Equal(new KvApplied(ErrorCode.PreconditionFailed, 0, 0, 0, 0, false, ShardEpoch.Initial, new LogIndex(18), new Term(6)), refused);
    }

    /// <summary>What a change superseded, of the rows of older versions is found out from the key's versions.</summary>
    [Theory]
    [InlineData(Version1)]
    [InlineData(Version2)]
    [InlineData(Version3)]
    public void The_history_of_earlier_versions_is_compacted(string file)
    {
        using SimStore store = new();
        Load(store, file);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default with { HistoryMillis = 1, HistoryRevisions = 1 });
        machine.Begin();
        machine.Apply(new Entry(machine.Applied.Next, new Term(7), EntryKind.Command, 0, Stamp + 1, 0, Put("a", "again").Encode()), false);
        machine.Apply(new Entry(machine.Applied.Next, new Term(7), EntryKind.Command, 0, Stamp + 2, 0, Put("a", "and again").Encode()), false);
        for (ulong i = 3; i < 5; i++) machine.Apply(new Entry(machine.Applied.Next, new Term(7), EntryKind.Command, 0, Stamp + i, 0, KvRequest.ExpireCommand), false);
        machine.Commit();
        Assert.Equal((10UL, 10UL), (machine.Meta.CompactRevision, machine.Meta.SweptRevision));
        string[] versions = [.. Shard.RowsOf(store).Where(row => row.Key[0] == RowLayout.VersionTag).Select(row => $"{(char)row.Key[1]}@{~System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(row.Key.AsSpan(row.Key.Length - 8))}")];
        Assert.Equal(["a@11", "a@10", "b@7", "c@9", "d@9"], versions);
    }

    private static void Load(SimStore store, string file)
    {
        Dictionary<string, byte[]> golden = GoldenHex.Load(file);
        WriteBatch batch = new();
        for (int i = 0; golden.TryGetValue($"key {i}", out byte[]? key); i++) batch.Put(key, golden[$"value {i}"]);
        store.Write(batch);
    }

    private static void Run(SimStore store)
    {
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(HashRange.Full), Configuration.Empty);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        (byte[] Payload, ulong Stamp)[] entries =
        [
            (new KvRequest(KvOperation.Put, "a"u8.ToArray(), "one"u8.ToArray()).Encode(), 0),
            (new KvRequest(KvOperation.Put, new byte[] { 0x00, 0x01 }, Array.Empty<byte>(), KvCondition.Absent).Encode(), Stamp),
            (new KvRequest(KvOperation.Put, "a"u8.ToArray(), "two"u8.ToArray(), KvCondition.RevisionIs, 1).Encode(), 5),
            (new KvRequest(KvOperation.Delete, new byte[] { 0x00, 0x01 }).Encode(), 0),
            (new KvRequest(KvOperation.Delete, "never"u8.ToArray()).Encode(), 0),
            (new KvRequest(KvOperation.Put, "t"u8.ToArray(), "soon"u8.ToArray(), TtlMillis: 1_000).Encode(), 0),
            (Keyed.Encode(), 0),
            (KeyedRefused.Encode(), 0),
            (Batch.Encode(), 0),
            (Txn.Encode(), 0),
        ];
        machine.Begin();
        foreach (var (payload, stamp) in entries) machine.Apply(new Entry(machine.Applied.Next, new Term(6), EntryKind.Command, 0, stamp, 0, payload), false);
        machine.Commit();
    }

    private static KvRequest Put(string key, string value) => new(KvOperation.Put, System.Text.Encoding.UTF8.GetBytes(key), System.Text.Encoding.UTF8.GetBytes(value), TtlMillis: 3_000);

    private static Entry Command(KvStateMachine machine, KvRequest request) => new(machine.Applied.Next, new Term(7), EntryKind.Command, 0, 0, 0, request.Encode());
}
