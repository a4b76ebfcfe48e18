namespace RaftKv.RaftLog;

/// <summary>Sizes of the raft log, in bytes.</summary>
public sealed record RaftLogOptions
{
    /// <summary>Segments within the budget, at most: each is an open file.</summary>
    private const int MaxSegments = 256;

    /// <summary>The defaults for segments of another size: neither more files within the budget than may well be open, nor more zeros than a segment has room for.</summary>
    public static RaftLogOptions ForSegmentsOf(long bytes)
    {
        RaftLogOptions defaults = new();
        return defaults with { SegmentBytes = bytes, BudgetBytes = Math.Min(defaults.BudgetBytes, MaxSegments * bytes), ZeroAheadBytes = (int)Math.Min(defaults.ZeroAheadBytes, bytes) };
    }

    /// <summary>A segment is closed before it grows beyond this, unless one batch alone is larger.</summary>
    public long SegmentBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// What the segments in use should stay within: past half of it the host makes whoever pins the oldest one flush and truncate.
    /// The log itself grows on beyond, for a refused write of the log would stop the node.
    /// </summary>
    public long BudgetBytes { get; init; } = 1024L * 1024 * 1024;

    /// <summary>
    /// Zeros written ahead of the end of a new file, so that most syncs overwrite allocated blocks and need no journal commit
    /// (measured: half the latency, dotnet-facts.md §3). A recycled file has its blocks.
    /// </summary>
    public int ZeroAheadBytes { get; init; } = 4 * 1024 * 1024;
}
