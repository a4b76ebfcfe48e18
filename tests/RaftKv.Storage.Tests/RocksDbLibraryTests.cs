using RaftKv.Storage.Native;

namespace RaftKv.Storage.Tests;

/// <summary>A missing or unsuitable librocksdb is refused at once, with what to do. In child processes: a library is loaded once.</summary>
public sealed class RocksDbLibraryTests
{
    [Fact]
    public void Probe_finds_a_library_that_exports_every_import()
    {
        Assert.Contains("librocksdb", RocksDbLibrary.Probe());
        Assert.Contains("rocksdb_open", RocksDbLibrary.Imports());
        Assert.All(RocksDbLibrary.Imports(), import => Assert.StartsWith("rocksdb_", import));
    }

    [Fact]
    public async Task Missing_library_is_named_with_the_variable_that_names_it()
    {
        (int exitCode, string output) = await ChildProcess.Run([ChildProcess.Probe], rocksDbLibrary: "/nonexistent/librocksdb.so");
        Assert.Equal(1, exitCode);
        Assert.StartsWith("RocksDbUnavailableException: ", output);
        Assert.Contains("ROCKSDB_LIBRARY=/nonexistent/librocksdb.so", output);
        Assert.Contains("apt-get install librocksdb7.8", output);
    }

    [Fact]
    public async Task Library_without_our_functions_is_refused_by_naming_some()
    {
        (int exitCode, string output) = await ChildProcess.Run([ChildProcess.Probe], rocksDbLibrary: "libc.so.6");
        Assert.Equal(1, exitCode);
        Assert.StartsWith("RocksDbUnavailableException: libc.so.6 lacks ", output);
        Assert.Contains("rocksdb_block_based_options_create", output);
        Assert.Contains("apt-get install librocksdb7.8", output);
    }
}
