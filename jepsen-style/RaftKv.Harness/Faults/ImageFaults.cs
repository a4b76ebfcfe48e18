using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>The power fails: what was written and not synced is gone, as the kernel's file system leaves it.</summary>
/// <param name="hitsAll">All nodes at the same moment; else one.</param>
internal sealed class PowerCutFault(string name, string summary, bool hitsAll) : Fault(name, FaultTrack.Process, summary, FaultNeeds.Root | FaultNeeds.Image)
{
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        HarnessNode[] targets = hitsAll ? [.. scene.Cluster.Nodes.Where(node => node.IsRunning)] : scene.AnyNode() is { } one ? [one] : [];
        if (targets.Length == 0) return FaultBite.Missed("no node ran");
        foreach (HarnessNode node in targets) node.Disk!.PlantCanary();
        try
        {
            await CutAsync(targets);
            await HoldAsync(duration, stop);
        }
        finally
        {
            // The last one comes late: a majority of the others must do, with what is on their disks alone.
            scene.Random.Shuffle(targets);
            foreach (HarnessNode node in targets)
            {
                if (node.IsRunning) await node.KillAsync();
                if (targets.Length > 1 && node == targets[^1]) await HoldAsync(s_late, stop);
                node.Start();
            }
        }

        long left = targets.Sum(node => node.Disk!.CanaryLeft());
        return FaultBite.Of(string.Join(", ", targets.Select(node => node.Name)), left == 0, ("disks cut", targets.Length), ("unsynced bytes of a canary left", left));
    }

    /// <summary>The nodes are gone, and their disks are as the power has left them.</summary>
    public static async Task CutAsync(HarnessNode[] targets) => await EndAsync(targets, await HoldAndCopyAsync(targets));

    /// <summary>What the power leaves on each disk; the nodes are held, and gone only with <see cref="EndAsync"/>.</summary>
    public static async Task<string[]> HoldAndCopyAsync(HarnessNode[] targets)
    {
        foreach (HarnessNode node in targets) node.Pause();
        return await Task.WhenAll(targets.Select(node => node.Disk!.CopyAsync()));
    }

    /// <summary>Ends the nodes and puts the copies in the places of their disks.</summary>
    public static async Task EndAsync(HarnessNode[] targets, string[] copies)
    {
        await Task.WhenAll(targets.Select(node => node.KillAsync()));
        for (int i = 0; i < targets.Length; i++) await targets[i].Disk!.SwitchToAsync(copies[i]);
    }
}

/// <summary>Something is wrong with a node's disk for a while; a node that ends for it is started again.</summary>
/// <param name="spoil">What is done to the disk.</param>
/// <param name="mend">What undoes it, after the node was ended if it had not.</param>
/// <param name="isExpected">Whether the node's end fits: its exit code, null while it runs.</param>
internal sealed class SickDiskFault(string name, string summary, string expected, Func<int?, bool> isExpected, Func<DiskImage, Task> spoil, Func<DiskImage, Task> mend, bool endsNode) : Fault(name, FaultTrack.Process, summary, FaultNeeds.Root | FaultNeeds.Image)
{
    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        DiskImage disk = node.Disk!;
        int? exitCode = null;
        long free = disk.FreeBytes;
        try
        {
            node.MayEnd();
            await spoil(disk);
            await Task.WhenAny(node.WaitForExitAsync(), HoldAsync(duration, stop));
            exitCode = node.ExitCode;
            free -= disk.FreeBytes;
        }
        finally
        {
            if (endsNode && node.IsRunning) await node.KillAsync();
            await mend(disk);
            if (!node.IsRunning) node.Start();
            else node.MayNotEnd();
        }

        return FaultBite.Of($"{node.Name}; expected: {expected}", isExpected(exitCode), ("exit code", exitCode ?? -1), ("bytes taken from it", Math.Max(0, free)));
    }

    /// <summary>Takes all room but a little.</summary>
    public static async Task FillAsync(DiskImage disk)
    {
        const long Left = 1 << 20;
        await Shell.RunAsync("fallocate", "-l", $"{Math.Max(1, disk.FreeBytes - Left)}", Path.Combine(disk.MountPoint, "ballast"));
    }

    public static Task EmptyAsync(DiskImage disk)
    {
        File.Delete(Path.Combine(disk.MountPoint, "ballast"));
        return Task.CompletedTask;
    }
}

