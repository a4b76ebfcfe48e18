using System.Net;
using Microsoft.AspNetCore.Builder;
using RaftKv.Contracts;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Node.Http;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.Node.Storage;
using RaftKv.Node.Telemetry;
using RaftKv.Raft;
using RaftKv.RaftLog.Posix;
using RaftKv.Storage;
using RaftKv.Transport;

namespace RaftKv.Node;

/// <summary>A running node: everything concrete is made here, in the order in which it depends on each other, and stopped in the reverse.</summary>
internal sealed partial class NodeProcess : IAsyncDisposable
{
    private const long BlockCacheBytes = 64L * Limits.Mebi;

    // Times that are no options of their own, but scale with the others.
    private const int HibernateAfterMillis = 5_000;
    private const int DiskStallExitMillis = 20_000;
    private const int RetryMillis = 500;
    private const int LeaderlessMillis = 1_000;

    /// <summary>For STEP to come to its turn, besides the time that a hand-over takes itself.</summary>
    private static readonly TimeSpan HandOverMargin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RefusingTime = TimeSpan.FromMilliseconds(100);

    /// <summary>For all shards together, as many as there were when the node started, but no more than <see cref="MaxVersionCacheBytes"/> for one: others may come.</summary>
    private const long VersionCacheBytes = 64L * Limits.Mebi;
    private const long MaxVersionCacheBytes = 32L * Limits.Mebi;

    /// <summary>For each shard: some hundred small rows, which fit the nearest caches of a CPU.</summary>
    private const int HeldRowBytes = 64 * 1024;
    private static readonly TimeSpan HttpStopTimeout = TimeSpan.FromSeconds(3);

    private readonly DataDirectory _directory;
    private readonly RocksEnvironment _rocks;
    private readonly TimeSpan _handOverTimeout;
    private readonly MultiRaftHost _host;
    private readonly PumpThreads _pumps;
    private readonly DiskSpaceWatch _space;
    private readonly TcpPeerLinks _links;
    private readonly HttpApi _api;
    private readonly WebApplication _web;
    private readonly NodeMetrics _metrics = new();
    private readonly PumpTelemetry _pumpTelemetry;
    private readonly Exporters _exporters;
    private readonly ILogger _logger;

    private NodeProcess(NodeOptions options, DescriptorPlan files, BoundPorts ports, DataDirectory directory, RocksEnvironment rocks, BootedNode node, RocksShardStores stores, ILoggerFactory loggers, LogSwitch levels)
    {
        _directory = directory;
        _rocks = rocks;
        _logger = loggers.CreateLogger<NodeProcess>();
        DiskIdentity identity = node.Identity;
        ulong bootId = NodeBoot.RandomId();
        LateReceiver receiver = new();
        string clientUrl = options.AdvertiseClient ?? $"http://{ports.Client}";
        // A node that listens everywhere and says no address: peers must not send anybody to their own.
        bool isReachable = options.AdvertiseClient is not null || !(ports.Client.Address.Equals(IPAddress.Any) || ports.Client.Address.Equals(IPAddress.IPv6Any));
        Hello hello = new(
            Hello.CurrentProtocol, Hello.CurrentProtocol, identity.ClusterId, node.Map.Digest(), identity.Node, identity.DiskId, bootId, default, identity.Name, isReachable ? clientUrl : "");
        PeerDisks disks = PeerDisks.Open(PosixDisk.OpenDirectory(directory.Path));
        OwnDisk ownDisk = new(identity.DiskId, identity.Name, node.Members.Count - 1);
        _links = new TcpPeerLinks(hello, PeersOf(node), receiver, loggers.CreateLogger<TcpPeerLinks>(), TransportOptionsOf(options), admit: other => AdmitOrDie(disks, ownDisk, other), metDiskOf: disks.DiskOf);
        _pumpTelemetry = new PumpTelemetry(_metrics, loggers.CreateLogger<PumpTelemetry>());
        _exporters = new Exporters(identity.Name, NodeIdentity.FormatId(identity.ClusterId), options.OtlpEndpoint);
        HostOptions hostOptions = HostOptionsOf(options, identity, bootId) with { Observer = _pumpTelemetry, HasLeases = node.Map.LeaseReads };
        _handOverTimeout = HandOverTimeoutOf(hostOptions);
        _host = MultiRaftHost.Start(hostOptions, node.Recovered, node.Log, new KvStateMachines(stores, Limits.Default, Math.Min(MaxVersionCacheBytes, VersionCacheBytes / Math.Max(1, node.Recovered.Groups.Count)), HeldRowBytes), _links, BootClock.NowMicros);
        Front front = new(FrontOptionsOf(options, identity, bootId), node.Map, _host.Worker, _links);
        _host.Connect(front);
        receiver.Target = _host.Worker;
        _pumps = new PumpThreads(_host);
        _space = new DiskSpaceWatch(directory.Path, options.Limits, _host.Worker, loggers.CreateLogger<DiskSpaceWatch>());
        ConnectionGate gate = new(files.Connections);
        _metrics.Watch(_host, node.Log, node.LogDisk, _pumpTelemetry, rocks, _space, gate);

        string peerAddress = node.Members.First(member => member.Name == identity.Name).Address;
        NodeView view = new(identity, bootId, node.Map, node.Members, clientUrl, peerAddress, _host, front, _links, node.LogDisk, _space);
        Door door = new(identity.Name, options.Limits with { MaxConnections = files.Connections }, _host.Worker, _metrics);
        BodyReader bodies = new(options.Limits);
        KvEndpoint kv = new(door, bodies, node.Map);
        BatchEndpoint batch = new(door, bodies, node.Map);
        TxnEndpoint txn = new(door, bodies, node.Map);
        DebugEndpoint debug = new(view, _host.Worker, levels, bodies, options.Limits, loggers.CreateLogger<DebugEndpoint>());
        _api = new HttpApi(door, kv, batch, txn, new ListEndpoint(door, node.Map), new TransferEndpoint(door, bodies, node.Map, node.Members), debug, view, new RequestTelemetry(_metrics, loggers.CreateLogger<RequestTelemetry>()), _exporters.Scrape, loggers.CreateLogger<HttpApi>());
        _web = WebHost.Build(ports, options.Limits, _api, new PeerConnectionHandler(_links), gate, loggers);
        if (files.Connections < options.Limits.MaxConnections) FewConnections(files.Connections, options.Limits.MaxConnections, files.Limit);
        Starts(identity.Name, NodeIdentity.FormatId(identity.ClusterId), _host.Machines.Count(), ports.Client.ToString(), ports.Peer.ToString());
    }

