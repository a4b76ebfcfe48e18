using System.Globalization;

namespace RaftKv.Shardctl.Bench;

/// <summary>What <c>shardctl bench</c> shows to people.</summary>
internal static class LoadText
{
    private const double BusyShare = 0.9;

    public static void Show(Screen screen, LoadOutput load)
    {
        screen.Line(Headline(load));
        screen.Line();
        screen.Table(["", "count", "ops/s", "mean ms", "p50", "p90", "p99", "p99.9", "max"], [.. Latencies(load)]);
        if (load.Total is { } total)
        {
            screen.Line();
            screen.Table(["server", "CPU µs/op", "allocated B/op", "log B/op", "log syncs/op", "resident MiB", "collections", "paused ms"], [.. load.Servers.Select(UseRow), UseRow(total)]);
        }

        screen.Line();
        foreach (string line in Failures(load)) screen.Line(line, "yellow");
        if (load.AbsentGets > 0) screen.Line($"{load.AbsentGets} gets were of keys without a value; --fill writes them all before", "yellow");
        screen.Line(string.Create(CultureInfo.InvariantCulture, $"the load itself: {load.ClientCpuMicrosPerOperation ?? 0:0.0} µs of CPU per operation, {load.ClientBusyShare:0%} of a core"));
        if (load.ClientBusyShare > BusyShare) screen.Line("the load generator was busy all the time: the servers can do more than this", "yellow");
    }

    private static string Headline(LoadOutput load) => string.Create(
        CultureInfo.InvariantCulture,
        $"{load.Target} over {load.Protocol}: {load.Clients} clients on {load.Connections} connections to {string.Join(", ", load.Endpoints)}; {load.Keys} keys, values of {load.ValueBytes} bytes{(load.IdempotencyKeys ? ", idempotency keys" : "")}, {load.ReadShare:0%} gets; {load.Seconds:0.0} s after {load.WarmUpSeconds:0.0} s of warm-up, seed {load.Seed}");

    private static IEnumerable<Cell[]> Latencies(LoadOutput load)
    {
        if (load.Puts is { } puts) yield return Row("puts", puts);
        if (load.Gets is { } gets) yield return Row("gets", gets);

        static Cell[] Row(string name, LatencyOutput latency) =>
        [
            name, Figures.Count(latency.Count), Figures.Text(latency.PerSecond), Figures.Millis(latency.MeanMicros), Figures.Millis(latency.P50Micros), Figures.Millis(latency.P90Micros),
            Figures.Millis(latency.P99Micros), Figures.Millis(latency.P999Micros), Figures.Millis(latency.MaxMicros),
        ];
    }

    private static Cell[] UseRow(UseOutput use) =>
    [
        use.Name, Figures.Text(use.CpuMicrosPerOperation), Figures.Text(use.AllocatedBytesPerOperation), Figures.Text(use.LogBytesPerOperation), Figures.Text(use.LogSyncsPerOperation),
        Figures.Mebibytes(use.ResidentBytes), Figures.Count(use.GcCollections), Figures.Count(use.GcPauseMillis),
    ];

    /// <summary>A line for each kind of failure that there was; one that says so when there was none.</summary>
    private static IEnumerable<string> Failures(LoadOutput load)
    {
        (string What, IReadOnlyDictionary<string, long> Counts)[] kinds =
        [
            ("puts refused, not applied", load.Refused), ("puts with an unknown outcome", load.Unknown), ("gets without an answer", load.FailedGets),
            ("connections lost", load.LostConnections), ("attempts to connect that failed", load.FailedConnects),
        ];
        return kinds.Where(kind => kind.Counts.Count > 0)
            .Select(kind => $"{kind.Counts.Values.Sum()} {kind.What}: {string.Join(", ", kind.Counts.Select(count => $"{count.Key} {count.Value}"))}")
            .DefaultIfEmpty("no request failed");
    }
}
