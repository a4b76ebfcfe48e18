using System.Threading.Channels;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Http;
using RaftKv.Node.Native;
using RaftKv.Raft;

namespace RaftKv.Node.Telemetry;

/// <summary>What the pumps tell, as metrics and as lines of the log. Lines are written elsewhere: a terminal that does not read must not hold up STEP.</summary>
internal sealed partial class PumpTelemetry : IPumpObserver, IAsyncDisposable
{
    private const int MaxWaitingLines = 4096;

    private readonly NodeMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Channel<Line> _lines = Channel.CreateBounded<Line>(new BoundedChannelOptions(MaxWaitingLines) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly Task _writing;
    private readonly int[] _groups = new int[5];
    private volatile bool _isDiskStalled;

    public PumpTelemetry(NodeMetrics metrics, ILogger<PumpTelemetry> logger)
    {
        _metrics = metrics;
        _logger = logger;
        _writing = Task.Run(WriteAsync);
    }

    public bool IsDiskStalled => _isDiskStalled;

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
        _metrics.RoleChanged(GroupText.Of(change.To));
        LogLevel level = change.From == Role.Leader || change.To == Role.Leader ? LogLevel.Information : LogLevel.Debug;
        if (_logger.IsEnabled(level)) _lines.Writer.TryWrite(new Line(level, group.Group, change.Term, group.LastIndex, Change: change));
    }

    /// <inheritdoc/>
    public void OnLeaderChanged(RaftGroup group)
    {
        _metrics.LeaderChanged();
        if (_logger.IsEnabled(LogLevel.Debug)) _lines.Writer.TryWrite(new Line(LogLevel.Debug, group.Group, group.Term, group.LastIndex, Leader: group.Leader));
    }

    /// <inheritdoc/>
    public void OnDiskStalled(bool isStalled)
    {
        _isDiskStalled = isStalled;
        _lines.Writer.TryWrite(new Line(LogLevel.Warning, default, default, default, IsStalled: isStalled));
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

    private async Task WriteAsync()
    {
        await foreach (Line line in _lines.Reader.ReadAllAsync()) Write(line);
    }

    private void Write(in Line line)
    {
        if (!_logger.IsEnabled(line.Level)) return;
        if (line.Change is { } change)
        {
            string from = GroupText.Of(change.From);
            string to = GroupText.Of(change.To);
            string reason = GroupText.Of(change.Reason);
            RoleChanged(line.Level, line.Group.Value, change.Term.Value, line.Last.Value, from, to, reason);
        }
        else if (line.Leader is { } leader)
        {
            LeaderKnown(line.Group.Value, line.Term.Value, line.Last.Value, leader.Value);
        }
        else if (line.IsStalled == true)
        {
            DiskStalled();
        }
        else
        {
            DiskRecovered();
        }
    }

    [LoggerMessage(EventId = 1, Message = "Shard {Shard}: {From} becomes {To} in term {Term}, last index {Index}: {Reason}")]
    private partial void RoleChanged(LogLevel level, ulong shard, ulong term, ulong index, string from, string to, string reason);

    [LoggerMessage(2, LogLevel.Debug, "Shard {Shard}: replica {Leader} leads in term {Term}, last index here {Index}")]
    private partial void LeaderKnown(ulong shard, ulong term, ulong index, ulong leader);

    [LoggerMessage(3, LogLevel.Warning, "The raft log's disk stands still: this node gives up its leaderships until a write ends")]
    private partial void DiskStalled();

    [LoggerMessage(4, LogLevel.Warning, "The raft log's disk works again")]
    private partial void DiskRecovered();

    private readonly record struct Line(LogLevel Level, GroupId Group, Term Term, LogIndex Last, RoleChange? Change = null, ReplicaId? Leader = null, bool? IsStalled = null);
}
