using RaftKv.Harness.Clients;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>A fault that has bitten, or should have.</summary>
/// <param name="EndMicros">When it was healed.</param>
internal sealed record FaultRecord(string Name, long StartMicros, long EndMicros, FaultBite Bite);

/// <summary>Carries out a schedule against a cluster.</summary>
internal sealed class FaultDriver(TestedCluster cluster, LeaderWatch leaders, RunClock clock, Action<string> tell)
{
    private readonly Lock _lock = new();
    private readonly List<FaultRecord> _records = [];

    /// <summary>Those that are over.</summary>
    public IReadOnlyList<FaultRecord> Records
    {
        get { lock (_lock) return [.. _records.OrderBy(record => record.StartMicros)]; }
    }

    /// <summary>Every track in its own order, side by side. What a fault throws ends the run, after it has healed itself.</summary>
    public Task RunAsync(IReadOnlyList<PlannedFault> schedule, TimeSpan zero, CancellationToken stop) => Task.WhenAll(schedule.GroupBy(fault => fault.Track).Select(track => RunTrackAsync([.. track], zero, stop)));

    private async Task RunTrackAsync(PlannedFault[] faults, TimeSpan zero, CancellationToken stop)
    {
        foreach (PlannedFault planned in faults)
        {
            TimeSpan wait = zero + planned.Start - clock.Now;
            if (wait > TimeSpan.Zero)
            {
                try
                {
                    await Task.Delay(wait, stop);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }

            if (stop.IsCancellationRequested) return;
            long start = clock.NowMicros;
            tell($"{planned.Name} begins");
            FaultScene scene = new(cluster, leaders, new Random(planned.Seed), clock);
            FaultBite bite = await FaultCatalog.Named(planned.Name).BiteAsync(scene, planned.Duration, stop);
            lock (_lock) _records.Add(new FaultRecord(planned.Name, start, clock.NowMicros, bite));
            tell($"{planned.Name} ends: {bite.Target}{(bite.HasBitten ? "" : ", it did NOT bite")}");
        }
    }
}
