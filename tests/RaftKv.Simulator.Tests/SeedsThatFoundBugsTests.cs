namespace RaftKv.Simulator.Tests;

/// <summary>Every bug the simulator found leaves its seed here (ARCHITECTURE.md, "Bugs and their seeds").</summary>
/// <remarks>A seed replays its bug only while draws and events stay as they were; the rule it taught has a test of its own as well.</remarks>
public sealed class SeedsThatFoundBugsTests
{
    [Theory]
    [InlineData(4, "LogTail.Cached ran past the last entry when one entry alone was over the append limit")]
    [InlineData(1952, "a follower far behind was read for one message at a time, and took minutes to catch up")]
    public void Stays_fixed(ulong seed, string bug)
    {
        (_, Exception? failure) = Runs.TryRun(seed, 60, null);
        Assert.True(failure is null, $"seed {seed} fails again ({bug}): {failure}");
    }
}
