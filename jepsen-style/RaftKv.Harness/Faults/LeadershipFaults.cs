using RaftKv.Client;

namespace RaftKv.Harness.Faults;

/// <summary>Leaderships are handed from node to node, as fast as that goes.</summary>
internal sealed class TransferStormFault() : Fault("transfer-storm", FaultTrack.Leadership, "leaderships are transferred between nodes all the time")
{
    /// <summary>While other faults leave no majority nothing can be transferred: so much longer than planned it may take until one thing was.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(8);

    /// <inheritdoc/>
    public override string? UnfitFor(int nodes) => nodes < 2 ? $"{Name} needs 2 nodes" : null;

    /// <inheritdoc/>
    public override async Task<FaultBite> BiteAsync(FaultScene scene, TimeSpan duration, CancellationToken stop)
    {
        int asked = 0;
        int done = 0;
        TimeSpan end = scene.Clock.Now + duration;
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [.. scene.Cluster.Nodes.Select(node => node.Client)], Timeout = TimeSpan.FromSeconds(1), ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        while (scene.Clock.Now < (done > 0 ? end : end + s_patience) && !stop.IsCancellationRequested)
        {
            ulong[] shards = scene.Leaders.Shards();
            if (shards.Length > 0)
            {
                asked++;
                TransferResult result = await client.TransferLeaderAsync(shards[scene.Random.Next(shards.Length)], to: null, CancellationToken.None);
                if (result.Outcome == RequestOutcome.Applied) done++;
            }

            await HoldAsync(TimeSpan.FromMilliseconds(scene.Random.Next(10, 200)), stop);
        }

        return FaultBite.Of("random shards", done > 0, ("transfers asked for", asked), ("transfers done", done));
    }
}
