using System.Collections.Immutable;
using RaftKv.Contracts;

namespace RaftKv.Bench;

/// <summary>The keys of a load by number: <c>bench-0000000017</c>, 16 bytes.</summary>
public static class KeySpace
{
    public const int KeyBytes = 16;

    private static ReadOnlySpan<byte> Prefix => "bench-"u8;

    /// <param name="into"><see cref="KeyBytes"/> long.</param>
    /// <param name="number">≥ 0.</param>
    public static void Write(Span<byte> into, int number)
    {
        Prefix.CopyTo(into);
        for (int i = KeyBytes - 1; i >= Prefix.Length; i--, number /= 10) into[i] = (byte)('0' + (number % 10));
    }

    /// <summary>A lane for each of these shards: the numbers, below <paramref name="keys"/>, of the keys that it owns.</summary>
    public static ImmutableArray<ImmutableArray<int>> LanesOf(ShardMap map, IReadOnlyList<ulong> shards, int keys)
    {
        Dictionary<ulong, ImmutableArray<int>.Builder> lanes = shards.ToDictionary(shard => shard, _ => ImmutableArray.CreateBuilder<int>());
        byte[] key = new byte[KeyBytes];
        for (int number = 0; number < keys; number++)
        {
            Write(key, number);
            if (lanes.TryGetValue(map.ByKey(key).Id, out ImmutableArray<int>.Builder? lane)) lane.Add(number);
        }

        return [.. shards.Select(shard => lanes[shard].ToImmutable())];
    }
}
