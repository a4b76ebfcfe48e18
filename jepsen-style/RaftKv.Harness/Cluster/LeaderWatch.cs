using RaftKv.Client;
using RaftKv.Harness.Clients;

namespace RaftKv.Harness.Cluster;

/// <summary>A shard got another leader.</summary>
internal sealed record LeaderChange(long AtMicros, ulong Shard, string Leader, ulong Term);

/// <summary>Asks all nodes now and then who leads what: for faults that aim at leaders, and for the report. Thread-safe.</summary>
internal sealed class LeaderWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly TestedCluster _cluster;
    private readonly RunClock _clock;
    private readonly NodeClient _asker = new(TimeSpan.FromMilliseconds(300));
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watching;
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, (string Leader, ulong Term)> _leaders = [];
    private readonly List<LeaderChange> _changes = [];

    public LeaderWatch(TestedCluster cluster, RunClock clock)
    {
        (_cluster, _clock) = (cluster, clock);
        _watching = WatchAsync();
    }

    /// <summary>Each first leader and each change since, in the order of time.</summary>
    public IReadOnlyList<LeaderChange> Changes
    {
        get { lock (_lock) return [.. _changes]; }
    }

    /// <summary>How many times a shard got another leader than it had, after that moment of the run.</summary>
    public int ChangesSince(long micros)
    {
        lock (_lock) return _changes.Where((change, i) => change.AtMicros >= micros && _changes.Take(i).LastOrDefault(earlier => earlier.Shard == change.Shard) is { } before && before.Leader != change.Leader).Count();
    }

    /// <summary>Who leads most shards as far as is known.</summary>
    public string? BusiestLeader()
    {
        lock (_lock) return _leaders.Values.GroupBy(leader => leader.Leader).OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
    }

    /// <summary>How many shards a node leads as far as is known.</summary>
    public int LedBy(string name)
    {
        lock (_lock) return _leaders.Values.Count(leader => leader.Leader == name);
    }

    /// <summary>Those that are known to have had a leader.</summary>
    public ulong[] Shards()
    {
        lock (_lock) return [.. _leaders.Keys.Order()];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _asker.Dispose();
        _stop.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                await Task.WhenAll(_cluster.Nodes.Where(node => node.IsRunning && !node.IsPaused).Select(LookAsync));
                await Task.Delay(Interval, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task LookAsync(HarnessNode node)
    {
        try
        {
            NodeStatus status = await _asker.StatusAsync(node.Client, _stop.Token);
            long now = _clock.NowMicros;
            lock (_lock)
            {
                foreach (GroupStatus group in status.Groups)
                {
                    if (!group.IsLeader || (_leaders.TryGetValue(group.Shard, out var known) && known.Term >= group.Term)) continue;
                    _leaders[group.Shard] = (node.Name, group.Term);
                    _changes.Add(new LeaderChange(now, group.Shard, node.Name, group.Term));
                }
            }
        }
        catch (NodeUnreachableException)
        {
        }
    }
}
