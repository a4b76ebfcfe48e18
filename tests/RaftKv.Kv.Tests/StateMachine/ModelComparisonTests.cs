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
        for (int seed = 1; seed <= Seeds; seed++)
        {
            Random random = new(seed);
            Model model = new(Entries.Half, Entries.Limits);
            using SimStore store = Born();
            using KvStateMachine machine = new(Shard.Id, store, Entries.Limits);
            foreach (Entry[] batch in Entries.Batches(random, Entries.Random(random, Count)))
            {
                machine.Begin();
                foreach (Entry entry in batch)
                {
                    ulong before = model.Revision;
                    KvApplied? expected = model.Apply(entry);
                    bool wantsResult = random.Next(4) > 0;
                    object? actual = machine.Apply(entry, wantsResult);
                    Assert.Equal((seed, entry.Index, wantsResult ? expected : null), (seed, entry.Index, (KvApplied?)actual));
                    seen.Add($"{(expected is null ? "none" : expected.IsReplay ? "replay" : "first")} {expected?.Error?.ToString() ?? "-"} {expected?.Existed} {model.Revision > before}");
                }

                machine.Commit();
                AssertSame(model, machine, $"seed {seed} at {machine.Applied}");
                AssertSamePast(model, machine, (ulong)random.NextInt64(1, (long)model.Revision + 3), $"seed {seed} at {machine.Applied}");
            }
        }

        // The runs reach every kind of outcome: written, deleted, deleted nothing, refused for each reason, replays of each, and what has no result.
        string[] expectedKinds =
        [
            "first - False False", "first - False True", "first - True True", "first idempotency-key-reused False False", "first idempotency-records-full False False",
            "first idempotency-window-passed False False", "first precondition-failed False False", "first precondition-failed True False", "first wrong-shard False False",
            "none -  False", "none -  True", "replay - False False", "replay - True False", "replay precondition-failed False False", "replay precondition-failed True False",
        ];
        Assert.Equal(expectedKinds, seen.Order(StringComparer.Ordinal));
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
            int[] written = [.. Enumerable.Range(0, Count).Where(i => model.Apply(entries[i]) is { Error: null, Version: > 0, IsReplay: false })];
            int changed = written[random.Next(written.Length)];
            KvRequest request = KvRequest.Decode(entries[changed].Payload);
            Entry[] others = [.. entries];
            others[changed] = entries[changed] with { Payload = (request with { Value = new byte[] { 1, 2, 3, 4, 5, 6, 7 } }).Encode() };
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
            KvStateMachine machine = new(Shard.Id, store, Entries.Limits);
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
                    machine = new KvStateMachine(Shard.Id, store, Entries.Limits);
                    Assert.Equal(flushed, machine.Applied);
                    break;
                }
            }

            Assert.Equal(expected, machine.Meta);
            Assert.Equal(Shard.TextOf(calm), Shard.TextOf(store));
            machine.Dispose();
        }
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
            Assert.Equal((where, expected?.Revision ?? 0, expected?.Created ?? 0, expected?.Version ?? 0, TtlOf(expected, model.TimeMillis)), (where, read.Revision, read.Created, read.Version, read.TtlMillis));
            Assert.Equal(expected?.Value, read.Value);
        }
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

    private static ulong TtlOf(Model.Current? current, ulong time) =>
        current is null || current.Deadline == 0 ? 0 : current.Deadline <= time ? 1 : current.Deadline - time;

    private static SimStore Born()
    {
        SimStore store = new();
        KvStateMachine.InitialiseStore(store, Shard.BirthMeta(Entries.Half));
        return store;
    }

    private static ShardMeta Run(SimStore store, IEnumerable<Entry[]> batches)
    {
        using KvStateMachine machine = new(Shard.Id, store, Entries.Limits);
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
