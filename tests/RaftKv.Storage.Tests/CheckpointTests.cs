using System.Globalization;
using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;

namespace RaftKv.Storage.Tests;

/// <summary>
/// Design §7, "snapshot = checkpoint (hard links), streamed file by file": a checkpoint holds what is flushed, no less, for the log is cut there,
/// and no more, for what it is offered as says so. bugs.md S3, S10, S12.
/// </summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryStores _stores = new();

    public void Dispose() => _stores.Dispose();

    // No write-ahead log, and a log size for flushing that is never reached: RocksDB flushes nothing of its own accord.
    [Fact]
    public void A_checkpoint_holds_what_is_flushed_and_flushes_nothing()
    {
        using RocksOrderedStore store = _stores.Open();
        store.Put("a"u8, "flushed"u8);
        store.Put("b"u8, "flushed"u8);
        store.Flush();
        string[] tables = TablesOf(store);
        store.Put("a"u8, "in memory"u8);
        store.Put("c"u8, "in memory"u8);
        using (ICheckpoint checkpoint = store.CreateCheckpoint())
        {
            Expect.Bytes("flushed"u8.ToArray(), store.GetPersisted("a"u8));
            Assert.Null(store.GetPersisted("c"u8));
            Assert.Equal(tables, TablesOf(store));
            Expect.Rows([("a"u8.ToArray(), "flushed"u8.ToArray()), ("b"u8.ToArray(), "flushed"u8.ToArray())], RowsOf(checkpoint));
        }

        Expect.Bytes("in memory"u8.ToArray(), store.Get("a"u8));
        store.Flush();
        Expect.Bytes("in memory"u8.ToArray(), store.GetPersisted("c"u8));
    }

    [Fact]
    public void A_checkpoint_of_a_store_that_never_flushed_is_an_empty_store()
    {
        using RocksOrderedStore store = _stores.Open();
        store.Put("a"u8, "in memory"u8);
        using ICheckpoint checkpoint = store.CreateCheckpoint();
        Assert.NotEmpty(checkpoint.Files);
        Assert.Empty(RowsOf(checkpoint));
        Expect.Bytes("in memory"u8.ToArray(), store.Get("a"u8));
    }

    // A8, S7: the state of an index, whole, however much is written, flushed and merged beside it.
    [Fact]
    public async Task Checkpoints_beside_writes_and_flushes_each_hold_a_prefix_of_whole_batches()
    {
        const int Seed = 11;
        using RocksOrderedStore store = _stores.Open(options: CrashWriter.Options);
        using CancellationTokenSource stop = new();
        using SemaphoreSlim hasFlushed = new(0);
        int written = 0;
        StoreModel model = new();
        int modelled = 0;
        Task writer = Task.Run(() =>
        {
            WriteBatch batch = new();
            while (!stop.IsCancellationRequested)
            {
                CrashWriter.Fill(batch, Seed, ++written);
                store.Write(batch);
                if (written % 97 == 0) store.BeginFlush();
                if (written % 1009 == 0) store.Flush();
                if (written % 1009 == 0) hasFlushed.Release();
            }
        });
        try
        {
            for (int round = 0; round < 10; round++)
            {
                await hasFlushed.WaitAsync();
                int before = PersistedNumber(store);
                using ICheckpoint checkpoint = store.CreateCheckpoint();
                int after = PersistedNumber(store);
                using RocksOrderedStore copy = Copied(checkpoint);
                int number = CrashWriter.NumberIn(copy.Get(CrashWriter.NumberKey));
                Assert.InRange(number, before, after);
                Assert.InRange(before, 1, int.MaxValue);
                for (WriteBatch batch = new(); modelled < number;)
                {
                    CrashWriter.Fill(batch, Seed, ++modelled);
                    model.Write(batch);
                    model.Flush();
                }

                Expect.Rows(model.Scan([], []), StoreModel.Scan(copy, [], []));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await writer;
        }
    }

    [Fact]
    public void A_checkpoint_does_not_change_with_its_store()
    {
        using RocksOrderedStore store = _stores.Open(options: CrashWriter.Options);
        WriteBatches(store, 1, 500);
        store.Flush();
        using ICheckpoint checkpoint = store.CreateCheckpoint();
        for (int round = 1; round <= 6; round++)
        {
            WriteBatches(store, round * 500 + 1, (round + 1) * 500);
            store.Flush(); // Enough files to be merged: the old ones go from the store.
        }

        Expect.Rows(RowsAfter(7, 500), RowsOf(checkpoint));
    }

    [Fact]
    public void A_checkpoint_outlives_its_store()
    {
        ICheckpoint checkpoint;
        using (RocksOrderedStore store = _stores.Open())
        {
            store.Put("a"u8, "1"u8);
            store.Flush();
            checkpoint = store.CreateCheckpoint();
        }

        Directory.Delete(_stores.PathOf("store"), recursive: true);
        Expect.Rows([("a"u8.ToArray(), "1"u8.ToArray())], RowsOf(checkpoint));
        checkpoint.Dispose();
        Assert.Empty(Directory.GetDirectories(_stores.PathOf("."), "store*"));
    }

    [Fact]
    public void A_closed_store_makes_no_checkpoint()
    {
        RocksOrderedStore store = _stores.Open();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store.CreateCheckpoint());
    }

    [Fact]
    public void Several_checkpoints_of_a_store_live_side_by_side_and_each_goes_by_itself()
    {
        using RocksOrderedStore store = _stores.Open();
        store.Put("a"u8, "1"u8);
        store.Flush();
        ICheckpoint first = store.CreateCheckpoint();
        store.Put("a"u8, "2"u8);
        store.Flush();
        using ICheckpoint second = store.CreateCheckpoint();
        Expect.Rows([("a"u8.ToArray(), "1"u8.ToArray())], RowsOf(first));
        first.Dispose();
        first.Dispose();
        Expect.Rows([("a"u8.ToArray(), "2"u8.ToArray())], RowsOf(second));
        Assert.Single(Directory.GetDirectories(_stores.PathOf("."), "store.checkpoint-*"));
    }

    // What an offer says of the files is what a receiver checks: names that pass, lengths that are right, reads that end where they say.
    [Fact]
    public void Its_files_have_plain_names_and_the_lengths_they_say()
    {
        using RocksOrderedStore store = _stores.Open(options: CrashWriter.Options);
        WriteBatches(store, 1, 2_000);
        store.Flush();
        using ICheckpoint checkpoint = store.CreateCheckpoint();
        Assert.Contains(checkpoint.Files, file => file.Name == "CURRENT");
        Assert.Contains(checkpoint.Files, file => file.Name.EndsWith(".sst", StringComparison.Ordinal));
        Assert.Equal(checkpoint.Files.Count, checkpoint.Files.DistinctBy(file => file.Name).Count());
        foreach (CheckpointFile file in checkpoint.Files)
        {
            Assert.Matches("^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$", file.Name);
            byte[] whole = new byte[file.Length + 10];
            Assert.Equal(file.Length, checkpoint.Read(file, 0, whole));
            Assert.Equal(0, checkpoint.Read(file, file.Length, whole));
            for (long offset = 0; offset < file.Length; offset += Math.Max(1, file.Length / 3))
            {
                byte[] piece = new byte[100];
                int read = checkpoint.Read(file, offset, piece);
                Assert.Equal(Math.Min(100, file.Length - offset), read);
                Assert.Equal(whole.AsSpan((int)offset, read), piece.AsSpan(0, read));
            }
        }
    }

    // A crash leaves them behind; they are no stores, and the next start knows them by their name.
    [Fact]
    public void Leftovers_are_deleted_and_nothing_else()
    {
        using (RocksOrderedStore store = _stores.Open("7"))
        {
            store.Put("a"u8, "1"u8);
            store.Flush();
            store.CreateCheckpoint();
            store.CreateCheckpoint();
        }

        using RocksOrderedStore other = _stores.Open("8");
        Assert.Equal(2, Directory.GetDirectories(_stores.PathOf("."), "7.checkpoint-*").Length);
        Assert.DoesNotContain(Directory.GetDirectories(_stores.PathOf(".")), path => path.Contains("checkpoint", StringComparison.Ordinal) && ulong.TryParse(Path.GetFileName(path), CultureInfo.InvariantCulture, out _));
        RocksCheckpoint.DeleteLeftovers(_stores.PathOf("."));
        Assert.Equal(["7", "8"], Directory.GetDirectories(_stores.PathOf(".")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        using RocksOrderedStore again = _stores.Open("7");
        Expect.Bytes("1"u8.ToArray(), again.Get("a"u8));
        RocksCheckpoint.DeleteLeftovers(_stores.PathOf(".")); // None is fine.
    }

    [Fact]
    public void A_checkpoint_where_none_can_be_made_is_a_store_failure_and_leaves_the_store_as_it_is()
    {
        using RocksOrderedStore store = _stores.Open("inner/store");
        store.Put("a"u8, "1"u8);
        store.Flush();
        string moved = _stores.PathOf("moved");
        Directory.Move(_stores.PathOf("inner"), moved); // The files stay open, but the directory for the checkpoint is gone.
        StoreFailedException failure = Assert.ThrowsAny<StoreFailedException>(() => store.CreateCheckpoint());
        Assert.Contains("checkpoint", failure.Message, StringComparison.Ordinal);
        Expect.Bytes("1"u8.ToArray(), store.Get("a"u8));
        Directory.Move(moved, _stores.PathOf("inner"));
    }

    [Fact]
    public void What_was_written_before_a_flush_began_becomes_durable_in_time()
    {
        using RocksOrderedStore store = _stores.Open();
        for (byte round = 1; round <= 5; round++)
        {
            store.Put("a"u8, [round]);
            store.BeginFlush();
            Assert.True(SpinWait.SpinUntil(() => store.GetPersisted("a"u8)?[0] == round, TimeSpan.FromSeconds(60)), "it never became durable");
            store.ThrowIfFailed();
        }
    }

    [Fact]
    public void Beginning_a_flush_of_nothing_or_twice_does_no_harm()
    {
        using RocksOrderedStore store = _stores.Open();
        store.BeginFlush();
        store.Put("a"u8, "1"u8);
        store.BeginFlush();
        store.BeginFlush();
        store.Flush();
        Expect.Bytes("1"u8.ToArray(), store.GetPersisted("a"u8));
        store.BeginFlush();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(store.BeginFlush);
    }

    private static string[] TablesOf(RocksOrderedStore store) =>
        [.. Directory.GetFiles(store.DirectoryPath, "*.sst").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static int PersistedNumber(RocksOrderedStore store) => CrashWriter.NumberIn(store.GetPersisted(CrashWriter.NumberKey));

    private static void WriteBatches(RocksOrderedStore store, int first, int last)
    {
        WriteBatch batch = new();
        for (int number = first; number <= last; number++)
        {
            CrashWriter.Fill(batch, 7, number);
            store.Write(batch);
        }
    }

    private static List<(byte[] Key, byte[] Value)> RowsAfter(int seed, int number)
    {
        StoreModel model = new();
        WriteBatch batch = new();
        for (int i = 1; i <= number; i++)
        {
            CrashWriter.Fill(batch, seed, i);
            model.Write(batch);
            model.Flush();
        }

        return model.Scan([], []);
    }

    private List<(byte[] Key, byte[] Value)> RowsOf(ICheckpoint checkpoint)
    {
        using RocksOrderedStore copy = Copied(checkpoint);
        return StoreModel.Scan(copy, [], []);
    }

    /// <summary>As a receiver does it: file by file, piece by piece, into a directory of its own that is then opened as a store.</summary>
    private RocksOrderedStore Copied(ICheckpoint checkpoint)
    {
        string directory = _stores.PathOf($"copy-{Guid.NewGuid():N}");
        Directory.CreateDirectory(directory);
        byte[] piece = new byte[4096];
        foreach (CheckpointFile file in checkpoint.Files)
        {
            using FileStream target = new(Path.Combine(directory, file.Name), FileMode.CreateNew);
            for (long offset = 0; offset < file.Length; offset += piece.Length)
            {
                int length = (int)Math.Min(piece.Length, file.Length - offset);
                Assert.Equal(length, checkpoint.Read(file, offset, piece.AsSpan(0, length)));
                target.Write(piece, 0, length);
            }
        }

        return RocksOrderedStore.Open(_stores.Environment, directory);
    }
}
