using RaftKv.MultiRaft.Ports;
using RaftKv.RaftLog.Posix;

namespace RaftKv.RaftLog.Tests;

/// <summary>The real disk reports every error, names it, and never tries again (testing/faults.md, A1).</summary>
public sealed class PosixDiskTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly PosixDisk _disk;

    public PosixDiskTests() => _disk = PosixDisk.OpenDirectory(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_sync_of_what_cannot_be_synced_is_an_error_on_this_machine() => PosixDisk.TestThatSyncReportsErrors();

    [Fact]
    public void Bytes_written_at_an_offset_read_back_and_the_file_grows()
    {
        using IDiskFile file = _disk.Create("a");
        Assert.Equal(0, file.Length);
        file.Write(5, [1, 2, 3]);
        file.Sync();
        _disk.SyncDirectory();
        Assert.Equal(8, file.Length);
        byte[] bytes = new byte[10];
        Assert.Equal(8, file.Read(0, bytes));
        Assert.Equal([0, 0, 0, 0, 0, 1, 2, 3, 0, 0], bytes);
        Assert.Equal(0, file.Read(8, bytes));
    }

    [Fact]
    public void Syncs_that_returned_and_bytes_written_are_counted()
    {
        using IDiskFile file = _disk.Create("a");
        Assert.Equal((0, 0), (_disk.Counters.Syncs, _disk.Counters.WrittenBytes));
        file.Write(0, new byte[10]);
        file.Write(4096, new byte[32]);
        Assert.Equal((0, 42), (_disk.Counters.Syncs, _disk.Counters.WrittenBytes));
        file.Sync();
        _disk.SyncDirectory();
        Assert.Equal((2, 42), (_disk.Counters.Syncs, _disk.Counters.WrittenBytes));
    }

    [Fact]
    public void Names_are_listed_in_order_and_change()
    {
        _disk.Create("b").Dispose();
        _disk.Create("a").Dispose();
        _disk.Rename("b", "c");
        Assert.Equal(["a", "c"], _disk.List());
        _disk.Delete("a");
        Assert.Equal(["c"], _disk.List());
    }

    [Fact]
    public void What_does_not_exist_or_exists_already_is_an_error_that_names_it()
    {
        _disk.Create("a").Dispose();
        _disk.Create("b").Dispose();
        AssertFails(() => _disk.Open("none"), "none", "open", "No such file");
        AssertFails(() => _disk.Create("a"), "a", "open", "File exists");
        AssertFails(() => _disk.Rename("a", "b"), "b", "rename", "taken");
        AssertFails(() => PosixDisk.OpenDirectory(Path.Combine(_directory.Path, "none")), "none", "no such directory");
        Assert.Equal(["a", "b"], _disk.List());
    }

    [Fact]
    public void A_full_disk_fails_the_write_and_everything_after_it_is_refused()
    {
        using IDiskFile good = _disk.Create("good");
        File.CreateSymbolicLink(Path.Combine(_directory.Path, "full"), "/dev/full");
        using IDiskFile full = _disk.Open("full");
        AssertFails(() => full.Write(0, new byte[100]), "full", "pwrite", "No space left");
        AssertFails(() => good.Write(0, [1]), "good", "failed before", "No space left");
        AssertFails(good.Sync, "good", "failed before");
        AssertFails(_disk.SyncDirectory, "failed before");
        AssertFails(() => _disk.Create("next"), "failed before");
        Assert.Equal(0, good.Length);
    }

    [Fact]
    public void A_failed_sync_is_an_error_and_the_next_one_does_not_succeed()
    {
        using IDiskFile good = _disk.Create("good");
        File.CreateSymbolicLink(Path.Combine(_directory.Path, "odd"), "/dev/full");
        using IDiskFile odd = _disk.Open("odd");
        AssertFails(odd.Sync, "odd", "fdatasync", "Invalid argument");
        AssertFails(odd.Sync, "failed before");
        AssertFails(good.Sync, "failed before");
    }

    [Fact]
    public void Free_space_is_known_and_an_error_without_the_directory()
    {
        string path = Path.Combine(_directory.Path, "short-lived");
        Directory.CreateDirectory(path);
        PosixDisk disk = PosixDisk.OpenDirectory(path);
        Assert.InRange(disk.FreeBytes, 0, long.MaxValue);
        Directory.Delete(path);
        AssertFails(() => disk.FreeBytes, path, "free space");
    }

    [Fact]
    public void A_directory_that_cannot_be_synced_is_an_error() =>
        AssertFails(() => PosixDisk.SyncDirectory(Path.Combine(_directory.Path, "none")), "none", "No such file");

    private static void AssertFails(Action action, params string[] parts)
    {
        DiskFailedException failure = Assert.Throws<DiskFailedException>(action);
        Assert.All(parts, part => Assert.Contains(part, failure.Message, StringComparison.Ordinal));
    }

    private static void AssertFails(Func<object> action, params string[] parts) => AssertFails(() => { action(); }, parts);
}
