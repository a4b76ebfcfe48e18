using System.Diagnostics.Metrics;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Http;
using RaftKv.Node.Storage;
using RaftKv.RaftLog.Posix;
using RaftKv.Storage;

namespace RaftKv.Node.Telemetry;

/// <summary>
/// Every instrument of a node but the links', which are RaftKv.Transport's own: names, units and meanings. Named by OpenTelemetry's conventions; in /metrics a
/// dot is an underscore, and unit and <c>_total</c> stand behind: <c>raftkv_log_sync_duration_seconds</c>, <c>raftkv_log_written_bytes_total</c>.
/// </summary>
/// <remarks>
/// No attribute has more values than this code or the cluster's members: none is a key, a client or a shard. What is recorded on the hot path takes no attributes,
/// or cached ones (<see cref="Call"/>), and allocates nothing. Memory, garbage collection, threads and CPU are the runtime's meter, System.Runtime.
/// </remarks>
internal sealed class NodeMetrics : IDisposable
{
    public const string MeterName = "RaftKv";

    /// <summary>In seconds; from a sync of a fast disk to a request's longest deadline.</summary>
    private static readonly InstrumentAdvice<double> s_seconds = new()
    {
        HistogramBucketBoundaries = [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60],
    };

    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _requests;
    private readonly Histogram<double> _persist;
    private readonly Histogram<double> _commit;
    private readonly Histogram<double> _apply;
    private readonly Histogram<double> _reply;
    private readonly Histogram<double> _write;
    private readonly Histogram<double> _syncs;
    private readonly Counter<long> _leaderChanges;
    private readonly Counter<long> _roleChanges;

    public NodeMetrics()
    {
        _requests = Seconds("raftkv.server.request.duration", "Requests by call and status code, from their head until their answer is written");
        _persist = Seconds("raftkv.write.persist.duration", "A leader's batch of one group, from its proposal until it is durable here");
        _commit = Seconds("raftkv.write.commit.duration", "A leader's batch of one group, from durable here until it is committed, about 0 when the others were faster");
        _apply = Seconds("raftkv.write.apply.duration", "A leader's run of entries of one group, from committed until it is in the store");
        _reply = Seconds("raftkv.write.reply.duration", "A put or delete led here, from applied until its answer is written");
        _write = Seconds("raftkv.write.duration", "A put or delete asked for here, wherever it is led, from its hand-over to consensus until its answer is written");
        _syncs = Seconds("raftkv.log.sync.duration", "Syncs of the raft log's disk");
        _leaderChanges = _meter.CreateCounter<long>("raftkv.group.leader_changes", "{change}", "Times a replica here learned of another leader");
        _roleChanges = _meter.CreateCounter<long>("raftkv.group.role_changes", "{change}", "Times a replica here took a role");
    }

