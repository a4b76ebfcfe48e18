using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.MultiRaft;

/// <summary>Timings and bounds of a node's pumps. Times in µs, sizes in bytes.</summary>
public sealed record HostOptions
{
    /// <summary>What a longer election timeout counts as in quiet times: deadlines are looked at once a tick, and a peer's timeout may be another.</summary>
    private const long QuietMostMicros = 500_000;

    public required NodeId Node { get; init; }

    /// <summary>Random, made at each start of the process.</summary>
    public required ulong BootId { get; init; }

    public long TickMicros { get; init; } = 50_000;

    public long HeartbeatIntervalMicros { get; init; } = 100_000;

    public long ElectionTimeoutMicros { get; init; } = 500_000;

    /// <summary>The tick while all groups sleep: a node is woken by whatever happens, and an idle one should cost nothing.</summary>
    public long QuietTickMicros => Math.Max(TickMicros, Math.Min(ElectionTimeoutMicros, QuietMostMicros) / 4);

    /// <summary>
    /// Between the heartbeats of a node all of whose groups sleep. Who is silent for the election timeout at two ticks in a row counts as gone, so one heartbeat
    /// may still be late; and taken for gone wrongly costs only that groups wake.
    /// </summary>
    public long QuietHeartbeatMicros => Math.Max(HeartbeatIntervalMicros, Math.Min(ElectionTimeoutMicros, QuietMostMicros) / 2);

    /// <summary>A node that stops gives its leaderships away for no longer than this.</summary>
    public long HandOverMicros => 2 * ElectionTimeoutMicros;

    /// <summary>How long a group must have been without a request before its leader lets it sleep; long.MaxValue: never.</summary>
    public long HibernateAfterMicros { get; init; } = 5_000_000;

    /// <summary>A write of the log that takes longer makes this node give up its leaderships.</summary>
    public long DiskStallMicros { get; init; } = 600_000;

    /// <summary>A write of the log that takes longer ends the process.</summary>
    public long DiskStallExitMicros { get; init; } = 20_000_000;

    /// <summary>New work (client calls, frames from peers) that may wait for STEP.</summary>
    public int MaxInboxItems { get; init; } = 65_536;

    public long MaxInboxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Entry bytes that may wait for PERSIST before STEP takes no more proposals and appends.</summary>
    public long MaxPersistQueueBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Entry bytes that may wait for APPLY before STEP takes no more proposals and appends.</summary>
    public long MaxApplyQueueBytes { get; init; } = 32 * 1024 * 1024;

    public int MaxAppendBytes { get; init; } = 256 * 1024;

    /// <summary>Entry bytes of a group on their way to one follower.</summary>
    public int MaxInFlightBytes { get; init; } = 8 * 1024 * 1024;

    public int MaxUncommittedBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Entries of one group in memory that are not applied yet.</summary>
    public int MaxUnappliedBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Applied entries in a group's log beyond which it is compacted.</summary>
    public ulong SnapshotEntries { get; init; } = 100_000;

    /// <summary>Bytes in a group's log beyond which it is compacted.</summary>
    public long SnapshotBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Applied entries that a compaction leaves for followers a little behind; at most half of those there are.</summary>
    public ulong CatchUpEntries { get; init; } = 10_000;

    /// <summary>One piece of a snapshot on its way.</summary>
    public int SnapshotChunkBytes { get; init; } = 512 * 1024;

    /// <summary>How fast a snapshot is fetched at most.</summary>
    public long SnapshotBytesPerSecond { get; init; } = 128 * 1024 * 1024;

    /// <summary>Applied entries of one group that its leader keeps in memory for followers that lack them; others are read from the log.</summary>
    public int MaxCachedBytes { get; init; } = 1024 * 1024;

    /// <summary>How much longer than others this node's replicas wait before they campaign.</summary>
    public long ElectionDelayMicros { get; init; }

    /// <summary>Whether leaders may serve reads under a lease; equal on all nodes of the cluster (design §6).</summary>
    public bool HasLeases { get; init; }

    /// <summary>The clock that the pumps' <c>now</c> comes from, in µs; read again to see whether a lease still holds. Unless given, none does.</summary>
    public Func<long> Clock { get; init; } = static () => long.MaxValue;

    /// <summary>Hears of what the pumps do; nobody unless given.</summary>
    public IPumpObserver Observer { get; init; } = NoObserver.Instance;

    /// <summary>Draws election timeouts; random in a node, the simulator's seed in the simulator.</summary>
    public required ulong Seed { get; init; }
}
