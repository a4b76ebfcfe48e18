using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;
using RaftKv.Raft;

namespace RaftKv.Storage.Tests;

/// <summary>What is particular to RocksDB: opening, closing, persisted reads, and its errors.</summary>
public sealed class RocksOrderedStoreTests : IDisposable
{
    private readonly TemporaryStores _stores = new();

    public void Dispose() => _stores.Dispose();

    [Fact]
    public void Missing_store_is_an_error_unless_it_may_be_created()
    {
        var failure = Assert.ThrowsAny<StoreFailedException>(() => _stores.Open(options: RocksStoreOptions.Default));
        Assert.Contains(_stores.PathOf("store"), failure.Message);
        Assert.False(Directory.Exists(_stores.PathOf("store")));
        _stores.Open().Dispose();
        _stores.Open(options: RocksStoreOptions.Default).Dispose();
    }

    [Fact]
    public void Directory_that_cannot_be_created_is_a_store_failure()
    {
        File.WriteAllText(_stores.PathOf("file"), "");
        var failure = Assert.ThrowsAny<StoreFailedException>(() => _stores.Open("file/store"));
        Assert.Contains(_stores.PathOf("file/store"), failure.Message);
    }

    [Fact]
    public void Second_opening_in_this_process_is_refused()
    {
        using RocksOrderedStore store = _stores.Open();
        var failure = Assert.ThrowsAny<StoreFailedException>(() => _stores.Open());
        Assert.Contains(_stores.PathOf("store"), failure.Message);
        Assert.Contains("already open", failure.Message);
        store.Put([1], [1]);
    }

    [Fact]
    public void The_size_of_all_stores_is_that_of_those_that_are_open()
    {
        using RocksOrderedStore one = _stores.Open("one");
        RocksOrderedStore two = _stores.Open("two");
        foreach (RocksOrderedStore store in (RocksOrderedStore[])[one, two])
        {
            store.Put([1], new byte[1000]);
            store.Flush();
        }

        Assert.Equal(one.Size + two.Size, _stores.Environment.TotalSize());
        two.Dispose();
        Assert.Equal(one.Size, _stores.Environment.TotalSize());
        Assert.Throws<ObjectDisposedException>(() => two.Size);
    }

    [Fact]
    public async Task Second_opening_in_another_process_is_refused()
    {
        using RocksOrderedStore store = _stores.Open();
        (int exitCode, string output) = await ChildProcess.Run([ChildProcess.OpenStore, _stores.PathOf("store")]);
        Assert.Equal(1, exitCode);
        Assert.StartsWith($"StoreFailedException: store {_stores.PathOf("store")}: open failed: it is already open", output);
    }

    [Fact]
    public void Persisted_read_skips_what_is_only_in_memory()
    {
        using RocksOrderedStore store = _stores.Open();
        store.Put([1], [1]);
        Assert.Null(store.GetPersisted([1]));
        store.Flush();
        Expect.Bytes([1], store.GetPersisted([1]));
        store.Put([1], [2]);
        var batch = new WriteBatch();
        batch.Delete([1]);
        Expect.Bytes([1], store.GetPersisted([1]));
        store.Write(batch);
        Assert.Null(store.Get([1]));
        Expect.Bytes([1], store.GetPersisted([1]));
    }

    [Fact]
    public void Persisted_read_skips_memory_after_reopening_too()
    {
        using (RocksOrderedStore store = _stores.Open())
        {
            store.Put([1], [1]);
            store.Flush();
        }
        using RocksOrderedStore reopened = _stores.Open();
        Expect.Bytes([1], reopened.GetPersisted([1]));
        reopened.Put([1], [2]);
        Expect.Bytes([1], reopened.GetPersisted([1]));
    }

    /// <summary>The log is truncated by this answer, so even the first write of an opened store must not shine through.</summary>
    [Fact]
    public async Task Persisted_read_beside_the_first_write_does_not_see_it()
    {
        for (int round = 0; round < 50; round++)
        {
            using RocksOrderedStore store = _stores.Open($"store-{round}");
            using var start = new Barrier(2);
            Task<int> reader = Task.Run(() =>
            {
                start.SignalAndWait();
                return Enumerable.Range(0, 2000).Count(_ => store.GetPersisted([1]) is not null);
            });
            start.SignalAndWait();
            for (int i = 0; i < 20; i++) store.Put([1], [1]);
            Assert.Equal(0, await reader);
        }
    }

    [Fact]
    public void Unsupported_compression_falls_back_to_none()
    {
        const RocksCompression xpress = (RocksCompression)6; // Windows only
        using RocksOrderedStore store = _stores.Open(options: new RocksStoreOptions { CreateIfMissing = true, Compression = xpress });
        store.Put([1], new byte[10_000]);
        store.Flush();
        Expect.Bytes(new byte[10_000], store.GetPersisted([1]));
    }

    [Fact]
    public void What_is_compacted_is_compressed_by_lz4_where_the_library_has_it()
    {
        using RocksOrderedStore store = _stores.Open();
        for (byte flush = 0; flush < 8; flush++)
        {
            store.Put([1, flush], new byte[100_000]);
            store.Put([2, flush], [1]); // Overlaps the others, so that it is not just moved.
            store.Flush();
        }

        bool isCompressed = SpinWait.SpinUntil(() => store.Size.FileBytes < 100_000, TimeSpan.FromSeconds(30));
        Assert.True(isCompressed, $"{store.Size}");
    }

