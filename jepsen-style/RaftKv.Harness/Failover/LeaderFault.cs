using System.Diagnostics;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;

namespace RaftKv.Harness.Failover;

/// <summary>What is done to a leader, and undone. An instance for each repetition; it shows by what it counted that it bit.</summary>
internal abstract class LeaderFault
{
    private static readonly (string Name, bool NeedsImages, Func<LeaderFault> Make)[] s_all =
    [
        ("kill", false, () => new LeaderKill()), ("pause", false, () => new LeaderPause()), ("isolate", false, () => new LeaderIsolation()), ("stop", false, () => new LeaderStop()),
        ("hang", true, () => new LeaderDiskHang()),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. s_all.Select(fault => fault.Name)];

    /// <summary>Whether each member must be on a disk image of its own; that needs root.</summary>
    public static bool NeedsImages(string name) => s_all.First(fault => fault.Name == name).NeedsImages;

    public static LeaderFault Make(string name) => s_all.First(fault => fault.Name == name).Make();

    /// <summary>Returns when it has struck.</summary>
    public abstract Task StrikeAsync(FailoverCluster cluster, HarnessNode leader);

    /// <summary>Undoes it, whether or not it had struck, and says what shows that it did.</summary>
    public abstract Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader);

    /// <summary>A node that was ended is started again.</summary>
    protected static FaultBite Restart(HarnessNode leader, Func<int?, bool> isExpected, params ReadOnlySpan<(string Name, double Count)> evidence)
    {
        int? exitCode = leader.ExitCode;
        if (!leader.IsRunning) leader.Start();
        return FaultBite.Of(leader.Name, isExpected(exitCode), [("exit code", exitCode ?? -1), .. evidence]);
    }
}

/// <summary>kill -9.</summary>
internal sealed class LeaderKill : LeaderFault
{
    private const int Killed = 128 + 9;

    public override Task StrikeAsync(FailoverCluster cluster, HarnessNode leader) => leader.KillAsync();

    public override Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader) => Task.FromResult(Restart(leader, exitCode => exitCode == Killed));
}

/// <summary>SIGTERM: it may give its leaderships away before it goes.</summary>
internal sealed class LeaderStop : LeaderFault
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);
    private TimeSpan _took;

    public override async Task StrikeAsync(FailoverCluster cluster, HarnessNode leader)
    {
        Stopwatch watch = Stopwatch.StartNew();
        await leader.StopAsync(s_patience);
        _took = watch.Elapsed;
    }

    public override Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader) =>
        Task.FromResult(Restart(leader, exitCode => exitCode is { } code && cluster.IsGracefulEnd(code), ("milliseconds to stop", Math.Round(_took.TotalMilliseconds))));
}

/// <summary>SIGSTOP: the process stands still, its connections stay open.</summary>
internal sealed class LeaderPause : LeaderFault
{
    private long _ticks;

    public override Task StrikeAsync(FailoverCluster cluster, HarnessNode leader)
    {
        leader.Pause();
        _ticks = ProcessFacts.CpuTicks(leader.ProcessId);
        return Task.CompletedTask;
    }

    public override Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader)
    {
        bool wasHeld = leader.IsPaused;
        long used = ProcessFacts.CpuTicks(leader.ProcessId) - _ticks;
        leader.Resume();
        // A tick of CPU may still have been on its way when the signal came.
        return Task.FromResult(FaultBite.Of(leader.Name, wasHeld && used <= 1, ("CPU ticks used meanwhile", used)));
    }
}

/// <summary>No other member hears it, and it hears none; clients still reach it.</summary>
internal sealed class LeaderIsolation : LeaderFault
{
    private Link[] _links = [];
    private long _held;

    public override Task StrikeAsync(FailoverCluster cluster, HarnessNode leader)
    {
        _links = [.. cluster.LinksOf(leader)];
        _held = _links.Sum(link => link.Counters.Held);
        foreach (Link link in _links) link.Set(LinkState.Cut);
        return Task.CompletedTask;
    }

    public override Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader)
    {
        foreach (Link link in _links) link.Set(LinkState.Healthy);
        long held = _links.Sum(link => link.Counters.Held) - _held;
        return Task.FromResult(FaultBite.Of(leader.Name, held > 0, ("times held back", held)));
    }
}

/// <summary>Its disk does not answer any more: whoever writes or syncs waits.</summary>
internal sealed class LeaderDiskHang : LeaderFault
{
    private bool _isFrozen;

    public override async Task StrikeAsync(FailoverCluster cluster, HarnessNode leader)
    {
        leader.MayEnd();
        _isFrozen = true; // Also if it fails half-way.
        await leader.Disk!.FreezeAsync();
    }

    public override async Task<FaultBite> HealAsync(FailoverCluster cluster, HarnessNode leader)
    {
        int waiting = ProcessFacts.ThreadsInDiskWait(leader.ProcessId);
        if (_isFrozen) await leader.Disk!.ThawAsync();
        if (!leader.IsRunning) leader.Start();
        leader.MayNotEnd();
        return FaultBite.Of(leader.Name, waiting > 0, ("threads that wait for the disk", waiting));
    }
}
