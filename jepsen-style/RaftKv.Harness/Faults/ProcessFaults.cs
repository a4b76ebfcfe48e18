using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>kill -9 of some nodes; they stay down for the duration and are started again.</summary>
internal sealed class KillFault(string name, string summary, Func<FaultScene, IEnumerable<HarnessNode>> choose, int leastNodes = 1) : Fault(name, FaultTrack.Process, summary)
{
    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < leastNodes ? $"{Name} needs {leastNodes} nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        HarnessNode[] targets = [.. choose(scene).Where(node => node.IsRunning)];
        if (targets.Length == 0) return FaultBite.Missed("no node ran");
        int[] before = [.. targets.Select(node => node.ProcessId)];
        try
        {
            await Task.WhenAll(targets.Select(node => node.KillAsync()));
            await HoldAsync(duration, stop);
        }
        finally
        {
            foreach (HarnessNode node in targets) node.Start();
        }

        int changed = targets.Where((node, i) => node.ProcessId != before[i]).Count();
        return FaultBite.Of(string.Join(", ", targets.Select(node => node.Name)), changed == targets.Length, ("processes replaced", changed));
    }
}

/// <summary>SIGTERM, and started again: leaders hand over before they go.</summary>
internal sealed class StopFault() : Fault("stop", FaultTrack.Process, "SIGTERM to the busiest leader, started again: leaderships are handed over")
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.Leader() is not { } node) return FaultBite.Missed("no node ran");
        int before = node.ProcessId;
        int exitCode;
        TimeSpan began = scene.Clock.Now;
        TimeSpan took;
        try
        {
            exitCode = await node.StopAsync(Patience);
            took = scene.Clock.Now - began;
            await HoldAsync(duration, stop);
        }
        finally
        {
            node.Start();
        }

        return FaultBite.Of(node.Name, node.ProcessId != before && exitCode == 0, ("exit code", exitCode), ("milliseconds to stop", Math.Round(took.TotalMilliseconds)));
    }
}

/// <summary>SIGSTOP and SIGCONT: the process stands still, its connections stay open.</summary>
internal sealed class PauseFault(string name, string summary, Func<FaultScene, HarnessNode?> choose) : Fault(name, FaultTrack.Process, summary)
{
    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (choose(scene) is not { } node) return FaultBite.Missed("no node ran");
        TimeSpan began = scene.Clock.Now;
        long cpuBefore = 0;
        long cpuAfter = 0;
        try
        {
            node.Pause();
            cpuBefore = ProcessFacts.CpuTicks(node.ProcessId);
            await HoldAsync(duration, stop);
            cpuAfter = ProcessFacts.CpuTicks(node.ProcessId);
        }
        finally
        {
            node.Resume();
        }

        // A tick of CPU may still have been on its way when the signal came.
        return FaultBite.Of(node.Name, cpuAfter - cpuBefore <= 1, ("milliseconds held", Math.Round((scene.Clock.Now - began).TotalMilliseconds)), ("CPU ticks used meanwhile", cpuAfter - cpuBefore));
    }
}

/// <summary>kill -9 of one node again and again, before it has settled.</summary>
internal sealed class CrashLoopFault() : Fault("crash-loop", FaultTrack.Process, "one node is killed and started again, over and over, faster than it settles")
{
    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        int starts = node.Starts;
        TimeSpan end = scene.Clock.Now + duration;
        while (scene.Clock.Now < end && !stop.IsCancellationRequested)
        {
            await node.KillAsync();
            node.Start();
            await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(50, 2_000)), stop);
        }

        return FaultBite.Of(node.Name, node.Starts > starts, ("starts", node.Starts - starts));
    }
}
