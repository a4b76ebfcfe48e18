using System.Collections.Immutable;
using RaftKv.Bench;
using RaftKv.Bench.Loop;
using RaftKv.Harness.Failover;

namespace RaftKv.Harness.Tests;

/// <summary>The recovery benchmark, but for its processes.</summary>
public sealed class FailoverTests : IDisposable
{
    private const string Build = "1.0.0+abc";
    private static readonly string[] s_both = [RaftKvFailover.Name, EtcdFailover.Name];
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("10 14 16 21 26 29", 16, 5)] // Of two that are equally long the first.
    [InlineData("10 14 24 25", 14, 10)] // The last write before the fault is where it began.
    [InlineData("1 13 14 16 18 20 22 24 26 28", 14, 2)] // What was over before is none of its.
    [InlineData("13 14 16 19", 19, 11)] // Nothing comes any more: it counts up to the end of the watch.
    [InlineData("13 14 16 19 45", 19, 11)] // What comes later does not end it.
    [InlineData("", 15, 15)]
    public void A_gap_is_the_longest_time_between_two_acknowledged_writes_that_ends_after_the_fault(string acknowledged, long start, long length)
    {
        const long Fault = 15;
        const long End = 30;
        Assert.Equal(new WriteGap(start, length), WriteGap.Longest(acknowledged.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse), Fault, End));
    }

    [Fact]
    public void Clients_write_to_the_shards_in_turn()
    {
        // Three shards on three members have a fourth lane, of the first shard once more.
        AcknowledgementLog log = new(lanes: 4, shards: 3);
        IAnswerObserver observer = log;
        for (int client = 0; client < 9; client++) observer.OnAnswer(client, AnswerKind.Done, 100 + client);
        foreach (AnswerKind kind in (AnswerKind[])[AnswerKind.Refused, AnswerKind.Unknown]) observer.OnAnswer(1, kind, 200);
        Assert.Equal([100, 103, 104, 107, 108], log.Of(0));
        Assert.Equal([101, 105], log.Of(1));
        Assert.True(log.HasSucceededSince([0, 1, 2], 104));
        Assert.False(log.HasSucceededSince([0, 1, 2], 105));
    }

    [Theory]
    [InlineData(0.5, 3)]
    [InlineData(0.8, 4)]
    [InlineData(0.81, 5)]
    [InlineData(0.99, 5)]
    [InlineData(1, 5)]
    [InlineData(0.01, 1)]
    public void A_quantile_is_a_figure_that_was_measured(double share, double expected) => Assert.Equal(expected, Quantile.Of([5, 1, 4, 2, 3], share));

    [Fact]
    public void Systems_take_turns_and_either_comes_first()
    {
        Assert.Equal(
            ["kill 1 raftkv", "kill 1 etcd", "kill 2 etcd", "kill 2 raftkv", "stop 1 raftkv", "stop 1 etcd", "stop 2 etcd", "stop 2 raftkv"],
            FailoverPlan.Of(["kill", "stop"], 2, s_both).Select(one => $"{one.Fault} {one.Number} {one.System}"));
        Assert.Equal(["kill 1 raftkv", "kill 2 raftkv"], FailoverPlan.Of(["kill"], 2, [RaftKvFailover.Name]).Select(one => $"{one.Fault} {one.Number} {one.System}"));
    }

    [Fact]
    public void What_was_measured_of_the_same_build_in_the_same_way_is_not_measured_again()
    {
        FailoverResult kept = Result(1);
        foreach (FailoverResult result in (FailoverResult[])[kept, Result(2) with { Build = "other" }, Result(3) with { Shards = 8 }, Result(4) with { IsHttp1 = true }, kept with { GapMillis = 9 }]) FailoverPlan.Append(_file, result);
        (PlannedRepetition planned, FailoverResult read) = Assert.Single(FailoverPlan.ReadDone(_file, Build, shards: 1, isHttp1: false));
        Assert.Equal(new PlannedRepetition("kill", 1, RaftKvFailover.Name), planned);
        Assert.Equal(Text(kept), Text(read));
    }

    [Fact]
    public void A_line_that_a_crash_has_cut_costs_that_repetition_only()
    {
        FailoverPlan.Append(_file, Result(1));
        FailoverPlan.Append(_file, Result(2));
        string whole = File.ReadAllText(_file);
        File.WriteAllText(_file, whole[..^20]);
        FailoverPlan.Append(_file, Result(3));
        Assert.Equal([1, 3], FailoverPlan.ReadDone(_file, Build, shards: 1, isHttp1: false).Keys.Select(planned => planned.Number).Order());
    }

    [Fact]
    public void Nothing_was_measured_where_there_is_no_file() => Assert.Empty(FailoverPlan.ReadDone(_file + ".none", Build, shards: 1, isHttp1: false));

    [Fact]
    public void A_row_sums_up_repetitions_and_goals_are_RaftKvs()
    {
        FailoverResult[] results =
        [
            Result(1) with { Fault = "stop", GapMillis = 40, Unknown = Counts() }, Result(2) with { Fault = "stop", GapMillis = 60, Unknown = Counts(("connection-closed", 2)) }, Result(1) with { Fault = "stop", System = EtcdFailover.Name },
        ];
        FailoverOutput output = FailoverText.Summarise(Build, "etcd Version: 3.4.23", 1, results);
        Assert.Equal(["stop raftkv 2 40 60 60 1", "stop etcd 1 500 500 500 1"], output.Rows.Select(row => $"{row.Fault} {row.System} {row.Repetitions} {row.P50Millis} {row.P99Millis} {row.MaxMillis} {row.RepetitionsWithFailures}"));
        Assert.Equal(["p99 ms 60 of 50: False", "failed or unknown 2 of 0: False"], output.Goals.Select(goal => $"{goal.Figure} {goal.Reached} of {goal.AtMost}: {goal.IsMet}"));
    }

    private static FailoverResult Result(int number) => new(
        Build, "kill", RaftKvFailover.Name, 1, false, number, new DateTimeOffset(2026, 12, 1, 1, 2, 3, TimeSpan.Zero), "n1", "n2", 500, -1.5, 4, 1_500, Counts(), Counts(("no-answer-in-time", 3)),
        ImmutableSortedDictionary<string, double>.Empty.Add("exit code", 137));

    private static ImmutableSortedDictionary<string, long> Counts(params (string Reason, long Count)[] counts) => counts.ToImmutableSortedDictionary(count => count.Reason, count => count.Count, StringComparer.Ordinal);

    /// <summary>Dictionaries compare by reference: as text.</summary>
    private static string Text(FailoverResult result) =>
        $"{result with { Refused = Counts(), Unknown = Counts(), Evidence = ImmutableSortedDictionary<string, double>.Empty }} {string.Join(' ', result.Refused)} {string.Join(' ', result.Unknown)} {string.Join(' ', result.Evidence)}";
}
