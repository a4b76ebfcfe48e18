using RaftKv.Contracts;
using RaftKv.Raft;
using RaftKv.Simulator;

namespace RaftKv.Kv.Tests.StateMachine;

/// <summary>Random runs of entries against <see cref="Model"/>, in batches cut at random.</summary>
public sealed class ModelComparisonTests
{
    private const int Seeds = 150;
    private const int Count = 150;

    [Fact]
    public void Results_reads_and_revisions_are_the_models()
    {
        HashSet<string> seen = [];
        HashSet<string> seenTxn = [];
        for (int seed = 1; seed <= Seeds; seed++)
        {
            Random random = new(seed);
            Model model = new(Entries.Half, Entries.Limits);
            using SimStore store = Born();
            using KvStateMachine machine = Machine(store, seed);
            foreach (Entry[] batch in Entries.Batches(random, Entries.Random(random, Count)))
            {
                machine.Begin();
                foreach (Entry entry in batch)
                {
                    ulong before = model.Revision;
                    object[] expected = model.Apply(entry);
                    bool wantsResult = random.Next(4) > 0;
                    object[] actual = ResultsOf(machine.Apply(entry, wantsResult));
                    Assert.Equal((seed, entry.Index), (seed, machine.Applied));
                    Assert.Equal(wantsResult ? expected.Select(TextOf) : [], actual.Select(TextOf));
                    if (expected.Length == 0) seen.Add($"none {model.Revision > before}");
                    foreach (KvApplied result in expected.OfType<KvApplied>())
                        seen.Add($"{(expected.Length > 1 ? "item " : "")}{(result.IsReplay ? "replay" : "first")} {result.Error?.ToString() ?? "-"} {result.Existed}");
                    foreach (KvTxnApplied result in expected.OfType<KvTxnApplied>())
                        seenTxn.Add($"{(result.IsReplay ? "replay" : "first")} {result.Error?.ToString() ?? "-"} {result.Succeeded} {model.Revision > before}");
                }

                machine.Commit();
                AssertSame(model, machine, $"seed {seed} at {machine.Applied}");
                if (random.Next(3) > 0) continue; // A look at the whole has the rows held written.
                AssertSameList(model, machine, random, $"seed {seed} at {machine.Applied}");
                AssertSamePast(model, machine, (ulong)random.NextInt64(1, (long)model.Revision + 3), $"seed {seed} at {machine.Applied}");
            }
        }

        // The runs reach every kind of outcome, alone and within a batch: written, deleted, deleted nothing, refused for each reason, replays of each; and
        // what has no result.
        string[] expectedKinds =
        [
            "first - False", "first - True", "first idempotency-key-reused False", "first idempotency-records-full False",
            "first idempotency-window-passed False", "first precondition-failed False", "first precondition-failed True", "first wrong-shard False",
            "replay - False", "replay - True", "replay precondition-failed False", "replay precondition-failed True",
        ];
        Assert.Equal(
            [
                "first - False False", "first - False True", "first - True False", "first - True True", "first batch-too-large False False", "first idempotency-key-reused False False",
                "first idempotency-records-full False False", "first idempotency-window-passed False False", "first wrong-shard False False", "replay - False False", "replay - True False",
            ],
            seenTxn.Order(StringComparer.Ordinal));
        string[] all = [.. expectedKinds, .. expectedKinds.Select(kind => $"item {kind}"), "none False", "none True"];
        Assert.Equal(all.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Equal_entries_leave_equal_rows_and_chain_hash_however_they_are_batched()
    {
        for (int seed = 1; seed <= Seeds; seed++)
        {
            Random random = new(seed);
            Entry[] entries = Entries.Random(random, Count);
            using SimStore first = Born();
            using SimStore second = Born();
            using SimStore single = Born();
            ShardMeta expected = Run(first, Entries.Batches(random, entries));
            Assert.Equal(expected, Run(second, Entries.Batches(random, entries, most: 90)));
            Assert.Equal(expected, Run(single, entries.Select(entry => new[] { entry })));
            Assert.Equal(Shard.TextOf(first), Shard.TextOf(second));
            Assert.Equal(Shard.TextOf(first), Shard.TextOf(single));
        }
    }

    [Fact]
    public void The_chain_hash_differs_for_ever_after_one_entry_that_wrote_something_else()
    {
        for (int seed = 1; seed <= Seeds; seed++)
        {
            Random random = new(seed);
            Entry[] entries = Entries.Random(random, Count);
            Model model = new(Entries.Half, Entries.Limits);
            int[] written = [.. Enumerable.Range(0, Count).Where(i => model.Apply(entries[i]).Any(result => result is KvApplied { Error: null, Version: > 0, IsReplay: false }))];
            int changed = written[random.Next(written.Length)];
            Entry[] others = [.. entries];
            others[changed] = entries[changed] with { Payload = WithOtherValues(KvRequest.Decode(entries[changed].Payload)).Encode() };
            using SimStore one = Born();
            using SimStore other = Born();
            using KvStateMachine left = new(Shard.Id, one, Entries.Limits);
            using KvStateMachine right = new(Shard.Id, other, Entries.Limits);
            for (int i = 0; i < Count; i++)
            {
                ApplyAll(left, [entries[i]]);
                ApplyAll(right, [others[i]]);
                Assert.Equal(i < changed, left.Meta.ChainHash == right.Meta.ChainHash);
            }
        }
    }

    /// <summary>Whatever was applied but not flushed is gone; the log has it, and applying it again leads to the same state.</summary>
    [Fact]
    public void After_crashes_the_rest_is_applied_again_and_nothing_differs()
    {
        for (int seed = 1; seed <= Seeds; seed++)
        {
            Random random = new(seed);
            Entry[] entries = Entries.Random(random, Count);
            using SimStore calm = Born();
            ShardMeta expected = Run(calm, Entries.Batches(random, entries));
            using SimStore store = Born();
            KvStateMachine machine = Machine(store, seed);
            int crashes = 0;
            while (machine.Applied < entries[^1].Index)
            {
                LogIndex from = machine.Applied;
                Entry[] rest = entries[(int)(from.Value - 10)..];
                foreach (Entry[] batch in Entries.Batches(random, rest))
                {
                    ApplyAll(machine, batch);
                    if (random.Next(4) == 0) machine.Flush();
                    if (crashes >= 5 || random.Next(6) > 0) continue;
                    crashes++;
                    LogIndex flushed = ShardMetaOf(store.GetPersisted(RowLayout.MetaKey)!);
                    machine.Dispose();
                    store.Crash();
                    machine = Machine(store, seed);
                    Assert.Equal(flushed, machine.Applied);
                    break;
                }
            }

            Assert.Equal(expected, machine.Meta);
            machine.Flush();
            Assert.Equal(Shard.TextOf(calm), Shard.TextOf(store));
            machine.Dispose();
        }
    }

    private static object[] ResultsOf(object? result) => result switch
    {
        null => [],
        KvApplied[] items => [.. items.Cast<object>()],
        _ => [result],
    };

    private static string TextOf(object result) => result is KvTxnApplied txn
        ? $"{txn with { Items = [] }} {string.Join(' ', txn.Items.Select(item => $"{item with { Value = default }} {Convert.ToHexString(item.Value.Span)}"))}"
        : $"{result}";

    private static KvRequest WithOtherValues(KvRequest request)
    {
        if (request.Operation != KvOperation.Batch) return request with { Value = new byte[] { 1, 2, 3, 4, 5, 6, 7 } };
        KvBatch batch = KvBatch.Decode(request.Value);
        return request with { Value = (batch with { Items = [.. batch.Items.Select(item => item.Request.Operation == KvOperation.Put ? item with { Request = WithOtherValues(item.Request) } : item)] }).Encode() };
    }

    private static LogIndex ShardMetaOf(byte[] metaRow) => new(BitConverter.ToUInt64(metaRow, 1));

    private static void AssertSame(Model model, KvStateMachine machine, string where)
    {
        Assert.Equal((where, model.Revision, model.TimeMillis, model.Floor, (ulong)model.Records), (where, machine.Meta.Revision, machine.Meta.ShardTimeMillis, machine.Meta.DedupFloorMillis, machine.Meta.DedupRecords));
        Assert.Equal(model.Revision, machine.CommittedRevision);
        // It may be too early, never too late; and it is there whenever there is one.
        if (model.NextDeadline is { } next) Assert.True(machine.NextDeadlineMillis <= next, where);
        if (model.NextDeadline is null && model.Records == 0) Assert.Equal(0UL, machine.Meta.DedupBytes);
        foreach (byte[] key in Entries.Keys)
        {
            KvRead read = machine.Get(key);
            Assert.Equal((where, machine.Applied, Entries.Half.Contains(KeyHash.Of(key))), (where, read.Applied, read.IsInRange));
            Model.Current? expected = model.Find(key);
            Assert.Equal((where, expected?.Revision ?? 0, expected?.Created ?? 0, expected?.Version ?? 0, model.TtlOf(expected)), (where, read.Revision, read.Created, read.Version, read.TtlMillis));
            Assert.Equal(expected?.Value, read.Value);
        }
    }

    /// <summary>Chunk by chunk, of any part of the hashes and keys, as of now or of any revision.</summary>
    private static void AssertSameList(Model model, KvStateMachine machine, Random random, string where)
    {
        HashRange wanted = random.Next(3) > 0 ? HashRange.Full : new HashRange((ulong)random.NextInt64(1L << 61), (1UL << 61) + (ulong)random.NextInt64(1L << 62));
        byte[] start = random.Next(2) == 0 ? [] : Entries.Keys[random.Next(Entries.Keys.Length)];
        byte[] end = random.Next(2) == 0 ? [] : Entries.Keys[random.Next(Entries.Keys.Length)];
        ulong revision = model.Revision == 0 || random.Next(2) == 0 ? 0 : (ulong)random.NextInt64(1, (long)model.Revision + 1);
        KvListRequest asked = new(wanted, start, end, revision, (uint)random.Next(1, 4), (uint)random.Next(12), random.Next(4) == 0, random.Next(4) == 0);
        List<string> listed = [];
        ulong count = 0;
        ReadOnlyMemory<byte>? next = start;
        while (next is { } from)
        {
            KvListChunk chunk = KvListChunk.Decode(machine.List(asked with { Start = from })!.Encode());
            Assert.Equal((where, wanted.Intersect(Entries.Half), revision == 0 ? model.Revision : revision), (where, chunk.Covered, chunk.Revision));
            Assert.True(chunk.Count <= asked.MaxRows && chunk.Next is null | chunk.Count > 0, where);
            Assert.True(chunk.Rows.Length <= 1 || chunk.Rows.Sum(row => row.Key.Length + row.Value.Length) <= asked.MaxBytes, where);
            foreach (KvRow row in chunk.Rows)
            {
                byte[] value = row.IsValueLeftOut ? machine.Get(row.Key.Span, row.Revision).Value! : row.Value.ToArray();
                listed.Add($"{Convert.ToHexString(row.Key.Span)} {row.Revision} {row.Created} {row.Version} {(asked.KeysOnly ? "" : Convert.ToHexString(value))}");
            }

            count += chunk.Count;
            next = chunk.Next;
        }

        string[] expected =
        [
            .. from key in Entries.Keys.OrderBy(Convert.ToHexString, StringComparer.Ordinal)
               where key.AsSpan().SequenceCompareTo(start) >= 0 && (end.Length == 0 || key.AsSpan().SequenceCompareTo(end) < 0)
               where Entries.Half.Contains(KeyHash.Of(key)) && wanted.Contains(KeyHash.Of(key))
               let current = revision == 0 ? model.Find(key) : model.FindAt(key, revision)
               where current is not null
               select $"{Convert.ToHexString(key)} {current.Revision} {current.Created} {current.Version} {(asked.KeysOnly ? "" : Convert.ToHexString(current.Value))}",
        ];
        Assert.Equal((where, (ulong)expected.Length), (where, count));
        if (!asked.CountOnly) Assert.Equal(expected, listed);
    }

    private static void AssertSamePast(Model model, KvStateMachine machine, ulong revision, string where)
    {
        foreach (byte[] key in Entries.Keys)
        {
            KvRead read = machine.Get(key, revision);
            Assert.Equal((where, model.Revision), (where, read.ShardRevision));
            Model.Current? expected = revision > model.Revision ? null : model.FindAt(key, revision);
            Assert.Equal((where, expected?.Revision ?? 0, expected?.Created ?? 0, expected?.Version ?? 0, 0UL), (where, read.Revision, read.Created, read.Version, read.TtlMillis));
            Assert.Equal(expected?.Value, read.Value);
        }
    }

    /// <summary>One that forgets versions soon, and holds as many rows back as the seed says.</summary>
    private static KvStateMachine Machine(SimStore store, int seed) =>
        new(Shard.Id, store, Entries.Limits, versionCacheBytes: 600, heldBytes: (seed % 4) switch { 0 => 0, 1 => 300, 2 => 3_000, _ => 64 * 1024 });

    private static SimStore Born()
    {
        SimStore store = new();
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(Entries.Half), Configuration.Empty);
        return store;
    }

    private static ShardMeta Run(SimStore store, IEnumerable<Entry[]> batches)
    {
        using KvStateMachine machine = Machine(store, seed: 0);
        foreach (Entry[] batch in batches) ApplyAll(machine, batch);
        return machine.Meta;
    }

    private static void ApplyAll(KvStateMachine machine, Entry[] batch)
    {
        machine.Begin();
        foreach (ref readonly Entry entry in batch.AsSpan()) machine.Apply(entry, false);
        machine.Commit();
    }
}
