using System.Numerics;

namespace RaftKv.Bench;

/// <summary>
/// How often which latency occurred, in whole microseconds, as an HDR histogram keeps it: exact below 256 µs, and above that in
/// buckets whose width is at most 1/128 of the values in them. So a percentile is never below the true one, and at most 0.8 % above.
/// </summary>
/// <remarks>Latencies above <see cref="LastMicros"/> count as that. 29 kB each. Not thread-safe.</remarks>
public sealed class LatencyHistogram
{
    /// <summary>The longest latency that is told apart: more than an hour.</summary>
    public const long LastMicros = (1L << 32) - 1;

    /// <summary>Each power of two is cut into 2^this buckets of equal width.</summary>
    private const int PrecisionBits = 7;
    private readonly long[] _counts = new long[BucketOf(LastMicros) + 1];
    private double _sum;

    public long Count { get; private set; }

    /// <summary>Exact; 0 while there is nothing.</summary>
    public long MaxMicros { get; private set; }

    /// <summary>Exact but for rounding to whole microseconds; 0 while there is nothing.</summary>
    public double MeanMicros => Count == 0 ? 0 : _sum / Count;

    /// <param name="micros">≥ 0.</param>
    public void Record(long micros)
    {
        micros = Math.Min(micros, LastMicros);
        _counts[BucketOf(micros)]++;
        Count++;
        _sum += micros;
        MaxMicros = Math.Max(MaxMicros, micros);
    }

    /// <summary>
    /// The smallest latency, up to the precision, that at least this share of all did not exceed; 0 while there is nothing.
    /// </summary>
    /// <param name="share">In (0, 1]: 0.99 is the 99th percentile.</param>
    public long PercentileMicros(double share)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 1);
        long rank = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (int bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= rank) return Math.Min(LastOf(bucket), MaxMicros);
        }

        return 0;
    }

    public void Add(LatencyHistogram other)
    {
        for (int bucket = 0; bucket < _counts.Length; bucket++) _counts[bucket] += other._counts[bucket];
        Count += other.Count;
        _sum += other._sum;
        MaxMicros = Math.Max(MaxMicros, other.MaxMicros);
    }

    /// <summary>The values [2^k, 2^(k+1)), k &gt; 7, have 2^7 buckets, which follow those of all smaller values without a gap.</summary>
    private static int BucketOf(long micros)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)micros | 1) - PrecisionBits);
        return (shift << PrecisionBits) + (int)(micros >> shift);
    }

    /// <summary>The largest value in a bucket.</summary>
    private static long LastOf(int bucket)
    {
        int shift = Math.Max(0, (bucket >> PrecisionBits) - 1);
        return ((bucket - ((long)shift << PrecisionBits) + 1) << shift) - 1;
    }
}
