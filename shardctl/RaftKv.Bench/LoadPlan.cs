using System.Collections.Immutable;
using RaftKv.Client;

namespace RaftKv.Bench;

/// <summary>What is driven, and how it is spoken to.</summary>
public enum LoadProtocol
{
    /// <summary>RaftKv over HTTP/1.1: one request at a time on a connection, so there are as many connections as clients.</summary>
    RaftKvHttp1,

    /// <summary>RaftKv over HTTP/2 without TLS, with prior knowledge.</summary>
    RaftKvHttp2,

    /// <summary>etcd's KV service over gRPC without TLS.</summary>
    EtcdGrpc,
}

/// <summary>The load does not make sense, or does not come about. One line.</summary>
/// <param name="isUnreachable">An endpoint takes no connection.</param>
public sealed class LoadException(string message, bool isUnreachable = false) : Exception(message)
{
    public bool IsUnreachable { get; } = isUnreachable;
}

/// <summary>
/// A closed loop: every client has one request under way and makes the next when it is answered. So the load adapts to the servers,
/// and a latency is what a client that waits its turn sees.
/// </summary>
public sealed record LoadPlan
{
    public const int MaxClients = 10_000;
    public const int MaxValueBytes = 16 * 1024 * 1024;
    public const int MaxKeys = 100_000_000;
    public const double MaxSeconds = 24 * 3600;

    public required LoadProtocol Protocol { get; init; }

    /// <summary>Connections go to them in turn. At least one.</summary>
    public required ImmutableArray<ClientEndpoint> Endpoints { get; init; }

    /// <summary>1…<see cref="MaxClients"/>.</summary>
    public int Clients { get; init; } = 64;

    /// <summary>1…Clients; clients share them evenly. Over HTTP/1.1 it is Clients.</summary>
    public int Connections { get; init; } = 64;

    /// <summary>0…<see cref="MaxValueBytes"/>. Random bytes, which do not compress.</summary>
    public int ValueBytes { get; init; } = 256;

    /// <summary>Keys are of 16 bytes, and are drawn evenly. 1…<see cref="MaxKeys"/>.</summary>
    public int Keys { get; init; } = 100_000;

    /// <summary>
    /// Keys by lanes: client i draws from lane i modulo their number only. Empty: one lane of all keys. A lane that holds the keys
    /// of one shard makes a client that waits for that shard hold up no other.
    /// </summary>
    public ImmutableArray<ImmutableArray<int>> Lanes { get; init; } = [];

    /// <summary>Of all requests; the others are puts. 0…1.</summary>
    public double ReadShare { get; init; }

    /// <summary>Whether every put has an idempotency key (a UUIDv7). RaftKv only.</summary>
    public bool HasIdempotencyKeys { get; init; }

    /// <summary>Whether every key is written once before the warm-up.</summary>
    public bool FillsFirst { get; init; }

    /// <summary>How long it runs before anything counts. 0…<see cref="MaxSeconds"/> s.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long it is measured. Above 0, to <see cref="MaxSeconds"/> s.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After so long without an answer a request is given up, and its connection with it. Above 0.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A client begins a request once in so long, however long the one before has taken, and its time runs from when it is due; clients take turns, so that the stream
    /// is steady. Zero: a client begins the next as soon as it is answered.
    /// </summary>
    public TimeSpan Pace { get; init; }

    /// <summary>
    /// Whether a client goes on to the next endpoint when its own takes no connection, loses it, does not answer in time or definitely refuses. What was refused is made
    /// again there until <see cref="RequestTimeout"/> is over; what may have been applied never. Every client has a connection of its own then.
    /// </summary>
    public bool Roams { get; init; }

    /// <summary>Equal seeds draw equal keys, values and kinds of request, for each client in its order.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Throws <see cref="LoadException"/>, naming the option of bench, limit and value.</summary>
    public void Check()
    {
        if (Endpoints.IsDefaultOrEmpty) throw new LoadException("no endpoint is named");
        Range("--clients", Clients, 1, MaxClients);
        Range("--connections", Connections, 1, Clients);
        Range("--value-bytes", ValueBytes, 0, MaxValueBytes);
        Range("--keys", Keys, 1, MaxKeys);
        if (ReadShare is not (>= 0 and <= 1)) throw new LoadException($"reads {ReadShare}: must be from 0 to 1");
        if (Duration <= TimeSpan.Zero || Duration.TotalSeconds > MaxSeconds) throw new LoadException($"--seconds {Duration.TotalSeconds}: must be above 0 and at most {MaxSeconds}");
        if (WarmUp < TimeSpan.Zero || WarmUp.TotalSeconds > MaxSeconds) throw new LoadException($"--warm-up {WarmUp.TotalSeconds}: must be from 0 to {MaxSeconds}");
        if (RequestTimeout <= TimeSpan.Zero) throw new LoadException($"request-timeout {RequestTimeout.TotalSeconds}: must be above 0");
        if (Pace < TimeSpan.Zero) throw new LoadException($"pace {Pace.TotalSeconds}: must not be below 0");
        if (Roams && Connections != Clients) throw new LoadException($"--connections {Connections}: of clients that roam every one has its own, so there are {Clients}");
        if (HasIdempotencyKeys && Protocol == LoadProtocol.EtcdGrpc) throw new LoadException("etcd has no idempotency keys");
        if (Protocol == LoadProtocol.RaftKvHttp1 && Connections != Clients) throw new LoadException($"--connections {Connections}: over HTTP/1.1 every client has its own, so there are {Clients}");
        if (Lanes.Any(lane => lane.IsEmpty || lane.Any(key => key < 0 || key >= Keys))) throw new LoadException("a lane is empty or names a key that does not exist");
    }

    private static void Range(string field, int value, int min, int max)
    {
        if (value < min || value > max) throw new LoadException($"{field} {value}: must be from {min} to {max}");
    }
}
