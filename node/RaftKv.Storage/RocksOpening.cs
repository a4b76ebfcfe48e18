using RaftKv.MultiRaft.Ports;
using RaftKv.Storage.Native;
using static RaftKv.Storage.Native.RocksNative;

namespace RaftKv.Storage;

/// <summary>Opens the database of a store: translates the options and explains the failures.</summary>
internal static unsafe class RocksOpening
{
    private const int WarnLevel = 2;
    private const double BloomBitsPerKey = 10;
    private const int Levels = 7;
    private const int FilesBeforeCompaction = 8;
    private const ulong FirstLevelBytes = 64 * 1024 * 1024;
    private const ulong TableFileBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Of what one compaction rewrites, and needs room for beside it, above a file or two. By default 1.6 GB: more than the free disk below which a node takes no puts, 1 GiB.
    /// Table files are cut so that they overlap no more of the level below.
    /// </summary>
    private const ulong MaxCompactionBytes = 256 * 1024 * 1024;

    // Both are pinned, because a snapshot carries table files to nodes that may run another version of the library, whose
    // defaults differ: format 5 with CRC32C is read by every version from 6.6 on.
    private const int TableFormatVersion = 5;
    private const byte Crc32cChecksum = 1;
    private const int TwoLevelIndex = 2;

    private const int OwnCacheBytes = 1024 * 1024;

    /// <summary>Who only looks reads from front to end.</summary>
    private const int FewestOpenFiles = 20;

    /// <summary>Opens the database at <paramref name="path"/>; throws <see cref="StoreFailedException"/>.</summary>
    public static RocksDatabaseHandle Open(RocksEnvironment environment, string path, RocksStoreOptions options)
    {
        using RocksEnvironment.UseScope use = environment.Use();
        PrepareDirectory(path, options.CreateIfMissing);
        Db* db = TryOpen(environment, path, options, options.Compression, out string? failure);
        if (db == null && IsUnsupportedCompression(failure))
            db = TryOpen(environment, path, options, RocksCompression.None, out failure);
        if (db == null) throw RocksError.Failure(path, "open", Explain(failure));
        return new RocksDatabaseHandle(db, environment.Cache, environment.Env);
    }

    /// <summary>Opens the database to look at it; not a byte of its directory changes. Throws <see cref="StoreFailedException"/>.</summary>
    public static RocksDatabaseHandle OpenReadOnly(RocksEnvironment environment, string path, bool withOwnCache)
    {
        using RocksEnvironment.UseScope use = environment.Use();
        PrepareDirectory(path, createIfMissing: false);
        using RocksCacheHandle? own = withOwnCache ? new RocksCacheHandle(OwnCacheBytes) : null; // Which the handle keeps as long as it needs it.
        RocksCacheHandle cache = own ?? environment.Cache;
        Options* native = rocksdb_options_create();
        RocksStoreOptions options = RocksStoreOptions.Default with { MaxOpenFiles = FewestOpenFiles };
        Configure(native, environment, cache, options, RocksCompression.None); // Which compression a file has, it says itself.
        byte* error = null;
        Db* db = rocksdb_open_for_read_only(native, path, errorIfLogFileExists: 0, &error);
        rocksdb_options_destroy(native);
        string? failure = RocksError.Take(error);
        if (db == null) throw RocksError.Failure(path, "open", $"{Explain(failure)} ({ManifestOf(path)})");
        return new RocksDatabaseHandle(db, cache, environment.Env);
    }