    /// <summary>Adds what is read when somebody asks. Once, when there is something to read.</summary>
    public void Watch(MultiRaftHost host, IRaftLog log, DiskCounters logDisk, PumpTelemetry pumps, RocksEnvironment stores, DiskSpaceWatch space, ConnectionGate gate)
    {
        logDisk.SyncTimed = elapsed => _syncs.Record(elapsed.TotalSeconds);
        _meter.CreateObservableCounter("raftkv.log.syncs", () => logDisk.Syncs, "{sync}", "Syncs of the raft log's files and directory");
        _meter.CreateObservableCounter("raftkv.log.written", () => logDisk.WrittenBytes, "By", "Written to the raft log, padding and zeros ahead included");
        _meter.CreateObservableGauge("raftkv.log.size", () => log.Usage.Bytes, "By", "The raft log's segments, without the spare ones");
        _meter.CreateObservableGauge("raftkv.log.budget", () => log.Usage.BudgetBytes, "By", "What the raft log should stay within");
        _meter.CreateObservableGauge("raftkv.store.size", () => stores.TotalSize().FileBytes, "By", "The table files of all shard stores here");
        _meter.CreateObservableGauge("raftkv.store.live", () => stores.TotalSize().LiveBytes, "By", "About how much of them is rows that no newer row replaces");
        _meter.CreateObservableGauge("raftkv.store.memory", () => stores.TotalSize().MemoryBytes, "By", "What keeps the rows of all shard stores that are in no file yet");
        _meter.CreateObservableGauge("raftkv.disk.free", () => space.Latest.FreeBytes, "By", "Free for this process where the data directory is, as of a second ago");
        _meter.CreateObservableGauge("raftkv.disk.floor", () => space.Latest.FloorBytes, "By", "With less free this node takes no puts for what it leads");
        _meter.CreateObservableGauge("raftkv.disk.full", () => space.Latest.TakesPuts ? 0 : 1, null, "1 while so little is free that this node takes no puts");
        _meter.CreateObservableGauge("raftkv.disk.stalled", () => pumps.IsDiskStalled ? 1 : 0, null, "1 while a write of the raft log takes so long that this node leads nothing");
        _meter.CreateObservableGauge("raftkv.replicas.stopped", () => pumps.StoppedReplicas, "{replica}", "Replicas that do nothing any more since their stores are damaged");

        _meter.CreateObservableGauge("raftkv.server.connections", () => gate.Open, "{connection}", "Connections of clients");
        _meter.CreateObservableCounter("raftkv.server.connections.refused", () => gate.Refused, "{connection}", "Connections of clients that were closed at once, for there were too many");

        (string Name, Func<QueueDepth> Depth)[] queues =
        [
            ("step", () => host.Worker.QueueDepth), ("persist", () => host.LogWriter.QueueDepth), ("apply", () => host.Applier.QueueDepth), ("snapshot", () => host.Snapshots.QueueDepth),
        ];
        _meter.CreateObservableGauge("raftkv.pump.queue.length", () => queues.Select(queue => new Measurement<long>(queue.Depth().Items, Tag("raftkv.pump", queue.Name))), "{item}", "What waits for a pump");
        _meter.CreateObservableGauge("raftkv.pump.queue.size", () => queues.Select(queue => new Measurement<long>(queue.Depth().Bytes, Tag("raftkv.pump", queue.Name))), "By", "Bytes that wait for a pump");
        _meter.CreateObservableCounter("raftkv.pump.frames.dropped", () => host.Worker.DroppedFrames, "{frame}", "Frames from peers for which there was no room, or that did not parse");

        _meter.CreateObservableGauge("raftkv.groups", () => GroupsOf(pumps.Groups), "{group}", "Groups here by role, asleep or awake, as of the last tick");
        _meter.CreateObservableCounter("raftkv.snapshots.sent", () => host.Snapshots.Sent, "{snapshot}", "Snapshots that followers installed from here");
        _meter.CreateObservableCounter("raftkv.snapshots.installed", () => host.Snapshots.Installed, "{snapshot}", "Snapshots installed here");
        _meter.CreateObservableCounter("raftkv.snapshots.failed", () => host.Snapshots.Failed, "{snapshot}", "Snapshots that came to nothing, in or out");
        _meter.CreateObservableGauge("raftkv.snapshots.waiting", () => host.Snapshots.WaitForRoom, "{snapshot}", "Snapshots offered to this node that wait for room on its disk");
    }

    /// <param name="status">499: the client had gone.</param>
    public void Requested(Call call, int status, TimeSpan elapsed) => _requests.Record(elapsed.TotalSeconds, call.TagsFor(status));

    public void Persisted(long micros) => _persist.Record(micros / 1e6);

    public void Committed(long micros) => _commit.Record(micros / 1e6);

    public void Applied(long micros) => _apply.Record(micros / 1e6);

    public void Replied(long micros) => _reply.Record(micros / 1e6);

    public void Written(long micros) => _write.Record(micros / 1e6);

    public void LeaderChanged() => _leaderChanges.Add(1);

    /// <param name="role">As the API writes it.</param>
    public void RoleChanged(string role) => _roleChanges.Add(1, Tag("raftkv.role", role));

    public void Dispose() => _meter.Dispose();

    private static Measurement<long>[] GroupsOf(GroupCounts counts) =>
    [
        Groups(counts.AwakeLeaders, "leader", "false"), Groups(counts.AsleepLeaders, "leader", "true"),
        Groups(counts.AwakeFollowers, "follower", "false"), Groups(counts.AsleepFollowers, "follower", "true"), Groups(counts.Candidates, "candidate", "false"),
    ];

    private static Measurement<long> Groups(int count, string role, string isAsleep) => new(count, Tag("raftkv.role", role), Tag("raftkv.asleep", isAsleep));

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private Histogram<double> Seconds(string name, string description) => _meter.CreateHistogram(name, "s", description, tags: null, s_seconds);
}
