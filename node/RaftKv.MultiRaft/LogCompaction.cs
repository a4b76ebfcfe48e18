using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>
/// When a replica's log is cut, and to where: when it has grown beyond the limits, or its old entries keep the node's log from being freed;
/// never past what the store has flushed, leaving an allowance for followers a little behind, and while a snapshot is on its way to one only if
/// the node's log needs the room. Owned by STEP.
/// </summary>
internal sealed class LogCompaction
{
    /// <summary>A store is not asked to flush more often than this, so that it does not end in many small files.</summary>
    private const long FlushIntervalMicros = 1_000_000;

    private long _logBytes;
    private bool _isAsking;
    private bool _isPinning;
    private long _flushedAt = long.MinValue / 2;
    private LogIndex _wanted;

    /// <summary>Entries of so many bytes were handed to PERSIST.</summary>
    public void OnAppended(long bytes) => _logBytes += bytes;

    /// <summary>
    /// Whether to ask APPLY how far the store is flushed, and (<paramref name="beginFlush"/>) to have it flushed. Until
    /// <see cref="OnFlushed"/> it is not asked again.
    /// </summary>
    public bool TryAsk(long now, RaftGroup group, HostOptions options, bool isPinning, out bool beginFlush)
    {
        beginFlush = false;
        if (_isAsking || IsHeld(group, isPinning)) return false;
        ulong entries = group.Applied.Value - group.SnapshotIndex.Value;
        if (entries == 0 || (entries <= options.SnapshotEntries && _logBytes <= options.SnapshotBytes && !isPinning)) return false;
        ulong kept = isPinning ? 0 : Math.Min(options.CatchUpEntries, entries / 2);
        _wanted = new LogIndex(group.Applied.Value - kept);
        _isPinning = isPinning;
        beginFlush = now - _flushedAt >= FlushIntervalMicros;
        if (beginFlush) _flushedAt = now;
        return _isAsking = true;
    }

    /// <summary>The store is flushed up to <paramref name="flushed"/>: cuts the log there, or before.</summary>
    public void OnFlushed(RaftGroup group, LogIndex flushed)
    {
        _isAsking = false;
        LogIndex to = LogIndex.Min(_wanted, flushed);
#if MUTANTS
        if (Mutants.On(Mutant.LogCutPastFlushed)) to = _wanted;
#endif
        if (to <= group.SnapshotIndex || IsHeld(group, _isPinning)) return;
        ulong before = group.LastIndex.Value - group.SnapshotIndex.Value;
        group.CompactTo(to);
        _logBytes = (long)(_logBytes * (double)(group.LastIndex.Value - to.Value) / before);
    }

    /// <summary>A snapshot took the log's place.</summary>
    public void OnInstalled() => _logBytes = 0;

    private static bool IsHeld(RaftGroup group, bool isPinning) => group.IsInstalling || (group.IsSendingSnapshot && !isPinning);
}
