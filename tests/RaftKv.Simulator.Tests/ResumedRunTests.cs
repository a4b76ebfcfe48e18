using System.Globalization;
using System.Text.RegularExpressions;

namespace RaftKv.Simulator.Tests;

/// <summary>A run of many seeds goes on where it was stopped, and forgets no failure (issue 2, "What to build" 9).</summary>
public sealed partial class ResumedRunTests : IDisposable
{
    private const int Seconds = 1;
    private readonly string _records = Directory.CreateTempSubdirectory("raftkv-seeds-").FullName;

    public void Dispose() => Directory.Delete(_records, recursive: true);

    [Fact]
    public void Seeds_that_ended_out_of_order_are_done_as_far_as_all_before_them_are()
    {
        SeedRecord record = Open(5);
        foreach (ulong seed in new ulong[] { 6, 7, 9 }) record.OnRun(seed, hasPassed: true);
        Assert.Equal(5UL, Open(5).Next);
        record.OnRun(5, hasPassed: true);
        Assert.Equal((8UL, 8UL), (record.Next, Open(5).Next));
    }

    [Fact]
    public void A_failed_seed_is_remembered_at_once_also_ahead_of_what_is_done()
    {
        SeedRecord record = Open(1);
        record.OnRun(3, hasPassed: false);
        Assert.Equal((1UL, 3UL), (Open(1).Next, Open(1).Failed.Single()));
        record.OnRun(1, hasPassed: false);
        record.OnRun(2, hasPassed: true);
        Assert.Equal((4UL, "1 3"), (Open(1).Next, string.Join(' ', Open(1).Failed)));
    }

    [Fact]
    public void Other_builds_themes_starts_and_lengths_are_other_runs()
    {
        Open(1).OnRun(1, hasPassed: true);
        Assert.Equal(2UL, Open(1).Next);
        Assert.Equal(1UL, SeedRecord.Open(_records, "other", null, 1, Seconds, fresh: false).Next);
        Assert.Equal(1UL, SeedRecord.Open(_records, "build", SimTheme.Members, 1, Seconds, fresh: false).Next);
        Assert.Equal(1UL, SeedRecord.Open(_records, "build", null, 1, Seconds + 1, fresh: false).Next);
        Assert.Equal(1UL, SeedRecord.Open(_records, "build", null, 1, Seconds, fresh: true).Next);
        Assert.Equal(1UL, Open(1).Next);
    }

    [Fact]
    public void A_run_goes_on_behind_what_is_done_and_counts_all_of_it()
    {
        string first = Run(2);
        Assert.DoesNotContain("were run before", first, StringComparison.Ordinal);
        Assert.EndsWith("2 passed, 0 failed\n", first, StringComparison.Ordinal);
        string longer = Run(3);
        Assert.Contains("seeds 1 to 2 were run before by this build, 0 of them failed; going on behind them", longer, StringComparison.Ordinal);
        Assert.Contains($"3 seeds from 1 on, {Seconds} simulated seconds each, with the build of commit {BuildIdentity.Commit}; 2 of them in earlier runs", longer, StringComparison.Ordinal);
        Assert.EndsWith("3 passed, 0 failed\n", longer, StringComparison.Ordinal);
        Assert.StartsWith("0 operations", Run(3).Split('\n')[1], StringComparison.Ordinal);
        Assert.DoesNotContain("were run before", Run(1, fresh: true), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failure_of_an_earlier_run_fails_every_run_that_includes_it()
    {
        SeedRecord record = SeedRecord.Open(_records, BuildIdentity.Name, null, 1, Seconds, fresh: false);
        record.OnRun(1, hasPassed: true);
        record.OnRun(2, hasPassed: false);
        string resumed = Run(3, exitCode: 1);
        Assert.Contains("failed: 2\n", resumed, StringComparison.Ordinal);
        Assert.EndsWith("2 passed, 1 failed\n", resumed, StringComparison.Ordinal);
        Assert.EndsWith("1 passed, 0 failed\n", Run(1), StringComparison.Ordinal);
    }

    [Fact]
    public void A_search_for_a_failure_neither_reads_nor_writes_a_record()
    {
        Run(1, exitCode: 1, untilFailure: true);
        Assert.Empty(Directory.GetFiles(_records));
    }

    [Fact]
    public void The_build_names_the_commit_it_is_of()
    {
        if (BuildIdentity.Commit == "unknown") Assert.Skip("built without a git repository");
        Assert.Matches(CommitPattern(), BuildIdentity.Commit);
    }

    private SeedRecord Open(ulong start) => SeedRecord.Open(_records, "build", null, start, Seconds, fresh: false);

    private string Run(int count, bool fresh = false, int exitCode = 0, bool untilFailure = false)
    {
        TextWriter console = Console.Out;
        using StringWriter output = new(CultureInfo.InvariantCulture) { NewLine = "\n" };
        Console.SetOut(output);
        try
        {
            Assert.Equal(exitCode, Runs.RunMany(1, count, Seconds, jobs: 2, mutant: null, untilFailure, theme: null, fresh, _records));
        }
        finally
        {
            Console.SetOut(console);
        }

        return output.ToString();
    }

    [GeneratedRegex("^[0-9a-f]{12}$")]
    private static partial Regex CommitPattern();
}
