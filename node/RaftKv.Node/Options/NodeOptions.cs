using System.Net;
using RaftKv.Contracts;

namespace RaftKv.Node.Options;

/// <summary>Another member, or this one, as --initial-cluster names it.</summary>
internal sealed record ClusterMember(string Name, string Host, int Port)
{
    /// <summary>HOST:PORT.</summary>
    public string Address => $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}";

    public override string ToString() => $"{Name}={Address}";
}

/// <summary>Everything a node is told at its start, checked. What is null was not given.</summary>
internal sealed record NodeOptions
{
    public required string Name { get; init; }

    /// <summary>Absolute.</summary>
    public required string DataDirectory { get; init; }

    public required IPEndPoint ListenClient { get; init; }

    public required IPEndPoint ListenPeer { get; init; }

    /// <summary>The URL under which clients reach this node; null: what it listens on.</summary>
    public string? AdvertiseClient { get; init; }

    /// <summary>Where this node's operator takes it that peers reach it: must be what the list of members says of it.</summary>
    public ClusterMember? AdvertisePeer { get; init; }

    /// <summary>Needed at the first start only; in their order, with this node among them.</summary>
    public IReadOnlyList<ClusterMember>? InitialCluster { get; init; }

    public int InitialShards { get; init; } = 8;

    /// <summary>Null: three, or as many as there are nodes.</summary>
    public int? Replicas { get; init; }

    /// <summary>Of a new cluster: whether its leaders may serve reads under a lease.</summary>
    public bool LeaseReads { get; init; }

    public string ClusterToken { get; init; } = "";

    public int TickMillis { get; init; } = 50;

    public int HeartbeatMillis { get; init; } = 100;

    public int ElectionTimeoutMillis { get; init; } = 500;

    /// <summary>0 to 10: for each step below 10 this node campaigns an election timeout later.</summary>
    public int ElectionPriority { get; init; } = 10;

    /// <summary>A write of the log that takes longer costs the node its leaderships.</summary>
    public int DiskStallTimeoutMillis { get; init; } = 600;

    /// <summary>Multiplies the four times above, and those that follow from them.</summary>
    public int TimeScalePercent { get; init; } = 100;

    /// <summary>Entry bytes of a shard on their way to one follower.</summary>
    public int MaxInflightBytes { get; init; } = 8 * Limits.Mebi;

    public long SegmentBytes { get; init; } = 64L * Limits.Mebi;

    /// <summary>Applied entries in a shard's log beyond which it is cut.</summary>
    public long SnapshotEntries { get; init; } = 100_000;

    /// <summary>Bytes in a shard's log beyond which it is cut.</summary>
    public long SnapshotBytes { get; init; } = 64L * Limits.Mebi;

    /// <summary>Applied entries that a cut leaves for followers a little behind; at most half of those there are.</summary>
    public long CatchUpEntries { get; init; } = 10_000;

    public Limits Limits { get; init; } = Limits.Default;

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    public LogFormat LogFormat { get; init; }

    /// <summary>Where metrics and spans are sent by OTLP over HTTP, without the path of either; null: nowhere.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>A time of consensus as this node is to keep it.</summary>
    public long ScaledMicros(int millis) => millis * 1000L * TimeScalePercent / 100;
}

/// <summary>An option is wrong; the message is one line that names it. The process ends with exit code 2 and has created nothing.</summary>
internal sealed class OptionException(string message) : Exception(message);
