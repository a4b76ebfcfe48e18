using FsCheck;
using FsCheck.Fluent;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.MultiRaft.Tests.Wire;

/// <summary>RFC 3720, appendix B.4, and a table-driven CRC written from the polynomial.</summary>
public sealed class Crc32CTests
{
    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(value =>
    {
        uint crc = (uint)value;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        return crc;
    })];

    [Fact]
    public void The_vectors_of_the_RFC()
    {
        byte[] ascending = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.Equal(0x8A9136AAu, Crc32C.Of(new byte[32]));
        Assert.Equal(0x62A8AB43u, Crc32C.Of(Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, Crc32C.Of(ascending));
        Assert.Equal(0x113FDB5Cu, Crc32C.Of(ascending.Reverse().ToArray()));
        Assert.Equal(0xE3069283u, Crc32C.Of("123456789"u8));
        Assert.Equal(0u, Crc32C.Of([]));
    }

    [Fact]
    public void It_is_the_CRC_of_the_polynomial() =>
        Prop.ForAll<byte[]>(bytes => Crc32C.Of(bytes) == Model(bytes)).QuickCheckThrowOnFailure();

    [Fact]
    public void It_can_be_continued_at_any_place() =>
        Prop.ForAll<byte[], byte[]>((first, second) => Crc32C.Of(second, Crc32C.Of(first)) == Model([.. first, .. second])).QuickCheckThrowOnFailure();

    [Fact]
    public void A_prefix_counts_as_its_eight_bytes() =>
        Prop.ForAll<ulong, byte[]>((prefix, bytes) =>
        {
            ByteWriter writer = new();
            writer.U64(prefix);
            writer.Raw(bytes);
            return Crc32C.Of(prefix, bytes) == Model(writer.ToArray());
        }).QuickCheckThrowOnFailure();

    private static uint Model(byte[] bytes) => ~bytes.Aggregate(~0u, (crc, value) => (crc >> 8) ^ Table[(byte)(crc ^ value)]);
}
