using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Tests.Support;
using RaftKv.Storage;

namespace RaftKv.Node.Tests.Storage;

/// <summary>A compaction needs room beside what it replaces. Without it nothing is lost: the store goes on, and compacts when there is room.</summary>
public sealed class CompactionWithoutRoomTests : IDisposable
{
    private const int TablesThatCompact = 8;
    private readonly string _directory = Directory.CreateTempSubdirectory("raftkv-compaction-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact(Explicit = true)]
    public async Task A_store_whose_compaction_finds_no_room_goes_on_and_compacts_when_there_is_room()
    {
        using SmallDisk disk = new(Path.Combine(_directory, "disk"), mebibytes: 48);
        string path = Path.Combine(_directory, "disk", "store");
        using RocksEnvironment environment = new(1024 * 1024);
        using (RocksOrderedStore store = RocksOrderedStore.Open(environment, path, new RocksStoreOptions { CreateIfMissing = true, Compression = RocksCompression.None }))
        {
            for (int table = 0; table < TablesThatCompact - 1; table++) WriteTable(store, table, mebibytes: 3);
            disk.Fill(mebibytes: 20); // Leaves some seven, of which the compaction needs twenty-two.
            WriteTable(store, TablesThatCompact - 1, mebibytes: 1);
            await Wait.UntilAsync("a compaction has failed", () => Task.FromResult(LogOf(path).Contains("Compaction error: IO error: No space left on device", StringComparison.Ordinal)), () => LogOf(path));

            await Wait.UntilAsync("what it had written is deleted", () => Task.FromResult(new DriveInfo(path).AvailableFreeSpace > 4 * 1024 * 1024), () => LogOf(path));

            store.ThrowIfFailed();
            WriteTable(store, TablesThatCompact, mebibytes: 1);
            store.ThrowIfFailed();
            AssertHolds(store, TablesThatCompact + 1);

            disk.Empty();
            await Wait.UntilAsync("the tables are compacted", () => Task.FromResult(Directory.GetFiles(path, "*.sst").Length < TablesThatCompact), () => LogOf(path));
            WriteTable(store, TablesThatCompact + 1, mebibytes: 1);
            store.ThrowIfFailed();
        }

        using RocksOrderedStore again = RocksOrderedStore.Open(environment, path);
        AssertHolds(again, TablesThatCompact + 2);
    }

    [Fact]
    public void A_flush_that_finds_no_room_is_a_failure_and_no_damage()
    {
        using SmallDisk disk = new(Path.Combine(_directory, "disk"), mebibytes: 16);
        using RocksEnvironment environment = new(1024 * 1024);
        using RocksOrderedStore store = RocksOrderedStore.Open(environment, Path.Combine(_directory, "disk", "store"), new RocksStoreOptions { CreateIfMissing = true, Compression = RocksCompression.None });
        WriteTable(store, 0, mebibytes: 1);
        disk.Fill();
        StoreFailedException failure = Assert.Throws<StoreFailedException>(() => WriteTable(store, 1, mebibytes: 4)); // The very type: damage is another one.
        Assert.Contains("No space left on device", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Rows over the whole range of keys, so that tables overlap and a compaction has to rewrite them; flushed to a table of their own.</summary>
    private static void WriteTable(RocksOrderedStore store, int table, int mebibytes)
    {
        byte[] value = new byte[16 * 1024];
        new Random(table).NextBytes(value);
        for (int row = 0; row < mebibytes * 64; row++)
        {
            WriteBatch batch = new();
            batch.Put([(byte)(row >> 8), (byte)row, (byte)table], value);
            store.Write(batch);
        }

        store.Flush();
    }

    private static void AssertHolds(RocksOrderedStore store, int tables)
    {
        for (int table = 0; table < tables; table++)
        {
            byte[] value = new byte[16 * 1024];
            new Random(table).NextBytes(value);
            Assert.Equal(value, store.GetPersisted([0, 63, (byte)table]));
        }
    }

    private static string LogOf(string store)
    {
        using FileStream log = new(Path.Combine(store, "LOG"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(log);
        return reader.ReadToEnd();
    }
}