/// <summary>A node's file system makes itself read-only: as nothing can be synced any more, the node must end, and come back when it is mounted anew.</summary>
internal sealed class ReadOnlyDiskFault() : Fault("read-only", FaultTrack.Process, "a node's file system meets an error and makes itself read-only: the node must end", FaultNeeds.Root | FaultNeeds.Image)
{
    private const int CannotSync = 86;

    /// <summary>It notices with the next thing that it writes.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        DiskImage disk = node.Disk!;
        long began = scene.Clock.NowMicros;
        int? exitCode;
        bool isReadOnly;
        double millis;
        try
        {
            node.MayEnd();
            disk.Fail();
            isReadOnly = disk.IsReadOnly();
            await Task.WhenAny(node.WaitForExitAsync(), HoldAsync(duration + s_patience, stop));
            millis = (scene.Clock.NowMicros - began) / 1_000;
            exitCode = node.ExitCode;
            await HoldAsync(duration - TimeSpan.FromMilliseconds(millis) is { Ticks: > 0 } rest ? rest : TimeSpan.Zero, stop);
        }
        finally
        {
            if (node.IsRunning) await node.KillAsync();
            await disk.RemountAsync();
            node.Start();
        }

        return FaultBite.Of($"{node.Name}; expected: exit code {CannotSync}", isReadOnly && exitCode == CannotSync, ("writes of ours refused", isReadOnly ? 1 : 0), ("exit code", exitCode ?? -1), ("milliseconds until it ended", millis));
    }
}

/// <summary>
/// The power fails while a node writes the next batch of its log: some sectors of it have reached the disk, others not. Behind what it had synced stands noise, and it must start with all
/// that it had synced.
/// </summary>
/// <remarks>
/// Only the very last batch may be torn (RaftKv.RaftLog, LogRecovery). What is not zero up to the end may have been synced, so only what follows is touched, from the next block on,
/// where a batch would begin.
/// </remarks>
internal sealed class TornTailFault() : Fault("torn-tail", FaultTrack.Process, "the power of a node fails while a batch of its log is half on the disk", FaultNeeds.Root | FaultNeeds.Image)
{
    private const int BlockBytes = 4_096;
    private const int SectorBytes = 512;
    private const int MostSectors = 16;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } node) return FaultBite.Missed("no node ran");
        (string File, long At, int Bytes)? torn = null;
        try
        {
            await PowerCutFault.CutAsync([node]);
            torn = Tear(Path.Combine(node.DataDirectory, "log"), scene.Random);
            await HoldAsync(duration, stop);
        }
        finally
        {
            if (node.IsRunning) await node.KillAsync();
            node.Start();
        }

        using ClockWitness witness = new(node);
        bool isBack = false;
        for (TimeSpan started = scene.Clock.Now; !isBack && node.IsRunning && scene.Clock.Now - started < s_patience; await HoldAsync(TimeSpan.FromMilliseconds(100), CancellationToken.None)) isBack = await witness.UptimeAsync() is not null;
        return FaultBite.Of(torn is { } tear ? $"{node.Name}, {tear.File} from {tear.At} on" : $"{node.Name}: no room behind the last batch", torn is not null && isBack, ("bytes of noise", torn?.Bytes ?? 0), ("started with it", isBack ? 1 : 0));
    }

    /// <summary>Writes noise to some of the sectors behind the newest segment's last batch. Returns where they begin and how many bytes it is; null if the segment has no room.</summary>
    public static (string File, long At, int Bytes)? Tear(string log, Random random)
    {
        string? newest = Directory.EnumerateFiles(log, "*.log").Order(StringComparer.Ordinal).LastOrDefault();
        if (newest is null) return null;
        byte[] bytes = File.ReadAllBytes(newest);
        long at = (bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + BlockBytes) / BlockBytes * BlockBytes;
        int sectors = (int)Math.Min(random.Next(1, MostSectors + 1), (bytes.Length - at) / SectorBytes);
        if (sectors < 1) return null;
        int written = 0;
        byte[] noise = new byte[SectorBytes];
        using FileStream stream = File.OpenWrite(newest);
        for (int sector = 0; sector < sectors; sector++)
        {
            if (written > 0 && random.Next(2) == 0) continue; // They reach the disk in any order.
            random.NextBytes(noise);
            stream.Position = at + (sector * SectorBytes);
            stream.Write(noise);
            written += SectorBytes;
        }

        return (Path.GetFileName(newest), at, written);
    }
}
