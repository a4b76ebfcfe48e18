using System.Threading.Channels;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Http;
using RaftKv.Node.Native;
using RaftKv.Raft;

namespace RaftKv.Node.Telemetry;

/// <summary>What the pumps tell, as metrics and as lines of the log. Lines are written elsewhere: a terminal that does not read must not hold up STEP.</summary>
/// <remarks>The last of them may be missing when the process ends by _exit.</remarks>
internal sealed partial class PumpTelemetry : IPumpObserver, IAsyncDisposable
{
    private const int MaxWaitingLines = 4096;

    private readonly NodeMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Channel<Action> _lines = Channel.CreateBounded<Action>(new BoundedChannelOptions(MaxWaitingLines) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly Task _writing;
    private readonly int[] _groups = new int[5];
    private volatile bool _isDiskStalled;
    private int _stoppedReplicas;

    public PumpTelemetry(NodeMetrics metrics, ILogger<PumpTelemetry> logger)
    {
        _metrics = metrics;
        _logger = logger;
        _writing = Task.Run(WriteAsync);
    }

    public bool IsDiskStalled => _isDiskStalled;

    /// <summary>Since the start of the process.</summary>
    public int StoppedReplicas => Volatile.Read(ref _stoppedReplicas);

    /// <summary>As of the last tick; the numbers of two ticks may stand side by side.</summary>
    public GroupCounts Groups => new(Volatile.Read(ref _groups[0]), Volatile.Read(ref _groups[1]), Volatile.Read(ref _groups[2]), Volatile.Read(ref _groups[3]), Volatile.Read(ref _groups[4]));

    /// <inheritdoc/>
    public void OnPersisted(long micros) => _metrics.Persisted(micros);

    /// <inheritdoc/>
    public void OnCommitted(long micros) => _metrics.Committed(micros);

    /// <inheritdoc/>
    public void OnApplied(long handedOnAt) => _metrics.Applied(BootClock.NowMicros - handedOnAt);

    /// <inheritdoc/>
    public void OnRoleChanged(RaftGroup group, in RoleChange change)
    {
        string to = GroupText.Of(change.To);
        _metrics.RoleChanged(to);
        LogLevel level = change.From == Role.Leader || change.To == Role.Leader ? LogLevel.Information : LogLevel.Debug;
        if (!_logger.IsEnabled(level)) return;
        var (shard, term, index, from, reason) = (group.Group.Value, change.Term.Value, group.LastIndex.Value, GroupText.Of(change.From), GroupText.Of(change.Reason));
        Later(() => RoleChanged(level, shard, term, index, from, to, reason));
    }

    /// <inheritdoc/>
    public void OnLeaderChanged(RaftGroup group)
    {
        _metrics.LeaderChanged();
        if (!_logger.IsEnabled(LogLevel.Debug)) return;
        var (shard, term, index, leader) = (group.Group.Value, group.Term.Value, group.LastIndex.Value, group.Leader.Value);
        Later(() => LeaderKnown(shard, term, index, leader));
    }

    /// <inheritdoc/>
    public void OnSnapshotSent(RaftGroup group, ReplicaId follower, LogIndex index)
    {
        var (shard, term) = (group.Group.Value, group.Term.Value);
        if (index > LogIndex.Zero) Later(() => SnapshotSent(shard, term, index.Value, follower.Value));
        else Later(() => SnapshotFailed(shard, term, follower.Value));
    }

    /// <inheritdoc/>
    public void OnSnapshotInstalled(GroupId group, LogIndex index, Term term) => Later(() => SnapshotInstalled(group.Value, term.Value, index.Value));

    /// <inheritdoc/>
    public void OnSnapshotWaits(GroupId group, long bytes, long roomBytes) => Later(() => SnapshotWaits(group.Value, bytes, roomBytes));

    /// <inheritdoc/>
    public void OnDiskStalled(bool isStalled)
    {
        _isDiskStalled = isStalled;
        Later(isStalled ? DiskStalled : DiskRecovered);
    }

    /// <inheritdoc/>
    public void OnReplicaStopped(RaftGroup group, string reason)
    {
        Interlocked.Increment(ref _stoppedReplicas);
        var (shard, replica, term, index) = (group.Group.Value, group.Replica.Value, group.Term.Value, group.LastIndex.Value);
        Later(() => ReplicaStopped(shard, replica, term, index, reason));
    }

    /// <inheritdoc/>
    public void OnTick(in GroupCounts groups)
    {
        Volatile.Write(ref _groups[0], groups.AwakeLeaders);
        Volatile.Write(ref _groups[1], groups.AsleepLeaders);
        Volatile.Write(ref _groups[2], groups.AwakeFollowers);
        Volatile.Write(ref _groups[3], groups.AsleepFollowers);
        Volatile.Write(ref _groups[4], groups.Candidates);
    }

    /// <summary>Writes the lines that wait. The pumps have stopped.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing;
    }

    /// <summary>For what is rare: it allocates.</summary>
    private void Later(Action line) => _lines.Writer.TryWrite(line);

    private async Task WriteAsync()
    {
        await foreach (Action line in _lines.Reader.ReadAllAsync()) line();
    }

    [LoggerMessage(EventId = 1, Message = "Shard {Shard}: {From} becomes {To} in term {Term}, last index {Index}: {Reason}")]
    private partial void RoleChanged(LogLevel level, ulong shard, ulong term, ulong index, string from, string to, string reason);

    [LoggerMessage(2, LogLevel.Debug, "Shard {Shard}: replica {Leader} leads in term {Term}, last index here {Index}")]
    private partial void LeaderKnown(ulong shard, ulong term, ulong index, ulong leader);

    [LoggerMessage(3, LogLevel.Warning, "The raft log's disk stands still: this node gives up its leaderships until a write ends")]
    private partial void DiskStalled();

    [LoggerMessage(4, LogLevel.Warning, "The raft log's disk works again")]
    private partial void DiskRecovered();

    [LoggerMessage(5, LogLevel.Information, "Shard {Shard}: replica {Replica} has installed a snapshot from here, term {Term}, index {Index}")]
    private partial void SnapshotSent(ulong shard, ulong term, ulong index, ulong replica);

    [LoggerMessage(6, LogLevel.Warning, "Shard {Shard}: a snapshot for replica {Replica} came to nothing in term {Term}; it is tried again")]
    private partial void SnapshotFailed(ulong shard, ulong term, ulong replica);

    [LoggerMessage(7, LogLevel.Information, "Shard {Shard}: installed a snapshot, term {Term}, index {Index}")]
    private partial void SnapshotInstalled(ulong shard, ulong term, ulong index);

    [LoggerMessage(8, LogLevel.Error, "Shard {Shard}: replica {Replica} is stopped in term {Term}, last index {Index}, for its store is damaged: {Reason}")]
    private partial void ReplicaStopped(ulong shard, ulong replica, ulong term, ulong index, string reason);

    [LoggerMessage(9, LogLevel.Warning, "Shard {Shard}: a snapshot of {Bytes} bytes waits, for there is room for {Room} before the disk has less free than its floor")]
    private partial void SnapshotWaits(ulong shard, long bytes, long room);
}
