using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using RaftKv.Client;
using RaftKv.Contracts;

namespace RaftKv.Shardctl.Playground;

/// <summary>
/// Finds out by doing whether every shard takes writes: it deletes one key per shard, <c>playground/probe/{n}</c>, n being the smallest number
/// whose hash is the shard's. These keys are the playground's own and never exist; so the delete goes through the log and
/// onto a majority's disks like every write, and leaves no key and no revision behind. It carries no idempotency key: its record would keep every
/// shard awake once a minute for as long as it is kept.
/// </summary>
internal static class ReadinessProbe
{
    private const int Parallelism = 32;

    private static readonly TimeSpan PauseAfterUnknown = TimeSpan.FromMilliseconds(100);

    /// <summary>Returns when every shard has taken the write. Throws <see cref="CommandException"/> when a shard has not within the client's timeout.</summary>
    /// <param name="timeout">For each shard.</param>
    /// <param name="onTaken">Called with the number of shards that have, from any thread.</param>
    public static async Task RunAsync(ImmutableArray<ClientEndpoint> endpoints, ShardMap map, TimeSpan timeout, Action<int> onTaken, CancellationToken cancellation)
    {
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = endpoints, Timeout = timeout, IdempotencyKeys = false });
        int taken = 0;
        ParallelOptions options = new() { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellation };
        await Parallel.ForEachAsync(Keys(map), options, async (key, token) =>
        {
            WriteResult result;
            while ((result = await client.DeleteAsync(key, cancellation: token)).Outcome == RequestOutcome.Unknown)
                await Task.Delay(PauseAfterUnknown, token); // To delete nothing twice does no harm.
            if (result.Outcome == RequestOutcome.Rejected) throw new CommandException(ExitCode.Unhealthy, $"shard {map.ByKey(key).Id} takes no writes: {result.Error}");
            onTaken(Interlocked.Increment(ref taken));
        });
    }

    /// <summary>A key for each shard.</summary>
    public static IReadOnlyCollection<byte[]> Keys(ShardMap map)
    {
        Dictionary<ulong, byte[]> keys = [];
        for (int n = 0; keys.Count < map.Shards.Length; n++)
        {
            byte[] key = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"playground/probe/{{{n}}}"));
            keys.TryAdd(map.ByKey(key).Id, key);
        }

        return keys.Values;
    }
}
