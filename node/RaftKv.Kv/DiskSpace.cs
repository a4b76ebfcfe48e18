namespace RaftKv.Kv;

/// <summary>
/// What was free where log and stores lie when the shell looked last, and the floor below which puts are refused (design §10). The shell posts it to
/// STEP; <see cref="Front"/> decides by it for the groups that this node leads.
/// </summary>
public sealed record DiskSpace(long FreeBytes, long FloorBytes)
{
    /// <summary>Before the first look.</summary>
    public static DiskSpace Plenty { get; } = new(long.MaxValue, 0);

    /// <summary>What gives back, or needs next to nothing, goes on: deletes, expiry, members.</summary>
    public bool TakesPuts => FreeBytes >= FloorBytes;
}