    /// <summary>
    /// An error of the file that remembers the peers' disks is an error of persisting: the process stops (design §3.5). So it does when its own disk is not the one
    /// that its peers have met it with.
    /// </summary>
    private static string? AdmitOrDie(PeerDisks disks, OwnDisk own, Hello other)
    {
        try
        {
            string? refusal = disks.Refusal(other);
            if (own.Denial(other, isAdmitted: refusal is null) is { } denial) FatalError.Refuse(denial);
            return refusal;
        }
        catch (DiskFailedException failure)
        {
            FatalError.Exit("handshake", failure);
            throw;
        }
    }

    /// <summary>
    /// Recovers and starts. Throws what <see cref="NodeBoot.Run"/> throws; everything is closed again then, but for the ports.
    /// </summary>
    public static async Task<NodeProcess> StartAsync(NodeOptions options, DescriptorPlan files, BoundPorts ports, DataDirectory directory, ILoggerFactory loggers, LogSwitch levels)
    {
        RocksEnvironment rocks = new(BlockCacheBytes);
        RocksShardStores stores = new(directory.Shards, rocks, RocksStoreOptions.Default with { MaxOpenFiles = files.TableFilesPerStore }, options.Limits);
        BootedNode node = NodeBoot.Run(options, directory, stores);
        NodeProcess process = new(options, files, ports, directory, rocks, node, stores, loggers, levels);
        process._pumps.Start();
        process._links.Start();
        await process._web.StartAsync();
        return process;
    }

