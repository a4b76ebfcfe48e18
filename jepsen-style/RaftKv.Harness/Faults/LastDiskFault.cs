using RaftKv.Harness.Cluster;

namespace RaftKv.Harness.Faults;

/// <summary>
/// The disks of all nodes but one stop answering; soon afterwards the power of all fails, and the one whose disk still answered comes back last. What was acknowledged meanwhile can stand on
/// that disk alone, if anybody acknowledged what no majority had synced.
/// </summary>
internal sealed class LastDiskFault() : Fault(
    "last-disk", FaultTrack.Process, "all disks but one stand still, then the power of all nodes fails; the node of that one comes back last", FaultNeeds.Root | FaultNeeds.Image)
{
    /// <summary>Shorter than a node lets its own disk stand still before it gives up its leaderships.</summary>
    private static readonly TimeSpan s_standstill = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 3 ? $"{Name} needs 3 nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        if (scene.AnyNode() is not { } last) return FaultBite.Missed("no node ran");
        HarnessNode[] frozen = [.. scene.Cluster.Nodes.Where(node => node != last && node.IsRunning)];
        HarnessNode[] all = [.. frozen, last];
        int waiting = 0;
        last.Disk!.PlantCanary();
        try
        {
            string[] copies;
            try
            {
                await Task.WhenAll(frozen.Select(node => node.Disk!.FreezeAsync()));
                await HoldAsync(s_standstill, stop);
                waiting = frozen.Count(node => ProcessFacts.ThreadsInDiskWait(node.ProcessId) > 0);
                copies = await PowerCutFault.HoldAndCopyAsync(all);
            }
            finally
            {
                // Nothing ends who waits for a disk that stands still. What now gets there is not in the copies.
                await Task.WhenAll(frozen.Select(node => node.Disk!.ThawAsync()));
            }

            await PowerCutFault.EndAsync(all, copies);
        }
        finally
        {
            foreach (HarnessNode node in all)
            {
                if (node.IsRunning) await node.KillAsync();
                if (node == last) await HoldAsync(duration > s_late ? duration : s_late, stop);
                node.Start();
            }
        }

        long left = last.Disk!.CanaryLeft();
        return FaultBite.Of($"{last.Name} last", left == 0 && waiting > 0, ("disks cut", all.Length), ("nodes that waited for a disk", waiting), ("unsynced bytes of a canary left", left));
    }
}
