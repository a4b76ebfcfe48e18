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
        using KvStateMachine machine = new(Shard.Id, store);
        Assert.Equal((15UL, 6UL, 4UL, 0x0000_0198_0000_0001UL), (machine.Applied.Value, machine.Meta.AppliedTerm.Value, machine.Meta.Revision, machine.Meta.ShardTimeMillis));
        KvRead kept = machine.Get("a"u8);
        Assert.Equal((3UL, 1UL, 2UL, "two"), (kept.Revision, kept.Created, kept.Version, System.Text.Encoding.UTF8.GetString(kept.Value!)));
        Assert.Null(machine.Get([0x00, 0x01]).Value);
    }

    private static void Run(SimStore store)
    {
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(HashRange.Full));
        using KvStateMachine machine = new(Shard.Id, store);
        (byte[] Payload, ulong Stamp)[] entries =
        [
            (new KvRequest(KvOperation.Put, "a"u8.ToArray(), "one"u8.ToArray()).Encode(), 0),
            (new KvRequest(KvOperation.Put, new byte[] { 0x00, 0x01 }, Array.Empty<byte>(), KvCondition.Absent).Encode(), 0x0000_0198_0000_0001),
            (new KvRequest(KvOperation.Put, "a"u8.ToArray(), "two"u8.ToArray(), KvCondition.RevisionIs, 1).Encode(), 5),
            (new KvRequest(KvOperation.Delete, new byte[] { 0x00, 0x01 }).Encode(), 0),
            (new KvRequest(KvOperation.Delete, "never"u8.ToArray()).Encode(), 0),
        ];
        machine.Begin();
        foreach (var (payload, stamp) in entries) machine.Apply(new Entry(machine.Applied.Next, new Term(6), EntryKind.Command, 0, stamp, 0, payload), false);
        machine.Commit();
    }
}