    /// <summary>
    /// Gives away what it leads while it still serves and forwards; then stops in the order of the write path, so that nothing that was taken in is cut off
    /// without need; then flushes the stores.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await HandOverAsync();
        // For a moment every connection in use is answered, and told to close: cut off, a request that is just coming would have an unknown outcome.
        _api.BeginStop();
        await Task.Delay(RefusingTime);
        using (CancellationTokenSource deadline = new(HttpStopTimeout)) await _web.StopAsync(deadline.Token);
        await _links.DisposeAsync();
        _pumps.Stop();
        foreach (KvStateMachine machine in _host.Machines.OfType<KvStateMachine>()) FlushUnlessDamaged(machine);
        _exporters.Dispose();
        _metrics.Dispose();
        await _space.DisposeAsync();
        await _pumpTelemetry.DisposeAsync();
        _host.Dispose();
        _rocks.Dispose();
        _directory.MoveOut();
        Stopped();
    }

    /// <summary>A damaged store is its replica's affair, also now: the next start stops that one.</summary>
    private void FlushUnlessDamaged(KvStateMachine machine)
    {
        try
        {
            machine.Flush();
        }
        catch (StoreDamagedException damage)
        {
            NotFlushed(machine.Group.Value, damage.Message);
        }
    }

    private async Task HandOverAsync()
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _host.Worker.PostCompletion((Action<long>)(now => _host.Worker.BeginHandOver(now, done.SetResult)));
        try
        {
            await done.Task.WaitAsync(_handOverTimeout);
        }
        catch (TimeoutException)
        {
            HandOverLate(); // STEP stands still: then it must not keep the process from ending.
        }
    }

    internal static TimeSpan HandOverTimeoutOf(HostOptions host) => HandOverMargin + TimeSpan.FromMicroseconds(host.HandOverMicros);

    internal static TransportOptions TransportOptionsOf(NodeOptions options)
    {
        TransportOptions defaults = new();
        // A node that may be slow for longer before it counts as gone may be so here as well. Not for less: TCP's own repetitions take their time, however short elections are.
        // What is left, dialling and how long the next attempt waits, is no question of how fast the cluster is.
        double slower = Math.Max(1, options.TimeScalePercent / 100.0);
        return defaults with
        {
            UserTimeout = defaults.UserTimeout * slower,
            HelloTimeout = defaults.HelloTimeout * slower,
            // All that one shard may have on its way must find room here, and as much of others: what finds none is dropped.
            MaxQueuedBytes = Math.Max(defaults.MaxQueuedBytes, 2L * options.MaxInflightBytes),
        };
    }

    internal static HostOptions HostOptionsOf(NodeOptions options, DiskIdentity identity, ulong bootId) => new()
    {
        Node = identity.Node,
        BootId = bootId,
        Seed = NodeBoot.RandomId(),
        TickMicros = options.ScaledMicros(options.TickMillis),
        HeartbeatIntervalMicros = options.ScaledMicros(options.HeartbeatMillis),
        ElectionTimeoutMicros = options.ScaledMicros(options.ElectionTimeoutMillis),
        ElectionDelayMicros = (OptionParser.MaxElectionPriority - options.ElectionPriority) * options.ScaledMicros(options.ElectionTimeoutMillis),
        Clock = static () => BootClock.NowMicros,
        HibernateAfterMicros = options.ScaledMicros(HibernateAfterMillis),
        DiskStallMicros = options.ScaledMicros(options.DiskStallTimeoutMillis),
        DiskStallExitMicros = options.ScaledMicros(Math.Max(DiskStallExitMillis, 2 * options.DiskStallTimeoutMillis)),
        MaxInFlightBytes = options.MaxInflightBytes,
        MaxPersistQueueBytes = Math.Max(32L * Limits.Mebi, options.MaxInflightBytes),
        SnapshotEntries = (ulong)options.SnapshotEntries,
        SnapshotBytes = options.SnapshotBytes,
        CatchUpEntries = (ulong)options.CatchUpEntries,
        // A few of the largest values must always fit, or they could never be proposed.
        MaxUncommittedBytes = Math.Max(16 * Limits.Mebi, 4 * options.Limits.MaxValueBytes),
    };

    internal static FrontOptions FrontOptionsOf(NodeOptions options, DiskIdentity identity, ulong bootId) => new(identity.Name, bootId)
    {
        MaxCalls = options.Limits.MaxCallsAtOnce,
        MaxCallBytes = options.Limits.MaxCallBytes,
        RetryMicros = options.ScaledMicros(RetryMillis),
        LeaderlessMicros = options.ScaledMicros(LeaderlessMillis),
    };

    private static PeerAddress[] PeersOf(BootedNode node) =>
    [
        .. node.Members.Where(member => member.Name != node.Identity.Name)
            .Select(member => new PeerAddress(new NodeId(NodeIdentity.IdOf(member.Name)), member.Name, member.Host, member.Port)),
    ];

    [LoggerMessage(1, LogLevel.Information, "Node {Name} of cluster {Cluster} starts with {Shards} shards; clients at {Client}, peers at {Peer}")]
    private partial void Starts(string name, string cluster, int shards, string client, string peer);

    [LoggerMessage(2, LogLevel.Information, "Stopped; the stores are flushed")]
    private partial void Stopped();

    [LoggerMessage(3, LogLevel.Warning, "Leaderships were not handed over in time")]
    private partial void HandOverLate();

    [LoggerMessage(4, LogLevel.Warning, "Clients may have {Connections} connections at once, not {Asked}: this process may open {Limit} files only")]
    private partial void FewConnections(int connections, int asked, long limit);

    [LoggerMessage(5, LogLevel.Error, "Shard {Shard}: not flushed, for its store is damaged: {Reason}")]
    private partial void NotFlushed(ulong shard, string reason);

    /// <summary>The links must exist before the pumps that they feed. No frame comes before the peer port is served, and then it is set.</summary>
    private sealed class LateReceiver : IPeerReceiver
    {
        public GroupWorker? Target { get; set; }

        /// <inheritdoc/>
        public void OnFrame(NodeId from, FrameKind kind, byte[] body) => Target!.OnFrame(from, kind, body);

        /// <inheritdoc/>
        public void OnConnection(NodeId peer, ulong bootId) => Target!.OnConnection(peer, bootId);
    }
}
