using System.Globalization;

namespace RaftKv.Shardctl.Bench;

/// <summary>What <c>shardctl bench compare</c> shows to people.</summary>
internal static class CompareText
{
    public static void Show(Screen screen, EnvironmentOutput environment)
    {
        screen.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"raftkv {environment.RaftKvProgram}; {environment.EtcdVersion}, {environment.EtcdProgram}; three servers of each and the load on {environment.Cores} cores, {environment.Filesystem}, Linux {environment.Kernel}, load average before {environment.LoadAverage:0.00}"));
        screen.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{environment.Rounds} rounds of {environment.Seconds} s after {environment.WarmUpSeconds} s of warm-up; medians, and in brackets the lowest and the highest round; only ratios within a run mean anything"));
    }

    public static void Show(Screen screen, BenchOutput bench)
    {
        screen.Line();
        screen.Line($"{bench.Bench}: {bench.Title}", "bold");
        screen.Line();
        if (bench.Loads is { } loads) screen.Table(["load", "system", "ops/s", "ratio", "p50 ms", "p99 ms", "p99 ratio", "CPU µs/op", "load's own", "device B/op", "syncs/op", "others' cores", "failed"], [.. loads.Select(Row)]);
        if (bench.Idle is { } idle) screen.Table(["system", "shards", "of a core", "resident MiB", "allocated KiB/s", "garbage collector"], [.. idle.Select(Row)]);
        if (bench.Kills is { } kills) screen.Table(["system", "shards", "clients", "median ms", "shortest", "longest", "all, in order"], [.. kills.Select(Row)]);
        if (bench.Allocations is { } allocations) screen.Table(["load", "puts/s", "leader B/put", "followers B/put"], [.. allocations.Select(Row)]);
        screen.Line();
        foreach (FindingOutput finding in bench.Findings) Show(screen, finding);
    }

    private static void Show(Screen screen, FindingOutput finding)
    {
        (string verdict, string style) = finding.IsReached switch { true => ("reached", "green"), false => ("missed", "red"), null => ("unknown", "yellow") };
        screen.Line($"{screen.Paint(verdict, style)}: {finding.Figure}: {Figures.Text(finding.Value)}, goal {finding.Goal}");
    }

    private static Cell[] Row(CaseOutput one) =>
    [
        one.Load, new(one.System, "bold"), Text(one.OperationsPerSecond), Text(one.Ratio), Millis(one.P50Micros), Millis(one.P99Micros), Text(one.P99Ratio), Text(one.CpuMicrosPerOperation),
        Text(one.ClientCpuMicrosPerOperation), Text(one.DeviceBytesPerOperation), Text(one.LogSyncsPerOperation), Text(one.OthersBusyCores), one.Failures == 0 ? "0" : new Cell($"{one.Failures}", "red"),
    ];

    private static Cell[] Row(IdleOutput one) =>
    [
        new(one.System, "bold"), $"{one.Shards}", string.Create(CultureInfo.InvariantCulture, $"{one.CoreShare:0.0%}"),
        string.Join(' ', one.Servers.Select(server => Figures.Mebibytes(server.ResidentBytes))),
        string.Join(' ', one.AllocatedBytesPerSecond.Select(bytes => Figures.Text(bytes / 1024))), one.Gc ?? "",
    ];

    private static Cell[] Row(KillsOutput one) =>
    [
        new(one.System, "bold"), $"{one.Shards}", $"{one.Clients}", Figures.Text(one.LongestGapMillis?.Median), Figures.Text(one.LongestGapMillis?.Lowest), Figures.Text(one.LongestGapMillis?.Highest),
        string.Join(' ', one.GapMillis.Select(gap => Figures.Text(gap))),
    ];

    private static Cell[] Row(AllocationOutput one) =>
        [one.Load, Figures.Text(one.PutsPerSecond), Figures.Text(one.LeaderBytesPerPut), string.Join(' ', one.FollowerBytesPerPut.Select(bytes => Figures.Text(bytes)))];

    private static string Text(SpreadOutput? spread) => Text(spread, Figures.Text);

    private static string Millis(SpreadOutput? spread) => Text(spread, Figures.Millis);

    private static string Text(SpreadOutput? spread, Func<double?, string> text)
    {
        if (spread is null) return "";
        return spread.Lowest == spread.Highest ? text(spread.Median) : $"{text(spread.Median)} ({text(spread.Lowest)}-{text(spread.Highest)})";
    }
}
