namespace RaftKv.Contracts.Tests;

public sealed class LimitsTests
{
    [Fact]
    public void Defaults_are_those_of_the_design_section_10()
    {
        Limits limits = Limits.Default;
        Assert.Equal(4096, limits.MaxKeyBytes);
        Assert.Equal(1_048_576, limits.MaxValueBytes);
        Assert.Equal(16_777_216, Limits.MaxValueBytesCeiling);
        Assert.Equal(1000, limits.MaxBatchOperations);
        Assert.Equal(8_388_608, limits.MaxBatchBytes);
        Assert.Equal(16_777_216, limits.MaxBatchBodyBytes);
        Assert.Equal(1000, limits.MaxListKeys);
        Assert.Equal(8_388_608, limits.MaxListBytes);
        Assert.Equal(64, limits.MaxListsAtOnce);
        Assert.Equal(1_572_864, limits.MaxEtcdRequestBytes);
        Assert.Equal(128, limits.MaxEtcdTxnOperations);
        Assert.Equal(64, limits.MaxIdempotencyKeyChars);
        Assert.Equal(10_000, limits.MaxConnections);
        Assert.Equal((3_162_240_000, 65_536, 268_435_456, 268_435_456, 268_435_456), (limits.MaxTtlSeconds, limits.MaxCallsAtOnce, limits.MaxCallBytes, limits.MaxArrivingBodyBytes, limits.MaxUntakenAnswerBytes));
        Assert.Equal((32_768, 100), (limits.MaxHeaderBytes, limits.MaxHeaders));
        Assert.Equal(600_000, limits.IdempotencyWindowMillis);
        Assert.Equal(5_000, limits.DefaultDeadlineMillis);
        Assert.Equal(60_000, limits.MaxDeadlineMillis);
    }

    [Theory]
    [InlineData(0L, 1L << 30)]
    [InlineData(50L << 30, 1L << 30)]
    [InlineData(100L << 30, 2L << 30)]
    [InlineData(long.MaxValue, long.MaxValue / 50)]
    public void The_free_disk_floor_is_the_larger_of_1_GiB_and_2_percent(long totalBytes, long floorBytes) => Assert.Equal(floorBytes, Limits.Default.FreeDiskFloorBytes(totalBytes));
}
