using System.Runtime;

namespace RaftKv.Node.Http;

/// <summary>What this process has used since its start.</summary>
internal static class ProcessFacts
{
    private static readonly string s_gc = $"{(GCSettings.IsServerGC ? "server" : "workstation")}, {(GCSettings.LatencyMode == GCLatencyMode.Batch ? "not concurrent" : "concurrent")}";

    public static ProcessJson Read() => new(
        Environment.ProcessId,
        (long)Environment.CpuUsage.TotalTime.TotalMilliseconds,
        Environment.WorkingSet,
        GC.GetTotalAllocatedBytes(),
        s_gc,
        [GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2)],
        (long)GC.GetTotalPauseDuration().TotalMilliseconds);
}
