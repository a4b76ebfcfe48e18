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
        var read = Assert.ThrowsAny<StoreFailedException>(() => store.Get(_rows[0].Key));
        var persisted = Assert.ThrowsAny<StoreFailedException>(() => store.GetPersisted(_rows[0].Key));
        var scan = Assert.ThrowsAny<StoreFailedException>(() => StoreModel.Scan(store, [], []));
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
        var failure = Assert.ThrowsAny<StoreFailedException>(() => Open());
        Assert.Contains(_stores.PathOf("store"), failure.Message);
    }

    [Fact]
    public void Missing_table_file_is_reported_when_the_store_is_opened()
    {
        File.Delete(_tableFile);
        var failure = Assert.ThrowsAny<StoreFailedException>(() => Open());
        Assert.Contains(_stores.PathOf("store"), failure.Message);
    }

    [Fact]
    public void Failed_flush_is_reported_by_the_flush_and_ever_after()
    {
        using RocksOrderedStore store = Open();
        store.ThrowIfFailed();
        store.Put([9], [9]);
        Directory.Delete(store.DirectoryPath, recursive: true);
        var flush = Assert.ThrowsAny<StoreFailedException>(store.Flush);
        var later = Assert.ThrowsAny<StoreFailedException>(store.ThrowIfFailed);
        Assert.All([flush, later], failure => Assert.Contains(_stores.PathOf("store"), failure.Message));
        Assert.ThrowsAny<StoreFailedException>(store.Flush);
    }

    [Fact]
    public void Failed_background_flush_is_reported_without_asking_for_a_flush()
    {
        using RocksOrderedStore store = _stores.Open("tiny", new RocksStoreOptions { CreateIfMissing = true, WriteBufferBytes = 64 * 1024 });
        Directory.Delete(store.DirectoryPath, recursive: true);
        byte[] value = new byte[1000];
        var failure = Assert.ThrowsAny<StoreFailedException>(() =>
        {
            for (int i = 0; i < 100_000; i++)
            {
                store.Put(BitConverter.GetBytes(i), value);
                store.ThrowIfFailed();
            }
        });
        Assert.Contains(_stores.PathOf("tiny"), failure.Message);
    }

    /// <summary>
    /// A known limit: RocksDB takes a manifest record that claims to reach past the end of the file for a torn one, goes
    /// back to the flush before it and deletes the newer files. Nothing here can tell; the replica must compare the
    /// applied index it finds with where its Raft log begins.
    /// </summary>
    [Fact]
    public void Rot_in_the_length_of_a_manifest_record_rolls_the_store_back_unnoticed()
    {
        string manifest = Assert.Single(Directory.GetFiles(_stores.PathOf("store"), "MANIFEST-*"));
        FlipByte(manifest, FlushRecordOf(File.ReadAllBytes(manifest)) + 5);
        using RocksOrderedStore store = Open();
        Assert.Empty(StoreModel.Scan(store, [], []));
        Assert.Empty(Directory.GetFiles(store.DirectoryPath, "*.sst"));
    }

    /// <summary>
    /// Offset of the record that adds the table file, which is the longest, in a manifest shorter than one 32 KiB block.
    /// A record is CRC (4), length (u16 LE), type (1), data.
    /// </summary>
    private static int FlushRecordOf(byte[] manifest)
    {
        int longest = 0;
        for (int offset = 0; offset < manifest.Length; offset += 7 + LengthAt(offset))
        {
            if (LengthAt(offset) > LengthAt(longest)) longest = offset;
        }
        return longest;

        int LengthAt(int offset) => BitConverter.ToUInt16(manifest, offset + 4);
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

    private void FlipByte(long offset) => FlipByte(_tableFile, offset);

    private static void FlipByte(string path, long offset)
    {
        using FileStream file = File.Open(path, FileMode.Open);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 0x20));
    }
}
