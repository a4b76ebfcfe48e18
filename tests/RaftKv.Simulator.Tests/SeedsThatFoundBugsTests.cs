namespace RaftKv.Simulator.Tests;

/// <summary>Every bug the simulator found leaves its seed here (jepsen-style/TRACK_RECORD.md).</summary>
/// <remarks>A seed replays its bug only while draws and events stay as they were; the rule it taught has a test of its own as well.</remarks>
public sealed class SeedsThatFoundBugsTests
{
    [Theory]
    [InlineData(3101, null, "a voter with an uncommitted configuration without itself did not campaign, and nobody else could win")]
    [InlineData(3049, "Sleepers", "a leader that slept was replaced and removed meanwhile, and never heard of it")]
    [InlineData(1043, "Sleepers", "a learner whose addition was truncated never heard that it was no member")]
    [InlineData(4, null, "LogTail.Cached ran past the last entry when one entry alone was over the append limit")]
    [InlineData(1952, null, "a follower far behind was read for one message at a time, and took minutes to catch up")]
    [InlineData(7092, null, "a read round waited for the answer of a voter that had left, and a leader left alone granted no read any more")]
    [InlineData(9668, null, "the same, with leases")]
    [InlineData(9411, null, "a learner had the newest log of those left, and who had the configuration in which it votes could not get its vote: nobody could win")]
    public void Stays_fixed(ulong seed, string? theme, string bug)
    {
        (_, Exception? failure) = Runs.TryRun(seed, 60, null, theme is null ? null : Enum.Parse<SimTheme>(theme));
        Assert.True(failure is null, $"seed {seed} {theme} fails again ({bug}): {failure}");
    }
}
