using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;

namespace RaftKv.Storage.Tests;

/// <summary>Rot and vanished files are reported with the store's path; a read is right or throws, it is never wrong.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TemporaryStores _stores = new();
    private readonly List<RocksEnvironment> _environments = [];
    private readonly List<(byte[] Key, byte[] Value)> _rows;
    private readonly string _tableFile;

    public DamageTests()
    {
        using RocksOrderedStore store = _stores.Open();
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            byte[] value = new byte[100];
            random.NextBytes(value);
            store.Put([(byte)(i / 256), (byte)i], value);
        }
        store.Flush();
        _rows = StoreModel.Scan(store, [], []);
        _tableFile = Assert.Single(Directory.GetFiles(store.DirectoryPath, "*.sst"));
    }

    public void Dispose()
    {
        foreach (RocksEnvironment environment in _environments) environment.Dispose();
        _stores.Dispose();
    }

    [Fact]
    public void Flipped_byte_in_a_data_block_is_reported_by_reads_and_scans()
    {
        FlipByte(offset: 1000);
        using RocksOrderedStore store = Open();
        var read = Assert.Throws<StoreFailedException>(() => store.Get(_rows[0].Key));
        var persisted = Assert.Throws<StoreFailedException>(() => store.GetPersisted(_rows[0].Key));
        var scan = Assert.Throws<StoreFailedException>(() => StoreModel.Scan(store, [], []));
        Assert.All([read, persisted, scan], failure => Assert.Contains(_stores.PathOf("store"), failure.Message));
        Assert.All([read, persisted, scan], failure => Assert.Contains("checksum mismatch", failure.Message));
    }

    /// <summary>Every 97th byte of the data, index, filter and properties blocks in turn.</summary>
    [Fact]
    public void Flipped_byte_anywhere_in_the_blocks_never_gives_a_wrong_answer()
    {
        const int footerBytes = 53; // without a checksum of its own before format 6
        int refused = 0;
        for (long offset = 0; offset < new FileInfo(_tableFile).Length - footerBytes; offset += 97)
        {
            FlipByte(offset);
            if (!IsReadRightOrRefused()) refused++;
            FlipByte(offset);
        }
        Assert.InRange(refused, 100, int.MaxValue);
        Assert.True(IsReadRightOrRefused());
    }

    [Fact]
    public void Truncated_table_file_is_reported_when_the_store_is_opened()
    {
        using (FileStream file = File.OpenWrite(_tableFile)) file.SetLength(file.Length / 2);
        var failure = Assert.Throws<StoreFailedException>(() => Open());
        Assert.Contains(_stores.PathOf("store"), failure.Message);
    }

    [Fact]
    public void Missing_table_file_is_reported_when_the_store_is_opened()
    {
        File.Delete(_tableFile);
        var failure = Assert.Throws<StoreFailedException>(() => Open());
        Assert.Contains(_stores.PathOf("store"), failure.Message);
    }

    [Fact]
    public void Failed_flush_is_reported_by_the_flush_and_ever_after()
    {
        using RocksOrderedStore store = Open();
        store.ThrowIfFailed();
        store.Put([9], [9]);
        Directory.Delete(store.DirectoryPath, recursive: true);
        var flush = Assert.Throws<StoreFailedException>(store.Flush);
        var later = Assert.Throws<StoreFailedException>(store.ThrowIfFailed);
        Assert.All([flush, later], failure => Assert.Contains(_stores.PathOf("store"), failure.Message));
        Assert.Throws<StoreFailedException>(store.Flush);
    }

    /// <summary>Opens the store with an empty block cache: a cached block hides what happened to the file.</summary>
    private RocksOrderedStore Open()
    {
        var environment = new RocksEnvironment(1024 * 1024);
        _environments.Add(environment);
        return RocksOrderedStore.Open(environment, _stores.PathOf("store"));
    }

    /// <summary>True when all rows read back right, false when the store refused.</summary>
    private bool IsReadRightOrRefused()
    {
        try
        {
            using RocksOrderedStore store = Open();
            Expect.Rows(_rows, StoreModel.Scan(store, [], []));
            foreach ((byte[] key, byte[] value) in _rows) Expect.Bytes(value, store.Get(key));
            return true;
        }
        catch (StoreFailedException failure)
        {
            Assert.Contains(_stores.PathOf("store"), failure.Message);
            return false;
        }
    }

    private void FlipByte(long offset)
    {
        using FileStream file = File.Open(_tableFile, FileMode.Open);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 0x20));
    }
}
