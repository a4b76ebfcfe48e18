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
        string[] copies;
        try
        {
            foreach (HarnessNode node in targets) node.Pause();
            copies = await Task.WhenAll(targets.Select(node => node.Disk!.CopyAsync()));
            await Task.WhenAll(targets.Select(node => node.KillAsync()));
            for (int i = 0; i < targets.Length; i++) await targets[i].Disk!.SwitchToAsync(copies[i]);
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
