using RaftKv.MultiRaft.Ports;

namespace RaftKv.MultiRaft;

/// <summary>
/// Whether this node's log stands still: one write has been under way for longer than the timeout at two ticks in a row. A node in that state
/// leads nothing and campaigns for nothing; when it lasts, the process ends (design §6). Owned by STEP.
/// </summary>
internal sealed class DiskWatch(HostOptions options)
{
    private int _lateTicks;

    public bool IsStalled => _lateTicks >= 2;

    /// <summary>Returns whether <see cref="IsStalled"/> has changed. Throws <see cref="DiskFailedException"/> when it has lasted too long.</summary>
    /// <param name="writingSince">When the write under way began; 0 when there is none.</param>
    public bool Tick(long now, long writingSince)
    {
        bool wasStalled = IsStalled;
        bool isLate = writingSince != 0 && now - writingSince >= options.DiskStallMicros;
        _lateTicks = isLate ? _lateTicks + 1 : 0;
        if (IsStalled && now - writingSince >= options.DiskStallExitMicros)
            throw new DiskFailedException($"the raft log's disk has not finished a write for {(now - writingSince) / 1_000_000} s");
        return wasStalled != IsStalled;
    }
}
