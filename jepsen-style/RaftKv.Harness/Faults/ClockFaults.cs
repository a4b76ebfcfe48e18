using System.Diagnostics;
using RaftKv.Checking;
using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

// Half of the nodes have a wall clock that can be set, the others clocks that can all be bent together (see NodeClock). What depends on which:
//
// - Consensus, shard time (and by it every ttl, dedup window and history) and timeouts go by CLOCK_BOOTTIME, which nobody can set: a jump of the wall clock must leave them as they are.
// - The wall clock dates log lines and role changes, and an idempotency key that says by itself when it was made is refused when that is more than a minute ahead of it.

/// <summary>What faults of clocks share.</summary>
internal abstract class ClockFault(string name, FaultTrack track, string summary, bool bendsAll) : Fault(name, track, summary, FaultNeeds.Clock)
{
    protected static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>A node that does not run at the moment has no clock to be seen; so much longer it may take until one is.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 2 ? $"{Name} needs 2 nodes: one has a wall clock to set, one clocks that are all bent" : null;

    /// <summary>A node that runs and has the kind of clock; null if there is none for as long as patience lasts.</summary>
    protected async Task<HarnessNode?> AnyNodeAsync(FaultScene scene, CancellationToken stop)
    {
        TimeSpan end = scene.Clock.Now + Patience;
        while (true)
        {
            HarnessNode[] fit = [.. scene.Cluster.Nodes.Where(node => node.IsRunning && !node.IsPaused && node.Clock!.BendsAll == bendsAll)];
            if (fit.Length > 0) return fit[scene.Random.Next(fit.Length)];
            if (scene.Clock.Now > end || stop.IsCancellationRequested) return null;
            await HoldAsync(Look, stop);
        }
    }
}

/// <summary>A node's wall clock is wrong for a while: as when somebody sets it, or NTP after a long time without.</summary>
internal sealed class ClockJumpFault() : ClockFault("clock-jump", FaultTrack.Clock, "a node's wall clock is set ten to ninety seconds ahead or back", bendsAll: false)
{
    private const int LeastSeconds = 10;
    private const int MostSeconds = 90;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (await AnyNodeAsync(scene, stop) is not { } node) return FaultBite.Missed("no node ran whose wall clock can be set");
        TimeSpan ahead = TimeSpan.FromSeconds(scene.Random.Next(LeastSeconds, MostSeconds + 1) * (scene.Random.Next(2) == 0 ? 1 : -1));
        using ClockWitness witness = new(node);
        long began = scene.Clock.NowMicros;
        TimeSpan? seen = null;
        try
        {
            node.Clock!.SetWall(ahead);
            TimeSpan set = scene.Clock.Now;
            while (!stop.IsCancellationRequested && scene.Clock.Now - set is var held && (held < duration || (seen is null && held < duration + Patience)))
            {
                await HoldAsync(Look, stop);
                seen ??= await witness.WallAheadAsync();
            }
        }
        finally
        {
            node.Clock!.SetWall(TimeSpan.Zero);
        }

        return FaultBite.Of(
            FormattableString.Invariant($"{node.Name} by {ahead.TotalSeconds:+0;-0} s"), seen is { } off && (off - ahead).Duration() < TimeSpan.FromSeconds(1), ("milliseconds its now was ahead", Math.Round(seen?.TotalMilliseconds ?? 0)),
            ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }
}

/// <summary>A node's wall clock goes to and fro.</summary>
internal sealed class ClockStrobeFault() : ClockFault("clock-strobe", FaultTrack.Clock, "a node's wall clock jumps to and fro, some times a second", bendsAll: false)
{
    private const int LeastMillis = 500;
    private const int MostMillis = 60_000;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (await AnyNodeAsync(scene, stop) is not { } node) return FaultBite.Missed("no node ran whose wall clock can be set");
        TimeSpan ahead = TimeSpan.FromMilliseconds(scene.Random.Next(LeastMillis, MostMillis));
        using ClockWitness witness = new(node);
        long began = scene.Clock.NowMicros;
        int sets = 0;
        int seen = 0;
        bool wasAhead = false;
        try
        {
            TimeSpan start = scene.Clock.Now;
            while (!stop.IsCancellationRequested && scene.Clock.Now - start is var held && (held < duration || (seen == 0 && held < duration + Patience)))
            {
                node.Clock!.SetWall(++sets % 2 == 1 ? ahead : TimeSpan.Zero);
                await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(50, 400)), stop);
                if (await witness.WallAheadAsync() is not { } off) continue;
                bool isAhead = off > ahead / 2;
                if (isAhead != wasAhead) seen++;
                wasAhead = isAhead;
            }
        }
        finally
        {
            node.Clock!.SetWall(TimeSpan.Zero);
        }

        return FaultBite.Of(FormattableString.Invariant($"{node.Name} by {ahead.TotalSeconds:F1} s"), seen > 1, ("times set", sets), ("jumps seen in its now", seen), ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }
}

