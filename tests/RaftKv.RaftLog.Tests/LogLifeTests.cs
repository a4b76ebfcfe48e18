using System.Globalization;
using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// Random lives of a log whose segments are freed and recycled, against a model that knows nothing of segments: whatever happens at
/// whichever operation of the disk, recovery finds exactly what was promised, or that and the batch in flight (design §3.2, §7).
/// </summary>
public sealed class LogLifeTests
{
    /// <summary>Every operation of the disk is a point at which process or power may fail.</summary>
    [Theory]
    [InlineData(1, 24)]
    [InlineData(2, 32)]
    [InlineData(3, 64)]
    public void Every_state_that_a_crash_can_leave_recovers_to_what_was_promised(ulong seed, int segmentKibi)
    {
        const int Batches = 160;
        const int CutsPerPoint = 5;
        MemoryDisk disk = new();
        SplitMix random = new(seed);
        LogLife life = new(seed, segmentKibi * 1024);
        disk.OnOperation = () =>
        {
            for (int sample = 0; sample <= CutsPerPoint; sample++)
            {
                MemoryDisk left = sample == 0 ? disk.AfterKill() : disk.AfterPowerCut(random);
                LogLife next = life.Fork(random.Next());
                // Most are only looked at; some live on, so that what a crash left behind may be taken for something later.
                Restart(left, next, batches: random.Below(12) == 0 ? 12 : 0);
            }
        };
        using SegmentedRaftLog log = life.Open(disk, out _);
        for (int i = 0; i < Batches; i++) life.RunBatch(log);
        AssertHasRecycled(disk, atLeast: 3);
    }

    /// <summary>Long lives, cut short again and again, also in the middle of recovery.</summary>
    [Theory]
    [InlineData(11, 24)]
    [InlineData(12, 32)]
    [InlineData(13, 48)]
    [InlineData(14, 96)]
    public void A_log_lives_through_crash_after_crash(ulong seed, int segmentKibi)
    {
        const int Crashes = 250;
        MemoryDisk disk = new();
        SplitMix random = new(seed);
        LogLife life = new(seed, segmentKibi * 1024);
        for (int crash = 0; crash < Crashes; crash++)
        {
            long operations = random.Below(random.Below(4) == 0 ? 8 : 80);
            disk.OnOperation = () =>
            {
                if (operations-- == 0) throw new SimulatedCrashException();
            };
            try
            {
                using SegmentedRaftLog log = life.Open(disk, out RecoveredLog recovered);
                life.CheckRecovered(recovered, log);
                while (true)
                {
                    life.RunBatch(log);
                    if (random.Below(8) == 0) life.CheckRunning(log);
                }
            }
            catch (SimulatedCrashException)
            {
                disk = random.Below(2) == 0 ? disk.AfterKill() : disk.AfterPowerCut(random);
            }
        }

        AssertHasRecycled(disk, atLeast: 10);
    }

    /// <summary>The log does not grow without end while its host truncates whoever pins the oldest segment.</summary>
    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    public void A_log_whose_host_truncates_stays_within_its_budget(ulong seed)
    {
        MemoryDisk disk = new();
        LogLife life = new(seed, 64 * 1024);
        using SegmentedRaftLog log = life.Open(disk, out _);
        for (int i = 0; i < 2_000; i++)
        {
            life.RunBatch(log);
            Assert.True(log.Usage.Bytes <= log.Usage.BudgetBytes, $"{log.Usage.Bytes} bytes after {i} batches");
        }

        life.CheckRunning(log);
        AssertHasRecycled(disk, atLeast: 30);
    }

    private static void Restart(MemoryDisk disk, LogLife life, int batches)
    {
        using (SegmentedRaftLog log = life.Open(disk, out RecoveredLog recovered))
        {
            life.CheckRecovered(recovered, log);
            for (int i = 0; i < batches; i++) life.RunBatch(log);
            if (batches > 0) life.CheckRunning(log);
        }

        if (batches == 0) return;
        using SegmentedRaftLog again = life.Open(disk.AfterKill(), out RecoveredLog found);
        life.CheckRecovered(found, again);
    }

    /// <summary>Otherwise the lives prove little.</summary>
    private static void AssertHasRecycled(MemoryDisk disk, int atLeast)
    {
        ulong first = disk.List().Where(SegmentNames.IsSegment).Select(name => SegmentNames.SequenceOf(name)!.Value).Min();
        Assert.True(first > (ulong)atLeast, string.Create(CultureInfo.InvariantCulture, $"segment {first} is the first"));
        Assert.Contains(disk.List(), SegmentNames.IsSpare);
    }

    private sealed class SimulatedCrashException : Exception;
}
