using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Bench.Tests;

/// <summary>The histogram against a sorted list of everything that was recorded.</summary>
public sealed class LatencyHistogramTests
{
    private static readonly double[] Shares = [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1];

    /// <summary>From microseconds to beyond the limit, as many in each power of two.</summary>
    private static readonly Gen<long> Latency = from power in Gen.Choose(0, 34) from low in Gen.Choose(0, int.MaxValue) select (1L << power) - 1 + (low % (1L << power));
    private static readonly Arbitrary<long[]> Latencies = Gen.NonEmptyListOf(Latency).Select(list => list.ToArray()).ToArbitrary();

    [Fact]
    public void A_percentile_is_never_below_the_true_one_and_at_most_one_128th_above() => Prop.ForAll(Latencies, latencies =>
    {
        LatencyHistogram histogram = Of(latencies);
        long[] sorted = [.. latencies.Select(latency => Math.Min(latency, LatencyHistogram.LastMicros)).Order()];
        foreach (double share in Shares)
        {
            long exact = sorted[Math.Max(1, (int)Math.Ceiling(share * sorted.Length)) - 1];
            Assert.InRange(histogram.PercentileMicros(share), exact, exact + (exact / 128));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Count_mean_and_maximum_are_exact() => Prop.ForAll(Latencies, latencies =>
    {
        LatencyHistogram histogram = Of(latencies);
        Assert.Equal((latencies.Length, Math.Min(latencies.Max(), LatencyHistogram.LastMicros)), (histogram.Count, histogram.MaxMicros));
        Assert.Equal(latencies.Average(latency => (double)Math.Min(latency, LatencyHistogram.LastMicros)), histogram.MeanMicros, 0.001);
        Assert.Equal(histogram.MaxMicros, histogram.PercentileMicros(1));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Two_histograms_added_are_as_one_of_both() => Prop.ForAll(Latencies, Latencies, (first, second) =>
    {
        LatencyHistogram sum = Of(first);
        sum.Add(Of(second));
        LatencyHistogram whole = Of([.. first, .. second]);
        Assert.Equal((whole.Count, whole.MaxMicros), (sum.Count, sum.MaxMicros));
        Assert.All(Shares, share => Assert.Equal(whole.PercentileMicros(share), sum.PercentileMicros(share)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Below_256_microseconds_it_is_exact()
    {
        for (long micros = 0; micros < 256; micros++) Assert.Equal(micros, Of([micros, 1_000_000]).PercentileMicros(0.5));
    }

    [Theory]
    [InlineData(256, 257)]
    [InlineData(511, 511)]
    [InlineData(512, 515)]
    [InlineData(1_000_000, 1_003_519)]
    public void Above_it_shows_the_end_of_the_bucket(long micros, long shown) => Assert.Equal(shown, Of([micros, 10_000_000]).PercentileMicros(0.5));

    [Fact]
    public void An_empty_one_is_all_zeros()
    {
        LatencyHistogram empty = new();
        Assert.Equal((0, 0, 0.0, 0), (empty.Count, empty.MaxMicros, empty.MeanMicros, empty.PercentileMicros(0.99)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-0.1)]
    [InlineData(1.1)]
    public void A_share_that_is_none_is_refused(double share) => Assert.Throws<ArgumentOutOfRangeException>(() => new LatencyHistogram().PercentileMicros(share));

    private static LatencyHistogram Of(long[] latencies)
    {
        LatencyHistogram histogram = new();
        foreach (long latency in latencies) histogram.Record(latency);
        return histogram;
    }
}
