using System.Buffers.Binary;
using System.Numerics;

namespace RaftKv.Contracts;

/// <summary>XXH64, the 64-bit hash that routes keys and names nodes. The same bytes give the same hash on every host.</summary>
/// <remarks>
/// Our own, because System.IO.Hashing is not available to us. Source: the XXH64 section of
/// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. Checked against xxhsum: Vectors/key-hash.json.
/// Hot path: no allocation.
/// </remarks>
public static class XxHash64
{
    private const ulong Prime1 = 0x9E3779B185EBCA87;
    private const ulong Prime2 = 0xC2B2AE3D27D4EB4F;
    private const ulong Prime3 = 0x165667B19E3779F9;
    private const ulong Prime4 = 0x85EBCA77C2B2AE63;
    private const ulong Prime5 = 0x27D4EB2F165667C5;

    private const int StripeBytes = 32;

    /// <summary>The hash of <paramref name="data"/> (any length, also none). All 2^64 results are possible, also 0.</summary>
    public static ulong Hash(ReadOnlySpan<byte> data, ulong seed = 0)
    {
        ReadOnlySpan<byte> rest = data;
        ulong hash = data.Length >= StripeBytes ? HashStripes(ref rest, seed) : seed + Prime5;
        hash += (ulong)data.Length;
        return Avalanche(HashTail(rest, hash));
    }

    /// <summary>Consumes all whole stripes of 32 bytes in four lanes; fewer than 32 bytes remain in <paramref name="rest"/>.</summary>
    private static ulong HashStripes(ref ReadOnlySpan<byte> rest, ulong seed)
    {
        ulong lane1 = seed + Prime1 + Prime2;
        ulong lane2 = seed + Prime2;
        ulong lane3 = seed;
        ulong lane4 = seed - Prime1;
        while (rest.Length >= StripeBytes)
        {
            lane1 = Round(lane1, BinaryPrimitives.ReadUInt64LittleEndian(rest));
            lane2 = Round(lane2, BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]));
            lane3 = Round(lane3, BinaryPrimitives.ReadUInt64LittleEndian(rest[16..]));
            lane4 = Round(lane4, BinaryPrimitives.ReadUInt64LittleEndian(rest[24..]));
            rest = rest[StripeBytes..];
        }

        ulong hash = BitOperations.RotateLeft(lane1, 1) + BitOperations.RotateLeft(lane2, 7)
            + BitOperations.RotateLeft(lane3, 12) + BitOperations.RotateLeft(lane4, 18);
        hash = MergeLane(hash, lane1);
        hash = MergeLane(hash, lane2);
        hash = MergeLane(hash, lane3);
        return MergeLane(hash, lane4);
    }

    /// <summary>Consumes the last 0 to 31 bytes: by 8, then by 4, then by 1.</summary>
    private static ulong HashTail(ReadOnlySpan<byte> rest, ulong hash)
    {
        for (; rest.Length >= 8; rest = rest[8..])
        {
            hash ^= Round(0, BinaryPrimitives.ReadUInt64LittleEndian(rest));
            hash = BitOperations.RotateLeft(hash, 27) * Prime1 + Prime4;
        }

        if (rest.Length >= 4)
        {
            hash ^= BinaryPrimitives.ReadUInt32LittleEndian(rest) * Prime1;
            hash = BitOperations.RotateLeft(hash, 23) * Prime2 + Prime3;
            rest = rest[4..];
        }

        foreach (byte b in rest) hash = BitOperations.RotateLeft(hash ^ (b * Prime5), 11) * Prime1;
        return hash;
    }

    private static ulong Round(ulong lane, ulong input) => BitOperations.RotateLeft(lane + input * Prime2, 31) * Prime1;

    private static ulong MergeLane(ulong hash, ulong lane) => (hash ^ Round(0, lane)) * Prime1 + Prime4;

    private static ulong Avalanche(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * Prime2;
        hash = (hash ^ (hash >> 29)) * Prime3;
        return hash ^ (hash >> 32);
    }
}
