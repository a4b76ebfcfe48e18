using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.MultiRaft.Tests.Wire;

public sealed class ConfigurationCodecTests
{
    [Fact]
    public void Configurations_can_be_read_back()
    {
        Random random = new(4);
        for (int i = 0; i < 2_000; i++)
        {
            Configuration configuration = Samples.RandomConfiguration(random);
            ByteReader reader = new(Encode(configuration));
            Assert.Equal(configuration, ConfigurationCodec.Read(ref reader));
            reader.ExpectEnd();
        }
    }

    [Fact]
    public void Every_truncation_is_malformed()
    {
        byte[] bytes = Encode(Samples.Joint);
        for (int length = 0; length < bytes.Length; length++) Assert.Throws<MalformedException>(() => Read(bytes[..length]));
    }

    [Theory]
    [InlineData(0x8000_0000u)]
    [InlineData(0xFFFF_FFFFu)]
    [InlineData(1000u)]
    public void A_count_of_members_that_cannot_be_there_is_refused_before_anything_is_allocated(uint count)
    {
        byte[] bytes = Encode(Samples.Joint);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), count);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MalformedException>(() => Read(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    public void Members_are_above_zero_and_in_ascending_order(ulong first, ulong second)
    {
        ByteWriter writer = new();
        writer.U64(9);
        writer.U32(2);
        foreach (ulong replica in (ReadOnlySpan<ulong>)[first, second])
        {
            writer.U64(replica);
            writer.U64(7);
        }

        for (int list = 0; list < 3; list++) writer.U32(0);
        Assert.Throws<MalformedException>(() => Read(writer.ToArray()));
    }

    [Fact]
    public void Random_bytes_are_malformed_or_a_configuration_never_anything_else()
    {
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(100)];
            random.NextBytes(bytes);
            if (bytes.Length >= 12) BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), random.Next(5));
            try
            {
                Read(bytes);
            }
            catch (MalformedException)
            {
            }
        }
    }

    private static byte[] Encode(Configuration configuration)
    {
        ByteWriter writer = new();
        ConfigurationCodec.Write(writer, configuration);
        return writer.ToArray();
    }

    private static Configuration Read(byte[] bytes)
    {
        ByteReader reader = new(bytes);
        return ConfigurationCodec.Read(ref reader);
    }
}
