using System.Runtime.InteropServices;

namespace RaftKv.Storage.Native;

/// <summary>
/// The part of RocksDB's C API (rocksdb/c.h) that this project uses, under its C names. Every function listed here must
/// be exported by the library: <see cref="RocksDbLibrary.Probe"/> checks that before the first call.
/// </summary>
/// <remarks>
/// Pointers are typed by empty structs, so that a batch is not passed for an iterator, and owned by the safe handles
/// beside this file; nothing else keeps one. Sizes are size_t, flags are unsigned char. An <c>error</c> must point to null
/// before the call; the callee leaves null or a string that <see cref="RocksError"/> frees.
/// <see cref="SuppressGCTransitionAttribute"/> stands only on reads of a field or two that can neither block nor fail.
/// </remarks>
internal static unsafe partial class RocksNative
{
    private const string Library = RocksDbLibrary.ImportName;

    internal struct Db;
    internal struct Options;
    internal struct TableOptions;
    internal struct FilterPolicy;
    internal struct Cache;
    internal struct Env;
    internal struct ReadOptions;
    internal struct WriteOptions;
    internal struct FlushOptions;
    internal struct Batch;
    internal struct Iterator;
    internal struct PinnedValue;
    internal struct Checkpoint;

    // What a node shares among its stores.
    [LibraryImport(Library)] internal static partial Cache* rocksdb_cache_create_lru(nuint capacity);
    [LibraryImport(Library)] internal static partial void rocksdb_cache_destroy(Cache* cache);
    [LibraryImport(Library)] internal static partial Env* rocksdb_create_default_env();
    [LibraryImport(Library)] internal static partial void rocksdb_env_set_background_threads(Env* env, int count);
    [LibraryImport(Library)] internal static partial void rocksdb_env_set_high_priority_background_threads(Env* env, int count);
    [LibraryImport(Library)] internal static partial void rocksdb_env_destroy(Env* env);