/// <summary>
/// All clocks of a node run a fifth too fast or too slow, that of consensus too, and with it its timeouts: far beyond what crystals do. Time to live and the age of a stale read are as
/// right as the clock is; everything else must not care.
/// </summary>
internal sealed class ClockRateFault() : ClockFault("clock-rate", FaultTrack.Clock, "all clocks of a node run a fifth too fast, or too slow", bendsAll: true)
{
    private const double Slow = 0.8;
    private const double Fast = 1.2;
    private static readonly TimeSpan s_shortestWindow = TimeSpan.FromSeconds(1);

    /// <summary>With each change of rate a clock steps ahead a little (see <see cref="NodeClock"/>).</summary>
    public override ClockError Clocks { get; } = new(FastestPerMille: 1_300, SlowestPerMille: 800);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (await AnyNodeAsync(scene, stop) is not { } node) return FaultBite.Missed("no node ran whose clocks can be bent");
        double rate = scene.Random.Next(2) == 0 ? Slow : Fast;
        long began = scene.Clock.NowMicros;
        (TimeSpan Real, TimeSpan Own) window = default;
        try
        {
            node.Clock!.SetRate(rate);
            window = await MeasureAsync(scene, node, duration, stop);
        }
        finally
        {
            node.Clock!.SetRate(1);
        }

        double seen = window.Real > TimeSpan.Zero ? window.Own / window.Real : 0;
        return FaultBite.Of(
            FormattableString.Invariant($"{node.Name} x{rate}"), window.Real >= s_shortestWindow && Math.Abs(seen - rate) < Math.Abs(seen - 1), ("seconds by its clock for each of ours", Math.Round(seen, 3)),
            ("leader changes meanwhile", scene.Leaders.ChangesSince(began)));
    }

    /// <summary>How long it was by our clock and by the node's, between two answers of the same life.</summary>
    private static async Task<(TimeSpan Real, TimeSpan Own)> MeasureAsync(FaultScene scene, HarnessNode node, TimeSpan duration, CancellationToken stop)
    {
        using ClockWitness witness = new(node);
        (TimeSpan Real, TimeSpan Own) longest = default;
        (int Life, TimeSpan At, TimeSpan Uptime)? first = null;
        TimeSpan start = scene.Clock.Now;
        while (!stop.IsCancellationRequested && scene.Clock.Now - start is var held && (held < duration || (longest.Real < s_shortestWindow && held < duration + Patience)))
        {
            int life = node.Starts;
            TimeSpan asked = scene.Clock.Now;
            if (await witness.UptimeAsync() is { } uptime && life == node.Starts)
            {
                TimeSpan at = (asked + scene.Clock.Now) / 2;
                if (first is not { } from || from.Life != life) first = (life, at, uptime);
                else if (at - from.At > longest.Real) longest = (at - from.At, uptime - from.Uptime);
            }

            await HoldAsync(Look, stop);
        }

        return longest;
    }
}

/// <summary>
/// A node stands still, and none of its clocks sees it: as a virtual machine that is held or moved to another host, whose clocks go on where they stood. Afterwards all of them are behind,
/// also the wall clock, until the node starts anew.
/// </summary>
/// <remarks>
/// Not as for a virtual machine: waits in the kernel go by the machine's own clock, so timers that were due meanwhile are due at once. (A suspended laptop's CLOCK_BOOTTIME does count the
/// time: for a node that is the same as <see cref="PauseFault"/>.)
/// </remarks>
internal sealed class SuspendFault() : ClockFault("suspend", FaultTrack.Process, "a node stands still, and its clocks with it: as a virtual machine that is held", bendsAll: true)
{
    /// <summary>It stood still for longer than its clocks lose, so that none goes back.</summary>
    private static readonly TimeSpan s_margin = TimeSpan.FromMilliseconds(50);

    /// <summary>Twice the longest: one may follow on another.</summary>
    public override ClockError Clocks { get; } = new(LostMicros: 20_000_000);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (await AnyNodeAsync(scene, stop) is not { } node) return FaultBite.Missed("no node ran whose clocks can be bent");
        using ClockWitness witness = new(node);
        TimeSpan? before = await AskAsync(scene, witness, stop);
        Stopwatch real = Stopwatch.StartNew();
        TimeSpan lost;
        try
        {
            node.Pause();
            long held = Stopwatch.GetTimestamp();
            await HoldAsync(duration, stop);
            lost = Stopwatch.GetElapsedTime(held) - s_margin;
            node.Clock!.Lose(lost);
        }
        finally
        {
            node.Resume();
        }

        TimeSpan? after = await AskAsync(scene, witness, stop);
        TimeSpan unseen = before is { } from && after is { } to ? real.Elapsed - (to - from) : TimeSpan.Zero;
        return FaultBite.Of(node.Name, unseen > lost / 2, ("milliseconds held", Math.Round(lost.TotalMilliseconds)), ("milliseconds that its clock did not see", Math.Round(unseen.TotalMilliseconds)));
    }

    /// <summary>Its uptime, once it answers; null if it does not for as long as patience lasts.</summary>
    private static async Task<TimeSpan?> AskAsync(FaultScene scene, ClockWitness witness, CancellationToken stop)
    {
        TimeSpan end = scene.Clock.Now + Patience;
        while (true)
        {
            if (await witness.UptimeAsync() is { } uptime) return uptime;
            if (scene.Clock.Now > end || stop.IsCancellationRequested) return null;
            await HoldAsync(Look, stop);
        }
    }
}
