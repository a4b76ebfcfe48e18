using RaftKv.Node.Options;

namespace RaftKv.Node.Tests.Starting;

/// <summary>Who may have how many files open (design §7; bugs.md D11).</summary>
public sealed class DescriptorPlanTests
{
    private const long Segment = 64 * 1024 * 1024;

    [Fact]
    public void With_plenty_everybody_has_what_it_can_use() =>
        Assert.Equal(new DescriptorPlan(1 << 20, TableFilesPerStore: 128, Connections: 10_000), DescriptorPlan.Share(1 << 20, stores: 8, members: 3, Segment, maxConnections: 10_000));

    [Fact]
    public void With_just_enough_everybody_has_the_least() =>
        Assert.Equal(new DescriptorPlan(796, TableFilesPerStore: 20, Connections: 64), DescriptorPlan.Share(796, stores: 8, members: 3, Segment, maxConnections: 10_000));

    [Fact]
    public void With_less_both_numbers_are_named() => Assert.Equal(
        "this process may open 795 files and needs 796: 300 for itself, 40 for the raft log, 316 for 8 stores, 76 for peers, 64 for clients; raise its limit (ulimit -n)",
        Assert.Throws<OptionException>(() => DescriptorPlan.Share(795, stores: 8, members: 3, Segment, maxConnections: 10_000)).Message);

    [Fact]
    public void Nobody_is_given_more_connections_than_asked_for() =>
        Assert.Equal(new DescriptorPlan(2_000, TableFilesPerStore: 90, Connections: 5), DescriptorPlan.Share(2_000, stores: 8, members: 1, Segment, maxConnections: 5));

    [Theory]
    [InlineData(0, 1, 65_536)]
    [InlineData(1, 3, 65_536)]
    [InlineData(64, 3, 1_048_576)]
    [InlineData(4_096, 9, Segment)]
    public void What_is_shared_out_is_never_more_than_there_is(int stores, int members, long segment)
    {
        for (long limit = 100_000; limit < 1_000_000; limit += 33_333)
        {
            DescriptorPlan least = DescriptorPlan.Share(int.MaxValue, stores, members, segment, 1);
            if (TryShare(limit, stores, members, segment) is not { } plan) continue;
            Assert.InRange(plan.TableFilesPerStore, 20, least.TableFilesPerStore);
            Assert.InRange(plan.Connections, 64, 10_000);
            // What the plan gives beyond the least fits into what the limit is beyond it: a lower limit than the sum must be refused.
            long more = (long)(plan.TableFilesPerStore - 20) * (stores + 1) + plan.Connections - 64;
            Assert.NotNull(TryShare(limit - more, stores, members, segment));
        }
    }

    private static DescriptorPlan? TryShare(long limit, int stores, int members, long segment)
    {
        try
        {
            return DescriptorPlan.Share(limit, stores, members, segment, maxConnections: 10_000);
        }
        catch (OptionException)
        {
            return null;
        }
    }
}
