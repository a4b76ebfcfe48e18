namespace RaftKv.RaftLog.Tests;

/// <summary>What follows from the size of a segment.</summary>
public sealed class RaftLogOptionsTests
{
    private const long Mebi = 1024 * 1024;

    [Theory]
    [InlineData(64 * Mebi, 1024 * Mebi, 4 * Mebi)]
    [InlineData(4 * Mebi, 1024 * Mebi, 4 * Mebi)]
    [InlineData(Mebi, 256 * Mebi, Mebi)]
    [InlineData(65_536, 16 * Mebi, 65_536)]
    public void Small_segments_are_neither_many_nor_mostly_zeros(long segment, long budget, long zeros) =>
        Assert.Equal((segment, budget, zeros), RaftLogOptions.ForSegmentsOf(segment) is var options ? (options.SegmentBytes, options.BudgetBytes, (long)options.ZeroAheadBytes) : default);
}
