using RaftKv.Harness.Faults;

namespace RaftKv.Harness.Tests;

/// <summary>When which fault bites.</summary>
public sealed class FaultScheduleTests
{
    private static readonly Fault[] s_all = [.. FaultCatalog.All];

    [Fact]
    public void The_same_seed_draws_the_same_schedule_and_another_one_another()
    {
        Fault[] faults = [FaultCatalog.Named("kill"), FaultCatalog.Named("partition"), FaultCatalog.Named("pause")];
        Assert.Equal(FaultSchedule.Draw(faults, TimeSpan.FromSeconds(120), 7), FaultSchedule.Draw(faults, TimeSpan.FromSeconds(120), 7));
        Assert.NotEqual(FaultSchedule.Draw(faults, TimeSpan.FromSeconds(120), 7), FaultSchedule.Draw(faults, TimeSpan.FromSeconds(120), 8));
    }

    // What it draws must not change either: a seed in a report is to find the same bug in another process.
    [Fact]
    public void A_schedule_is_the_same_in_every_process()
    {
        PlannedFault first = FaultSchedule.Draw([FaultCatalog.Named("kill")], TimeSpan.FromSeconds(60), 42)[0];
        Assert.Equal(("kill", TimeSpan.FromSeconds(3)), (first.Name, first.Start));
        Assert.Equal(GoldenSeed, first.Seed);
    }

    [Fact]
    public void Every_fault_bites_once_at_least_none_of_a_track_overlap_and_the_end_is_calm()
    {
        TimeSpan time = TimeSpan.FromSeconds(300);
        for (int seed = 1; seed <= 200; seed++)
        {
            IReadOnlyList<PlannedFault> schedule = FaultSchedule.Draw(s_all, time, seed);
            Assert.Equal(s_all.Select(fault => fault.Name).Order(), schedule.Select(fault => fault.Name).Distinct().Order());
            Assert.All(schedule, fault => Assert.InRange(fault.Start + fault.Duration, TimeSpan.Zero, time - TimeSpan.FromSeconds(5)));
            foreach (PlannedFault[] track in schedule.GroupBy(fault => fault.Track).Select(track => track.ToArray()))
                Assert.All(track.Zip(track.Skip(1)), pair => Assert.True(pair.First.Start + pair.First.Duration <= pair.Second.Start, $"seed {seed}: {pair}"));
        }
    }

    [Fact]
    public void Too_many_faults_for_the_time_are_refused_with_the_time_they_need()
    {
        CommandException refused = Assert.Throws<CommandException>(() => FaultSchedule.Draw(s_all, TimeSpan.FromSeconds(20), 1));
        Assert.Equal(ExitCode.Usage, refused.ExitCode);
        Assert.Contains("give it ", refused.Message, StringComparison.Ordinal);
    }

    private const int GoldenSeed = 1_962_640_972;
}
