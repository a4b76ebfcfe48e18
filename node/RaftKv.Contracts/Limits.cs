namespace RaftKv.Contracts;

/// <summary>
/// What RaftKv accepts, the defaults being those of design §10; served at /v1/limits under these names in camelCase. An
/// error that refuses for a limit names it and says the actual value. Limits are checked where a request enters, never
/// when data that exists is read (design §12).
/// </summary>
public sealed record Limits
{
    public const int Kibi = 1024;
    public const int Mebi = 1024 * Kibi;
    public const long Gibi = 1024L * Mebi;

    /// <summary>The most <see cref="MaxValueBytes"/> may be set to.</summary>
    public const int MaxValueBytesCeiling = 16 * Mebi;

    public static readonly Limits Default = new();

    /// <summary>Length of a user key, 1…this.</summary>
    public int MaxKeyBytes { get; init; } = 4 * Kibi;

    /// <summary>Length of a value, 0…this. Configurable from 1 to <see cref="MaxValueBytesCeiling"/>.</summary>
    public int MaxValueBytes { get; init; } = Mebi;

    /// <summary>Operations in one POST /v1/batch or /v1/txn.</summary>
    public int MaxBatchOperations { get; init; } = 1_000;

    /// <summary>Keys and values together of one batch.</summary>
    public int MaxBatchBytes { get; init; } = 8 * Mebi;

    /// <summary>The JSON body of one batch or transaction, with all that base64 and escapes add to its keys and values.</summary>
    public int MaxBatchBodyBytes { get; init; } = 16 * Mebi;

    /// <summary>Keys on one page of a list; as many come when none is asked for. A stream has no such limit.</summary>
    public int MaxListKeys { get; init; } = 1_000;

    /// <summary>Keys and values on one page of a list; a page that would have more ends before.</summary>
    public int MaxListBytes { get; init; } = 8 * Mebi;

    /// <summary>Lists that a node works on at once; each may hold a page, and 4 MiB of keys and values that wait to be merged.</summary>
    public int MaxListsAtOnce { get; init; } = 64;

    /// <summary>The longest ttl, a hundred years.</summary>
    public long MaxTtlSeconds { get; init; } = 100L * 366 * 24 * 3600;

    /// <summary>Calls that a node works on at once; a batch or list makes several.</summary>
    public int MaxCallsAtOnce { get; init; } = 65_536;

    /// <summary>Bytes of the requests that a node works on, together.</summary>
    public long MaxCallBytes { get; init; } = 256L * Mebi;

    /// <summary>What has arrived of bodies that are not complete, together.</summary>
    public long MaxArrivingBodyBytes { get; init; } = 256L * Mebi;

    /// <summary>Values that reads have found and their clients have not taken, together; lists have a bound of their own.</summary>
    public long MaxUntakenAnswerBytes { get; init; } = 256L * Mebi;

    /// <summary>A whole request on the etcd API, as etcd's --max-request-bytes.</summary>
    public int MaxEtcdRequestBytes { get; init; } = 3 * Mebi / 2;

    /// <summary>Operations in each list of an etcd transaction, as etcd's --max-txn-ops.</summary>
    public int MaxEtcdTxnOperations { get; init; } = 128;

    /// <summary>The request line: method, path and query, still percent-encoded.</summary>
    public int MaxRequestLineBytes { get; init; } = 32 * Kibi;

    /// <summary>All header lines of a request together.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * Kibi;

    /// <summary>Header lines of a request.</summary>
    public int MaxHeaders { get; init; } = 100;

    /// <summary>Length of an Idempotency-Key, 1…this.</summary>
    public int MaxIdempotencyKeyChars { get; init; } = 64;

    /// <summary>For how long, in shard time, a repeated Idempotency-Key answers the first result (design §9).</summary>
    public long IdempotencyWindowMillis { get; init; } = 10 * 60 * 1000;

    /// <summary>How far a UUIDv7 idempotency key may be ahead of the node's wall clock (design §9).</summary>
    public long MaxIdempotencyKeyAheadMillis { get; init; } = 60 * 1000;

    /// <summary>Idempotency records a shard keeps; beyond them keyed writes are refused, none is evicted early (design §9).</summary>
    public int MaxIdempotencyRecordsPerShard { get; init; } = 4_000_000;

    /// <summary>Their size together, per shard.</summary>
    public long MaxIdempotencyBytesPerShard { get; init; } = 512L * Mebi;

    /// <summary>For how long, in shard time, superseded versions of keys can be read, and through how many revisions of their shard: whichever is longer (design §7).</summary>
    public long HistoryMillis { get; init; } = 10 * 60 * 1000;

    public int HistoryRevisions { get; init; } = 10_000;

    /// <summary>But a shard keeps no more than this, in keys and values written.</summary>
    public long MaxHistoryBytes { get; init; } = Gibi;

    /// <summary>Connections that clients have open at once. A node that may open few files takes fewer, and says so here.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>The deadline of a request that names none.</summary>
    public int DefaultDeadlineMillis { get; init; } = 5_000;

    /// <summary>The longest deadline a request may name.</summary>
    public int MaxDeadlineMillis { get; init; } = 60_000;

    /// <summary>Puts are refused below this much free disk or <see cref="MinFreeDiskPercent"/> of it, whichever is more.</summary>
    public long MinFreeDiskBytes { get; init; } = Gibi;

    public int MinFreeDiskPercent { get; init; } = 2;

    /// <summary>The free bytes below which a disk of <paramref name="totalBytes"/> ≥ 0 takes no puts: max(MinFreeDiskBytes, MinFreeDiskPercent).</summary>
    public long FreeDiskFloorBytes(long totalBytes) => Math.Max(MinFreeDiskBytes, (long)((Int128)totalBytes * MinFreeDiskPercent / 100));
}
