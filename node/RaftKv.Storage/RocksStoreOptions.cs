namespace RaftKv.Storage;

/// <summary>How one shard's store is opened. The defaults suit a node with many stores of which few are busy.</summary>
public sealed record RocksStoreOptions
{
    public static RocksStoreOptions Default { get; } = new();

    /// <summary>
    /// Whether a directory that holds no store becomes an empty one. The caller knows: a store that ought to exist and
    /// does not must be an error, never an empty store.
    /// </summary>
    public bool CreateIfMissing { get; init; }

    /// <summary>A memtable of this size is flushed in the background; sooner, if the node's stores together hold more than <see cref="MemtableBudget"/> allows.</summary>
    public int WriteBufferBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Memtables grow in steps of this size, which is thus about what an idle store costs.</summary>
    public int ArenaBlockBytes { get; init; } = 64 * 1024;

    /// <summary>Table files kept open, besides a handful of others. RocksDB takes no fewer than 20.</summary>
    public int MaxOpenFiles { get; init; } = 128;

    /// <summary>Wish for new table files; <see cref="RocksCompression.None"/> is used when the library does not support it.</summary>
    public RocksCompression Compression { get; init; } = RocksCompression.Lz4;
}

/// <summary>The values are RocksDB's (CompressionType) and are stored in its files.</summary>
public enum RocksCompression
{
    None = 0,
    Lz4 = 4,
}
