using RaftKv.Client;

namespace RaftKv.Harness.Cluster;

/// <summary>What a node itself says of the time.</summary>
internal sealed class ClockWitness(HarnessNode node) : IDisposable
{
    private readonly NodeClient _asker = new(TimeSpan.FromSeconds(2));

    /// <summary>How far its wall clock is ahead of ours, up to some milliseconds: a change of role is dated by it, and how long ago that was is told beside it. Null if it does not answer.</summary>
    public async Task<TimeSpan?> WallAheadAsync()
    {
        try
        {
            foreach (GroupStatus group in (await _asker.StatusAsync(node.Client)).Groups)
            {
                if ((await _asker.GroupAsync(node.Client, group.Shard))["roleChanges"]?.AsArray().LastOrDefault() is { } change)
                    return change["at"]!.GetValue<DateTimeOffset>() + TimeSpan.FromMilliseconds(change["agoMillis"]!.GetValue<long>()) - DateTimeOffset.UtcNow;
            }

            return null;
        }
        catch (NodeUnreachableException)
        {
            return null;
        }
    }

    /// <summary>How long it has been up by its own clock of consensus; null if it does not answer.</summary>
    public async Task<TimeSpan?> UptimeAsync()
    {
        try
        {
            return TimeSpan.FromMilliseconds((await _asker.StatusAsync(node.Client)).UptimeMillis);
        }
        catch (NodeUnreachableException)
        {
            return null;
        }
    }

    public void Dispose() => _asker.Dispose();
}