    /// <summary>RocksDB's errors do not name the MANIFEST, which is what an opening mostly reads.</summary>
    private static string ManifestOf(string path)
    {
        try
        {
            return "its manifest is " + File.ReadAllText(Path.Combine(path, "CURRENT")).Trim();
        }
        catch (IOException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>RocksDB leaves a directory with a log file behind when it refuses to open a missing store; this refuses first.</summary>
    private static void PrepareDirectory(string path, bool createIfMissing)
    {
        if (!createIfMissing)
        {
            if (!File.Exists(Path.Combine(path, "CURRENT"))) throw new StoreDamagedException($"store {path}: open failed: there is no store in this directory");
            return;
        }
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreFailedException($"store {path}: creating its directory failed: {e.Message}", e);
        }
    }

    private static Db* TryOpen(RocksEnvironment environment, string path, RocksStoreOptions options, RocksCompression compression, out string? failure)
    {
        Options* native = rocksdb_options_create();
        Configure(native, environment, environment.Cache, options, compression);
        byte* error = null;
        Db* db = rocksdb_open(native, path, &error);
        rocksdb_options_destroy(native);
        failure = RocksError.Take(error);
        return db;
    }

    private static void Configure(Options* native, RocksEnvironment environment, RocksCacheHandle cache, RocksStoreOptions options, RocksCompression compression)
    {
        rocksdb_options_set_env(native, environment.Env.Pointer);
        rocksdb_options_set_create_if_missing(native, options.CreateIfMissing ? (byte)1 : (byte)0);
        rocksdb_options_set_paranoid_checks(native, 1);
        rocksdb_options_set_write_buffer_size(native, (nuint)(options.WriteBufferBytes + options.WriteBufferBytes / 4)); // A backstop: the budget, which estimates, comes first.
        rocksdb_options_set_arena_block_size(native, (nuint)options.ArenaBlockBytes);
        rocksdb_options_set_max_compaction_bytes(native, MaxCompactionBytes);
        rocksdb_options_set_max_open_files(native, options.MaxOpenFiles);
        ConfigureForManyStores(native);
        ConfigureTables(native, cache);
        ConfigureLevels(native, compression);
    }

    /// <summary>
    /// Versions are kept, so a compaction mostly copies. With twice the files that RocksDB gathers by default, and none of those compressed, compactions took a
    /// tenth of the CPU of a put instead of a third. The first level is small because flushes may be (64 busy shards share the memory of memtables): each compaction into it rewrites it.
    /// </summary>
    private static void ConfigureLevels(Options* native, RocksCompression compression)
    {
        rocksdb_options_set_level0_file_num_compaction_trigger(native, FilesBeforeCompaction);
        rocksdb_options_set_max_bytes_for_level_base(native, FirstLevelBytes);
        rocksdb_options_set_target_file_size_base(native, TableFileBytes);
        int* levels = stackalloc int[Levels];
        for (int level = 0; level < Levels; level++) levels[level] = level == 0 ? (int)RocksCompression.None : (int)compression;
        rocksdb_options_set_compression_per_level(native, levels, Levels);
    }

    /// <summary>Defaults that are fine once per process and not a thousand times: threads, preallocation, logs, statistics.</summary>
    private static void ConfigureForManyStores(Options* native)
    {
        rocksdb_options_set_max_file_opening_threads(native, 1); // else each opening starts up to 15 threads
        rocksdb_options_set_manifest_preallocation_size(native, 64 * 1024); // else 4 MiB of disk
        rocksdb_options_set_info_log_level(native, WarnLevel);
        rocksdb_options_set_keep_log_file_num(native, 2);
        rocksdb_options_set_max_log_file_size(native, 1024 * 1024);
        rocksdb_options_set_stats_dump_period_sec(native, 0);
        rocksdb_options_set_stats_persist_period_sec(native, 0);
    }

    private static void ConfigureTables(Options* native, RocksCacheHandle cache)
    {
        TableOptions* table = rocksdb_block_based_options_create();
        rocksdb_block_based_options_set_block_cache(table, cache.Pointer);
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1); // else their memory has no bound
        // In pieces of a few KiB: whole, those of a large table file take a MiB each, more than one of the cache's many shards holds, and every read would load
        // them anew (measured: 2–5 ms of CPU for each write with an idempotency key, from some 650,000 on).
        rocksdb_block_based_options_set_index_type(table, TwoLevelIndex);
        rocksdb_block_based_options_set_partition_filters(table, 1);
        rocksdb_block_based_options_set_format_version(table, TableFormatVersion);
        rocksdb_block_based_options_set_checksum(table, Crc32cChecksum);
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BloomBitsPerKey));
        rocksdb_options_set_block_based_table_factory(native, table);
        rocksdb_block_based_options_destroy(table);
    }

    /// <summary>RocksDB checks this before it touches the directory, so a second attempt starts afresh.</summary>
    private static bool IsUnsupportedCompression(string? failure) =>
        failure is not null && failure.Contains("is not linked with the binary", StringComparison.Ordinal);

    private static string Explain(string? failure)
    {
        if (failure is null) return "RocksDB gave no reason";
        return failure.Contains("/LOCK", StringComparison.Ordinal)
            ? $"it is already open, in this process or another ({failure})"
            : failure;
    }
}
