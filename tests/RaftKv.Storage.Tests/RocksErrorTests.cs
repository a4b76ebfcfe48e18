using RaftKv.MultiRaft.Ports;
using RaftKv.Storage.Native;

namespace RaftKv.Storage.Tests;

/// <summary>Design §3.5: what cannot be read stops the replica, what cannot be written the process; whoever it was that met it. The texts are RocksDB's own.</summary>
public sealed class RocksErrorTests
{
    private const string Table = "/data/shards/1/1/000012.sst";

    [Theory]
    [InlineData("Corruption: block checksum mismatch: stored = 3, computed = 4, type = 1  in " + Table + " offset 0 size 900")]
    [InlineData("Corruption: CURRENT file does not end with newline")]
    [InlineData("Result incomplete: Corruption: block checksum mismatch")]
    [InlineData("IO error: While pread offset 4096 len 4012: " + Table + ": Input/output error")]
    [InlineData("IO error: While pread 8192 bytes from offset 0: " + Table + ": Input/output error")]
    [InlineData("Result incomplete: IO error: While pread offset 4096 len 4012: " + Table + ": Input/output error")]
    [InlineData("IO error: No such file or directory: While open a file for random read: " + Table + ": No such file or directory")]
    [InlineData("IO error: While open a file for random read: " + Table + ": Permission denied")]
    [InlineData("IO error: No such file or directory: While opening a file for sequentially reading: /data/shards/1/1/MANIFEST-000005: No such file or directory")]
    [InlineData("IO error: While opening file for sequentially read: /data/shards/1/1/MANIFEST-000005: Input/output error")]
    [InlineData("IO error: While reading file sequentially: /data/shards/1/1/CURRENT: Input/output error")]
    [InlineData("IO error: No such file or directory: while stat a file for size: " + Table + ": No such file or directory")]
    [InlineData("IO error: while stat a file for modification time: " + Table + ": Input/output error")]
    [InlineData("IO error: while mmap file for read: " + Table + ": Input/output error")]
    [InlineData("IO error: While mmap read offset 4096 len 10, file length 20: " + Table + ": Input/output error")]
    [InlineData("IO error: While prefetching offset 0 len 8192: " + Table + ": Input/output error")]
    [InlineData("IO error: While opendir: /data/shards/1/1: Input/output error")]
    [InlineData("IO error: Req failed: " + Table + ": Input/output error")]
    [InlineData("IO error: No such file or directory: while link file to /data/shards/1/1.checkpoint-1.tmp/000012.sst: " + Table + ": No such file or directory")]
    public void What_cannot_be_read_or_is_not_what_was_written_is_damage(string text)
    {
        Assert.True(RocksError.IsDamage(text));
        foreach (string operation in new[] { "get", "scan", "open", "write", "flush", "checkpoint", "background work" })
            Assert.Equal($"store /data/shards/1/1: {operation} failed: {text}", Assert.IsType<StoreDamagedException>(RocksError.Failure("/data/shards/1/1", operation, text)).Message);
    }

    [Theory]
    [InlineData("IO error: No space left on device: While appending to file: " + Table + ": No space left on device")]
    [InlineData("Result incomplete: IO error: No space left on device: While appending to file: " + Table + ": No space left on device")]
    [InlineData("IO error: While appending to file: " + Table + ": Disk quota exceeded")]
    [InlineData("IO error: While open a file for appending: /data/shards/1/1/MANIFEST-000013: Permission denied")]
    [InlineData("IO error: While open a file for appending: /data/shards/1/1/MANIFEST-000013: Read-only file system")]
    [InlineData("IO error: No such file or directory: While open a file for appending: " + Table + ": No such file or directory")]
    [InlineData("IO error: While fdatasync: " + Table + ": Input/output error")]
    [InlineData("IO error: While fsync: /data/shards/1/1/MANIFEST-000013: Input/output error")]
    [InlineData("IO error: While fsync: a directory: Input/output error")]
    [InlineData("IO error: While open directory: /data/shards/1/1: Input/output error")]
    [InlineData("IO error: While renaming a file to /data/shards/1/1/CURRENT: /data/shards/1/1/000013.dbtmp: Input/output error")]
    [InlineData("IO error: While mkdir if missing: /data/shards/1/1: Read-only file system")]
    [InlineData("IO error: while unlink() file: " + Table + ": Input/output error")]
    [InlineData("IO error: While open file for random read/write: " + Table + ": Input/output error")]
    [InlineData("IO error: While fallocate offset 0 len 4096: " + Table + ": Input/output error")]
    [InlineData("IO error: while link file to /data/shards/1/1.checkpoint-1.tmp/000012.sst: " + Table + ": Input/output error")]
    [InlineData("IO error: while open a file for lock: /data/shards/1/1/LOCK: Permission denied")]
    [InlineData("it is already open, in this process or another (IO error: While lock file: /data/shards/1/1/LOCK: Resource temporarily unavailable)")]
    [InlineData("IO error: While open a file for random read: " + Table + ": Too many open files")]
    [InlineData("IO error: While open a file for random read: " + Table + ": Too many open files in system")]
    [InlineData("IO error: While pread offset 4096 len 4012: " + Table + ": Cannot allocate memory")]
    [InlineData("IO error: Stale file handle")]
    [InlineData("Invalid argument: /data/shards/1/1: does not exist (create_if_missing is false)")]
    public void All_else_is_a_failure_of_the_process(string text)
    {
        Assert.False(RocksError.IsDamage(text));
        foreach (string operation in new[] { "get", "scan", "open", "write", "flush", "checkpoint", "background work" })
            Assert.IsType<StoreFailedException>(RocksError.Failure("/data/shards/1/1", operation, text));
    }
}
