using System.Buffers.Binary;
using System.Numerics;

namespace RaftKv.MultiRaft.Wire;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where there is one.</summary>
public static class Crc32C
{
    public static uint Of(ReadOnlySpan<byte> bytes, uint seed = 0) => ~Continue(~seed, bytes);

    /// <summary>The checksum of <paramref name="prefix"/> followed by <paramref name="bytes"/>, so that a context which is not stored is covered too.</summary>
    public static uint Of(ulong prefix, ReadOnlySpan<byte> bytes) => ~Continue(BitOperations.Crc32C(~0u, prefix), bytes);

    private static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (byte value in bytes) crc = BitOperations.Crc32C(crc, value);
        return crc;
    }
}
