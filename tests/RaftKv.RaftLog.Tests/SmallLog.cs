using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// A log of small segments with two groups: one is busy and truncates at once; the other wrote three entries at its birth and sleeps, so that
/// what counts of it is carried forward from segment to segment.
/// </summary>
internal sealed class SmallLog : IDisposable
{
    public const long SegmentBytes = 32 * 1024;
    public const long BudgetBytes = 8 * SegmentBytes;

    /// <summary>More than any test needs: one that waits for a segment to go must fail when it never does.</summary>
    private const int MaxBatches = 100_000;

    private static readonly GroupId s_busy = new(1);
    private static readonly GroupId s_idle = new(2);
    private static readonly GroupId s_pinning = new(3);
    private readonly IDisk _disk;
    private ulong _last = 10;
    private ulong _pin = 10;
    private int _batches;

    private SmallLog(IDisk disk, long segmentBytes, out RecoveredLog recovered)
    {
        _disk = disk;
        Log = SegmentedRaftLog.Open(disk, new RaftLogOptions { SegmentBytes = segmentBytes, ZeroAheadBytes = 8 * 1024, BudgetBytes = BudgetBytes }, saltSeed: 3, out recovered);
        if (recovered.Groups.Count > 0) _last = recovered.Groups.Single(group => group.Group == s_busy).LastIndex.Value;
    }

    public static HardState IdleHardState { get; } = new(new Term(5), new ReplicaId(2), new LogIndex(11));

    public SegmentedRaftLog Log { get; }

    /// <summary>Of the busy group.</summary>
    public ulong LastIndex => _last;

    /// <summary>Sequences of the segments on the disk.</summary>
    public ulong[] Segments => [.. _disk.List().Where(SegmentNames.IsSegment).Select(name => SegmentNames.SequenceOf(name)!.Value)];

    public static SmallLog Open(IDisk disk, out RecoveredLog recovered) => new(disk, SegmentBytes, out recovered);

    public static SmallLog Born(IDisk disk, long segmentBytes = SegmentBytes)
    {
        SmallLog log = new(disk, segmentBytes, out _);
        log.AddBirth(s_busy);
        log.AddBirth(s_idle);
        log.Log.AddHardState(s_idle, new ReplicaId(1), IdleHardState);
        log.Log.AddEntries(s_idle, new ReplicaId(1), [EntryOf(11, "idle"u8), EntryOf(12, "sleeps"u8), EntryOf(13, "on"u8)]);
        log.Log.AddInitialised(LogScript.Identity);
        log.Log.Commit();
        return log;
    }

    public static Entry EntryOf(ulong index, ReadOnlySpan<byte> payload) => new(new LogIndex(index), new Term(5), EntryKind.Command, 0, 0, 0, payload.ToArray());

    public void AddBirth(GroupId group) => Log.AddCommitPoint(group, LogScript.PointAt(10, 5), keepsLogBehind: false);

    /// <summary>Commits that many entries of the busy group, each in a batch of its own.</summary>
    public void Append(int entries)
    {
        for (int i = 0; i < entries; i++)
        {
            Log.AddEntries(s_busy, new ReplicaId(1), [EntryOf(++_last, [1, 2, 3])]);
            Log.Commit();
        }
    }

    /// <summary>One batch in which the busy group appends and truncates.</summary>
    public void Truncate()
    {
        Assert.True(++_batches < MaxBatches, $"{_batches} batches, and what was waited for has not happened");
        Log.AddEntries(s_busy, new ReplicaId(1), [EntryOf(++_last, [1, 2, 3])]);
        Log.AddCommitPoint(s_busy, LogScript.PointAt(_last, 5), keepsLogBehind: true);
        Log.Commit();
    }

    /// <summary>The same until the log has rolled so often.</summary>
    public void Truncate(int segments)
    {
        ulong last = Segments[^1] + (ulong)segments;
        while (Segments[^1] < last) Truncate();
    }

    public void TruncateUntilFreed(ulong segment)
    {
        while (Segments[0] <= segment) Truncate();
    }

    /// <summary>From now on so much of the current segment counts that it is not freed, until <see cref="Unpin"/>.</summary>
    public void Pin()
    {
        if (_pin == 10) AddBirth(s_pinning);
        Log.AddEntries(s_pinning, new ReplicaId(1), [EntryOf(++_pin, new byte[SegmentBytes / SegmentFreeing.LiveShare])]);
        Log.Commit();
    }

    public void Unpin()
    {
        Log.AddCommitPoint(s_pinning, LogScript.PointAt(_pin, 5), keepsLogBehind: true);
        Log.Commit();
    }

    public string[] Texts(GroupId group) => [.. Log.Read(group, new LogIndex(11), new LogIndex(9_999), int.MaxValue).Select(entry => LogText.Describe(entry))];

    public void Dispose() => Log.Dispose();
}