    // Options of a database.
    [LibraryImport(Library)] internal static partial Options* rocksdb_options_create();
    [LibraryImport(Library)] internal static partial void rocksdb_options_destroy(Options* options);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_env(Options* options, Env* env);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_create_if_missing(Options* options, byte value);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_paranoid_checks(Options* options, byte value);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_write_buffer_size(Options* options, nuint bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_arena_block_size(Options* options, nuint bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_max_compaction_bytes(Options* options, ulong bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_level0_file_num_compaction_trigger(Options* options, int files);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_max_bytes_for_level_base(Options* options, ulong bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_target_file_size_base(Options* options, ulong bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_compression_per_level(Options* options, int* levels, nuint count);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_max_open_files(Options* options, int count);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_max_file_opening_threads(Options* options, int count);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_manifest_preallocation_size(Options* options, nuint bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_info_log_level(Options* options, int level);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_keep_log_file_num(Options* options, nuint count);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_max_log_file_size(Options* options, nuint bytes);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_stats_dump_period_sec(Options* options, uint seconds);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_stats_persist_period_sec(Options* options, uint seconds);
    [LibraryImport(Library)] internal static partial void rocksdb_options_set_block_based_table_factory(Options* options, TableOptions* table);

    // Options of its table files.
    [LibraryImport(Library)] internal static partial TableOptions* rocksdb_block_based_options_create();
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_destroy(TableOptions* table);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_block_cache(TableOptions* table, Cache* cache);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_cache_index_and_filter_blocks(TableOptions* table, byte value);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_index_type(TableOptions* table, int type);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_partition_filters(TableOptions* table, byte value);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_format_version(TableOptions* table, int version);
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_checksum(TableOptions* table, byte type);
    /// <summary>Takes ownership of <paramref name="policy"/>.</summary>
    [LibraryImport(Library)] internal static partial void rocksdb_block_based_options_set_filter_policy(TableOptions* table, FilterPolicy* policy);
    [LibraryImport(Library)] internal static partial FilterPolicy* rocksdb_filterpolicy_create_bloom_full(double bitsPerKey);

    // Options of calls.
    [LibraryImport(Library)] internal static partial ReadOptions* rocksdb_readoptions_create();
    [LibraryImport(Library)] internal static partial void rocksdb_readoptions_destroy(ReadOptions* options);
    [LibraryImport(Library)] internal static partial void rocksdb_readoptions_set_read_tier(ReadOptions* options, int tier);
    /// <summary>Keeps the pointer: <paramref name="key"/> must stay until the options' iterators are gone.</summary>
    [LibraryImport(Library)] internal static partial void rocksdb_readoptions_set_iterate_upper_bound(ReadOptions* options, byte* key, nuint length);
    [LibraryImport(Library)] internal static partial WriteOptions* rocksdb_writeoptions_create();
    [LibraryImport(Library)] internal static partial void rocksdb_writeoptions_destroy(WriteOptions* options);
    [LibraryImport(Library)] internal static partial void rocksdb_writeoptions_disable_WAL(WriteOptions* options, int disable);
    [LibraryImport(Library)] internal static partial FlushOptions* rocksdb_flushoptions_create();
    [LibraryImport(Library)] internal static partial void rocksdb_flushoptions_destroy(FlushOptions* options);
    [LibraryImport(Library)] internal static partial void rocksdb_flushoptions_set_wait(FlushOptions* options, byte value);

    // The database.
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial Db* rocksdb_open(Options* options, string path, byte** error);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial Db* rocksdb_open_for_read_only(Options* options, string path, byte errorIfLogFileExists, byte** error);
    [LibraryImport(Library)] internal static partial void rocksdb_close(Db* db);
    [LibraryImport(Library)] internal static partial void rocksdb_write(Db* db, WriteOptions* options, Batch* batch, byte** error);
    [LibraryImport(Library)] internal static partial PinnedValue* rocksdb_get_pinned(Db* db, ReadOptions* options, byte* key, nuint length, byte** error);
    [LibraryImport(Library)] internal static partial void rocksdb_flush(Db* db, FlushOptions* options, byte** error);
    /// <summary>Returns 0 when the property exists and is a number.</summary>
    [LibraryImport(Library)] internal static partial int rocksdb_property_int(Db* db, byte* name, ulong* value);
    [LibraryImport(Library)] internal static partial void rocksdb_free(void* memory);

    // A checkpoint: hard links of the files of the last flush.
    [LibraryImport(Library)] internal static partial Checkpoint* rocksdb_checkpoint_object_create(Db* db, byte** error);
    /// <summary>Flushes first if the write-ahead log has at least <paramref name="logBytesForFlush"/> bytes; never with the largest number.</summary>
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial void rocksdb_checkpoint_create(Checkpoint* checkpoint, string path, ulong logBytesForFlush, byte** error);
    [LibraryImport(Library)] internal static partial void rocksdb_checkpoint_object_destroy(Checkpoint* checkpoint);

    // A value held in the block cache or a copy.
    [LibraryImport(Library), SuppressGCTransition] internal static partial byte* rocksdb_pinnableslice_value(PinnedValue* value, nuint* length);
    [LibraryImport(Library)] internal static partial void rocksdb_pinnableslice_destroy(PinnedValue* value);

    // A batch of rows.
    [LibraryImport(Library)] internal static partial Batch* rocksdb_writebatch_create();
    [LibraryImport(Library)] internal static partial void rocksdb_writebatch_destroy(Batch* batch);
    [LibraryImport(Library)] internal static partial void rocksdb_writebatch_clear(Batch* batch);
    [LibraryImport(Library)] internal static partial void rocksdb_writebatch_put(Batch* batch, byte* key, nuint keyLength, byte* value, nuint valueLength);
    [LibraryImport(Library)] internal static partial void rocksdb_writebatch_delete(Batch* batch, byte* key, nuint keyLength);

    // An iterator. Key, value and next assert that it stands on a row: in Debian's build a wrong call aborts the process.
    [LibraryImport(Library)] internal static partial Iterator* rocksdb_create_iterator(Db* db, ReadOptions* options);
    [LibraryImport(Library)] internal static partial void rocksdb_iter_destroy(Iterator* iterator);
    [LibraryImport(Library)] internal static partial void rocksdb_iter_seek(Iterator* iterator, byte* key, nuint length);
    [LibraryImport(Library)] internal static partial void rocksdb_iter_next(Iterator* iterator);
    [LibraryImport(Library), SuppressGCTransition] internal static partial byte rocksdb_iter_valid(Iterator* iterator);
    [LibraryImport(Library), SuppressGCTransition] internal static partial byte* rocksdb_iter_key(Iterator* iterator, nuint* length);
    [LibraryImport(Library), SuppressGCTransition] internal static partial byte* rocksdb_iter_value(Iterator* iterator, nuint* length);
    [LibraryImport(Library)] internal static partial void rocksdb_iter_get_error(Iterator* iterator, byte** error);
}
