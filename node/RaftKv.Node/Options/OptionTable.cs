namespace RaftKv.Node.Options;

/// <summary>One option: <c>--name</c>, <c>RAFTKV_NAME</c>, and <c>"name"</c> in the JSON file.</summary>
internal sealed record OptionName(string Name, string ValueName, string Description)
{
    public string Flag => "--" + Name;

    public string Variable => "RAFTKV_" + Name.ToUpperInvariant().Replace('-', '_');
}

/// <summary>All options, in the order in which --help shows them.</summary>
internal static class OptionTable
{
    public static readonly OptionName Name = new("name", "NAME", "This node's name: letters, digits, '.', '_', '-'.");
    public static readonly OptionName DataDirectory = new("data-dir", "DIR", "Where everything is kept; made if missing.");
    public static readonly OptionName ListenClient = new("listen-client", "IP:PORT", "The client port, HTTP/1.1 and HTTP/2 without TLS. Default 127.0.0.1:2379.");
    public static readonly OptionName ListenPeer = new("listen-peer", "IP:PORT", "The port for the other nodes. Default 127.0.0.1:2380.");
    public static readonly OptionName AdvertiseClient = new("advertise-client", "URL", "Where clients reach this node. Default: the address it listens on.");
    public static readonly OptionName AdvertisePeer = new("advertise-peer", "HOST:PORT", "A check only: the other nodes reach this one at its address in --initial-cluster, and a node that is told another one here does not start.");
    public static readonly OptionName InitialCluster = new("initial-cluster", "NAME=HOST:PORT,…", "All members with their peer addresses, this one too. Needed at the first start.");
    public static readonly OptionName InitialShards = new("initial-shards", "N", "Shards of a new cluster. Default 8. First start only.");
    public static readonly OptionName Replicas = new("replicas", "N", "Copies of each shard. Default 3, or the number of nodes. First start only.");
    public static readonly OptionName LeaseReads = new("lease-reads", "true|false", "Whether ?consistency=lease may rely on the nodes' clocks running at nearly the same rate. Default false. First start only, alike on all nodes; these then need equal election timeouts.");
    public static readonly OptionName ClusterToken = new("cluster-token", "TEXT", "Tells clusters of equal member names apart. Needed at the first start only; checked whenever it is given.");
    public static readonly OptionName TickMillis = new("tick-ms", "MS", "How often timers are looked at. Default 50.");
    public static readonly OptionName HeartbeatMillis = new("heartbeat-ms", "MS", "How often leaders call. Default 100.");
    public static readonly OptionName ElectionTimeoutMillis = new("election-timeout-ms", "MS", "A follower campaigns after one to two times this. Default 500.");
    public static readonly OptionName ElectionPriority = new("election-priority", "N", "0 to 10: for each step below 10 this node campaigns an election timeout later, so that others lead where they can. Default 10.");
    public static readonly OptionName DiskStallTimeoutMillis = new("disk-stall-timeout", "MS", "A write of the raft log that takes longer makes this node give up its leaderships, 10 to 20000. Default 600.");
    public static readonly OptionName TimeScalePercent = new("time-scale-percent", "N", "Multiplies all of these times, and those that follow from them; in percent, 10 to 10000. Default 100. Alike on all nodes.");
    public static readonly OptionName MaxInflightBytes = new("max-inflight-bytes", "BYTES", "Entries of a shard on their way to one follower, 65536 to 67108864. Default 8388608.");
    public static readonly OptionName SegmentBytes = new("segment-bytes", "BYTES", "Size of a raft log segment. Default 67108864.");
    public static readonly OptionName SnapshotEntries = new("snapshot-entries", "N", "Applied entries in a shard's log beyond which it is cut, 1 to 1000000000. Default 100000.");
    public static readonly OptionName SnapshotBytes = new("snapshot-bytes", "BYTES", "Bytes in a shard's log beyond which it is cut, 65536 to 1099511627776. Default 67108864.");
    public static readonly OptionName CatchUpEntries = new("catch-up-entries", "N", "Entries that a cut leaves for followers a little behind, 0 to 1000000000, and at most half of those there are. Default 10000.");
    public static readonly OptionName MaxValueBytes = new("max-value-bytes", "BYTES", "The largest value, at most 16777216. Default 1048576.");
    public static readonly OptionName MaxConnections = new("max-connections", "N", "Connections of clients at once; fewer when the process may open few files (ulimit -n). Default 10000.");
    public static readonly OptionName MinFreeDiskBytes = new("min-free-disk-bytes", "BYTES", "With less of its disk free a node takes no puts for the shards it leads; deletes go on. Default 1073741824.");
    public static readonly OptionName MinFreeDiskPercent = new("min-free-disk-percent", "N", "The same in percent of the disk, 0 to 99: whichever is more counts. Default 2.");
    public static readonly OptionName LogLevel = new("log-level", "LEVEL", "trace, debug, information, warning, error or critical. Default information. May be changed at /debug/log-level.");
    public static readonly OptionName LogFormat = new("log-format", "FORMAT", "text or json, a line per event. Default text.");
    public static readonly OptionName OtlpEndpoint = new("otlp-endpoint", "URL", "A collector of metrics and traces by OTLP over HTTP, such as http://127.0.0.1:4318. Default none.");

    public static readonly IReadOnlyList<OptionName> All =
    [
        Name, DataDirectory, ListenClient, ListenPeer, AdvertiseClient, AdvertisePeer, InitialCluster, InitialShards, Replicas, LeaseReads, ClusterToken,
        TickMillis, HeartbeatMillis, ElectionTimeoutMillis, ElectionPriority, DiskStallTimeoutMillis, TimeScalePercent, MaxInflightBytes, SegmentBytes, SnapshotEntries, SnapshotBytes, CatchUpEntries, MaxValueBytes, MaxConnections, MinFreeDiskBytes, MinFreeDiskPercent,
        LogLevel, LogFormat, OtlpEndpoint,
    ];

    /// <summary>The one option that is not in the file: it names it.</summary>
    public static readonly OptionName ConfigFile = new("config", "FILE", "A JSON object of these options by their names. A flag beats a variable, which beats the file.");
}
