using RaftKv.Bench;
using RaftKv.Bench.Loop;

namespace RaftKv.Harness.Failover;

/// <summary>When writes were acknowledged, for each shard. Written by the load's thread, read by others; times are <see cref="System.Diagnostics.Stopwatch"/>'s timestamps.</summary>
/// <param name="lanes">Of the load: client i is in lane i modulo this.</param>
/// <param name="shards">Lane i writes to shard i modulo this.</param>
internal sealed class AcknowledgementLog(int lanes, int shards) : IAnswerObserver
{
    private readonly Lock _lock = new();
    private readonly List<long>[] _times = [.. Enumerable.Range(0, shards).Select(_ => new List<long>())];

    /// <summary>Of one shard, ascending.</summary>
    public long[] Of(int shard)
    {
        lock (_lock) return [.. _times[shard]];
    }

    /// <summary>Whether each of these shards has acknowledged a write since that moment.</summary>
    public bool HasSucceededSince(IEnumerable<int> shards, long moment)
    {
        lock (_lock) return shards.All(shard => _times[shard].Count > 0 && _times[shard][^1] > moment);
    }

    void IAnswerObserver.OnAnswer(int client, AnswerKind kind, long now)
    {
        if (kind != AnswerKind.Done) return;
        lock (_lock) _times[client % lanes % shards].Add(now);
    }
}
