namespace RaftKv.Harness.Failover;

/// <summary>
/// The write gap of a fault, the same for both systems: the longest time from one acknowledged write of a shard to the next one, of those that end after the fault began. So the
/// last write before the fault counts as a beginning, and a gap that is open when the watch ends counts up to there. Of several shards that the struck node led: the longest of theirs.
/// Writes of all clients count alike, whichever node acknowledged them. Pure; times are in one unit of any kind.
/// </summary>
/// <param name="Start">The write that it follows.</param>
internal readonly record struct WriteGap(long Start, long Length)
{
    /// <param name="acknowledged">Of one shard, ascending.</param>
    /// <param name="from">When the fault began.</param>
    /// <param name="to">When the watch ended; later ones do not count. ≥ <paramref name="from"/>.</param>
    public static WriteGap Longest(IEnumerable<long> acknowledged, long from, long to)
    {
        long last = from;
        WriteGap longest = default;
        foreach (long at in acknowledged.TakeWhile(at => at <= to))
        {
            if (at > from && at - last > longest.Length) longest = new WriteGap(last, at - last);
            last = at;
        }

        return to - last > longest.Length ? new WriteGap(last, to - last) : longest;
    }
}

/// <summary>Of few figures, all of which are known.</summary>
internal static class Quantile
{
    /// <summary>The smallest value that at least this share of all did not exceed (nearest rank).</summary>
    /// <param name="values">In any order, at least one.</param>
    /// <param name="share">In (0, 1].</param>
    public static double Of(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[Math.Max(1, (int)Math.Ceiling(share * sorted.Length)) - 1];
    }
}
