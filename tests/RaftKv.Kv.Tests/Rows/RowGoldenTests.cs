using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Tests;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.Rows;

/// <summary>All rows that a fixed run of entries leaves in a store, as version 1 of the layout: every later version reads such stores.</summary>
public sealed class RowGoldenTests
{
    private const string File = "rows-v1.txt";
    private const ulong Stamp = 0x0000_0198_0000_0001;
    private static readonly KvRequest Keyed = new(KvOperation.Put, "t"u8.ToArray(), "later"u8.ToArray(), TtlMillis: 2_000, IdempotencyKey: "id-1"u8.ToArray());
    private static readonly KvRequest KeyedRefused = new(KvOperation.Put, new byte[] { 0x00 }, default, KvCondition.RevisionIs, 9, IdempotencyKey: "id-2"u8.ToArray());

    [Fact]
    public void The_rows_are_what_version_1_wrote()
    {
        using SimStore store = new();
        Run(store);
        GoldenHex.AssertEqual(File, Shard.RowsOf(store).SelectMany((row, i) => new[] { ($"key {i}", row.Key), ($"value {i}", row.Value) }));
    }

    [Fact]
    public void What_version_1_wrote_is_read_as_what_it_meant()
    {
        Dictionary<string, byte[]> golden = GoldenHex.Load(File);
        using SimStore store = new();
        WriteBatch batch = new();
        for (int i = 0; golden.TryGetValue($"key {i}", out byte[]? key); i++) batch.Put(key, golden[$"value {i}"]);
        store.Write(batch);
        using KvStateMachine machine = new(Shard.Id, store, Limits.Default);
        Assert.Equal((18UL, 6UL, 6UL, Stamp), (machine.Applied.Value, machine.Meta.AppliedTerm.Value, machine.Meta.Revision, machine.Meta.ShardTimeMillis));
        KvRead kept = machine.Get("a"u8);
        Assert.Equal((3UL, 1UL, 2UL, "two"), (kept.Revision, kept.Created, kept.Version, System.Text.Encoding.UTF8.GetString(kept.Value!)));
        Assert.Null(machine.Get([0x00, 0x01]).Value);
        KvRead passing = machine.Get("t"u8);
        Assert.Equal((6UL, 5UL, 2UL, 2_000UL), (passing.Revision, passing.Created, passing.Version, passing.TtlMillis));
        Assert.Equal((0UL, 2UL), (machine.Meta.DedupFloorMillis, machine.Meta.DedupRecords));
        Assert.Equal(Stamp + 2_000, machine.NextDeadlineMillis);
        machine.Begin();
        KvApplied replay = (KvApplied)machine.Apply(Command(machine, Keyed), true)!;
        KvApplied refused = (KvApplied)machine.Apply(Command(machine, KeyedRefused), true)!;
        machine.Commit();
        Assert.Equal(new KvApplied(null, 6, 5, 5, 2, true, ShardEpoch.Initial, new LogIndex(17), new Term(6)), replay);
        Assert.Equal(new KvApplied(ErrorCode.PreconditionFailed, 0, 0, 0, 0, false, ShardEpoch.Initial, new LogIndex(18), new Term(6)), refused);
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
        ];
        machine.Begin();
        foreach (var (payload, stamp) in entries) machine.Apply(new Entry(machine.Applied.Next, new Term(6), EntryKind.Command, 0, stamp, 0, payload), false);
        machine.Commit();
    }

    private static Entry Command(KvStateMachine machine, KvRequest request) => new(machine.Applied.Next, new Term(7), EntryKind.Command, 0, 0, 0, request.Encode());
}