    [Fact]
    public void Empty_key_is_a_key()
    {
        using RocksOrderedStore store = _stores.Open();
        store.Put([], [1]);
        store.Put([0], [2]);
        Expect.Bytes([1], store.Get([]));
        Expect.Rows([([], [1]), ([0], [2])], StoreModel.Scan(store, [], []));
        store.Flush();
        Expect.Bytes([1], store.GetPersisted([]));
    }

    [Fact]
    public void Batch_larger_than_the_retained_buffer_is_followed_by_others()
    {
        using RocksOrderedStore store = _stores.Open();
        for (byte i = 0; i < 3; i++)
        {
            store.Put([i], new byte[1_000_000]);
            store.Put([(byte)(i + 10)], [i]);
        }
        Assert.Equal(6, StoreModel.Scan(store, [], []).Count);
    }

    [Fact]
    public void Cursor_open_at_dispose_stays_usable_and_holds_the_directory()
    {
        RocksOrderedStore store = _stores.Open();
        store.Put([1], [1]);
        using (IOrderedCursor cursor = store.OpenCursor([9]))
        {
            store.Dispose();
            Expect.Rows([([1], [1])], StoreModel.Scan(cursor, []));
            Assert.Throws<ObjectDisposedException>(() => store.Get([1]));
            Assert.Throws<ObjectDisposedException>(() => store.OpenCursor());
            Assert.ThrowsAny<StoreFailedException>(() => _stores.Open());
        }
        using RocksOrderedStore reopened = _stores.Open();
        reopened.Put([1], [2]);
    }

    [Fact]
    public void Environment_may_be_disposed_before_its_stores()
    {
        var environment = new RocksEnvironment(1024 * 1024);
        using var store = RocksOrderedStore.Open(environment, _stores.PathOf("store"), new RocksStoreOptions { CreateIfMissing = true });
        environment.Dispose();
        store.Put([1], [1]);
        store.Flush();
        Expect.Bytes([1], store.Get([1]));
        Assert.Throws<ObjectDisposedException>(() => RocksOrderedStore.Open(environment, _stores.PathOf("other"), new RocksStoreOptions { CreateIfMissing = true }));
    }

    [Fact]
    public void Use_after_dispose_is_refused()
    {
        RocksOrderedStore store = _stores.Open();
        store.Put([1], [1]);
        IOrderedCursor cursor = store.OpenCursor();
        cursor.Seek([]);
        cursor.Dispose();
        cursor.Dispose();
        store.Dispose();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cursor.IsValid);
        Assert.Throws<ObjectDisposedException>(() => cursor.Seek([]));
        Assert.Throws<ObjectDisposedException>(cursor.Next);
        Assert.Throws<ObjectDisposedException>(() => cursor.Key.Length);
        Assert.Throws<ObjectDisposedException>(() => store.Get([1]));
        Assert.Throws<ObjectDisposedException>(() => store.GetPersisted([1]));
        Assert.Throws<ObjectDisposedException>(() => store.OpenCursor());
        Assert.Throws<ObjectDisposedException>(() => store.Put([1], [1]));
        Assert.Throws<ObjectDisposedException>(store.Flush);
        Assert.Throws<ObjectDisposedException>(store.ThrowIfFailed);
    }

    [Fact]
    public void Cursor_on_no_row_refuses_instead_of_aborting_the_process()
    {
        using RocksOrderedStore store = _stores.Open();
        using IOrderedCursor cursor = store.OpenCursor();
        Assert.Throws<InvariantViolatedException>(() => cursor.Key.Length);
        cursor.Seek([]);
        Assert.False(cursor.IsValid);
        Assert.Throws<InvariantViolatedException>(() => cursor.Value.Length);
        Assert.Throws<InvariantViolatedException>(cursor.Next);
    }

    /// <summary>Readers that are in the middle of a read when the store is disposed finish or are refused, never crash.</summary>
    [Fact]
    public async Task Readers_survive_a_dispose_beside_them()
    {
        for (int round = 0; round < 20; round++)
        {
            RocksOrderedStore store = _stores.Open();
            store.Put([1], new byte[5000]);
            store.Flush();
            Task[] readers = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => ReadUntilRefused(store)))];
            store.Put([2], [2]);
            store.Dispose();
            await Task.WhenAll(readers);
        }
    }

    [Fact]
    public void Reads_allocate_only_their_result_and_writes_nothing()
    {
        using RocksOrderedStore store = _stores.Open();
        var batch = new WriteBatch();
        for (byte i = 0; i < 100; i++) batch.Put([i], new byte[100]);
        byte[] key = [1];
        WriteAndRead(store, batch, key, rounds: 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        WriteAndRead(store, batch, key, rounds: 100);
        const int resultBytes = 16 + 8 + 100 + 4; // header, length, the value, padding
        Assert.Equal(100 * resultBytes, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void WriteAndRead(RocksOrderedStore store, WriteBatch batch, byte[] key, int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            store.Write(batch);
            store.Get(key);
        }
    }

    private static void ReadUntilRefused(RocksOrderedStore store)
    {
        try
        {
            while (true)
            {
                Assert.Equal(5000, store.Get([1])!.Length);
                Assert.InRange(StoreModel.Scan(store, [], []).Count, 1, 2);
            }
        }
        catch (ObjectDisposedException)
        {
            // what this test waits for
        }
    }
}
