using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// Every operation on the disk is a point at which the power may fail. What is recovered then is what was acknowledged, or that and
/// the batch in flight; nothing else, ever (design §3.2, testing/checkers.md §4.7).
/// </summary>
public sealed class CrashEnumerationTests
{
    private const int Batches = 40;
    private const int SamplesPerPoint = 12;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_crash_at_any_point_recovers_what_was_acknowledged_or_that_and_the_batch_in_flight(ulong seed)
    {
        string[] texts = TextsAfterEachBatch(seed);
        MemoryDisk disk = new();
        SplitMix random = new(seed);
        int acknowledged = 0;
        int states = 0;
        disk.OnOperation = () =>
        {
            for (int sample = 0; sample <= SamplesPerPoint; sample++)
            {
                MemoryDisk left = sample == 0 ? disk.AfterKill() : disk.AfterPowerCut(random);
                CheckRecovered(left, texts, acknowledged);
                states++;
            }
        };
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        new LogScript(seed, Batches).Run(log, () =>
        {
            log.Commit();
            acknowledged++;
        });

        Assert.Equal(Batches, acknowledged);
        Assert.True(disk.List().Count > 2, "the script must cross segments");
        Assert.True(states > Batches * SamplesPerPoint, $"{states} states");
    }

    /// <summary>Recovers, checks, and lives on: what a torn batch left behind must never be taken for something later.</summary>
    private static void CheckRecovered(MemoryDisk disk, string[] texts, int acknowledged)
    {
        string recovered = LogText.Recover(disk);
        bool hasFlight = acknowledged + 1 < texts.Length && recovered == texts[acknowledged + 1];
        if (!hasFlight) Assert.Equal(texts[acknowledged], recovered);
        if (recovered.Length == 0) return;

        Entry entry;
        string expected;
        using (SegmentedRaftLog log = LogText.Open(disk, out RecoveredLog now))
        {
            RecoveredGroup group = now.Groups[0];
            entry = new Entry(group.LastIndex.Next, group.HardState.Term, EntryKind.Command, 0, 0, 0, new byte[] { 1, 2, 3 });
            log.AddEntries(group.Group, new ReplicaId(1), [entry]);
            log.Commit();
            expected = LogText.Describe(entry);
        }

        Assert.Contains(expected, LogText.Recover(disk.AfterKill()), StringComparison.Ordinal);
    }

    /// <summary>texts[n]: the log after n batches; texts[0] is the empty one.</summary>
    private static string[] TextsAfterEachBatch(ulong seed)
    {
        List<string> texts = [""];
        MemoryDisk disk = new();
        using SegmentedRaftLog log = LogText.Open(disk, out _);
        new LogScript(seed, Batches).Run(log, () =>
        {
            log.Commit();
            texts.Add(LogText.Recover(disk.AfterKill()));
        });
        return [.. texts];
    }
}
