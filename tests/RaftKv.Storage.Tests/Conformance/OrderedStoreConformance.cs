using FsCheck;
using FsCheck.Fluent;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.OrderedStores;

/// <summary>
/// What every <see cref="IOrderedStore"/> must do. A test project that has one links this folder and derives a class that
/// says how to open a store; RocksDB and the simulator's sorted map pass the same tests.
/// </summary>
public abstract class OrderedStoreConformance
{
    private int _names;

    /// <summary>
    /// Opens the store of this name. The first time it is empty; after a flush and a dispose it holds what was flushed.
    /// Names are unique within one test only.
    /// </summary>
    protected abstract IOrderedStore Open(string name);

    [Fact]
    public void Every_run_of_operations_agrees_with_a_sorted_map() =>
        Prop.ForAll(StoreCommand.Runs(), run =>
        {
            using var conformance = new ConformanceRun(Open, $"run-{_names++}");
            foreach (StoreCommand command in run) conformance.Apply(command);
            conformance.CheckAtEnd();
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Absent_key_reads_as_null_and_empty_value_as_empty()
    {
        using IOrderedStore store = Open("store");
        Put(store, [1], []);
        Expect.Bytes([], store.Get([1]));
        Assert.Null(store.Get([2]));
        store.Flush();
        Expect.Bytes([], store.GetPersisted([1]));
        Assert.Null(store.GetPersisted([2]));
    }

    [Fact]
    public void Size_follows_what_is_written_and_flushed()
    {
        using IOrderedStore store = Open("store");
        Assert.Equal((0, 0, 0), (store.Size.FileBytes, store.Size.LiveBytes, store.Size.Rows));
        WriteBatch batch = new();
        byte[] value = new byte[1_000];
        for (byte i = 0; i < 100; i++)
        {
            new Random(i).NextBytes(value); // What an engine cannot compress.
            batch.Put([i], value);
        }

        store.Write(batch);
        Assert.True(store.Size.DataBytes >= 60_000, $"{store.Size}"); // RocksDB does not look again at a memtable that is to be flushed.
        store.Flush();
        Assert.InRange(store.Size.LiveBytes, 100_000, 150_000);
        Assert.InRange(store.Size.FileBytes, store.Size.LiveBytes, 150_000);
        Assert.Equal(100, store.Size.Rows);
    }

    [Fact]
    public void Rows_of_a_batch_apply_in_order()
    {
        using IOrderedStore store = Open("store");
        var batch = new WriteBatch();
        batch.Put([1], [1]);
        batch.Put([1], [2]);
        batch.Put([2], [1]);
        batch.Delete([2]);
        batch.Delete([3]);
        batch.Put([3], [3]);
        store.Write(batch);
        Expect.Rows([([1], [2]), ([3], [3])], StoreModel.Scan(store, [], []));
    }

    [Fact]
    public void Cleared_batch_writes_only_what_was_added_after()
    {
        using IOrderedStore store = Open("store");
        var batch = new WriteBatch();
        batch.Put([1], [1]);
        store.Write(batch);
        batch.Clear();
        store.Write(batch);
        batch.Put([2], [2]);
        batch.Delete([1]);
        store.Write(batch);
        Expect.Rows([([2], [2])], StoreModel.Scan(store, [], []));
    }

    [Fact]
    public void Keys_are_ordered_as_unsigned_bytes()
    {
        using IOrderedStore store = Open("store");
        byte[][] ordered = [[0x00], [0x00, 0x00], [0x00, 0xFF], [0x01], [0x7F], [0x7F, 0xFF], [0x80], [0xFF], [0xFF, 0x00], [0xFF, 0xFF]];
        foreach (byte[] key in ordered.Reverse()) Put(store, key, key);
        Assert.Equal(ordered, StoreModel.Scan(store, [], []).Select(row => row.Key));
    }

    [Fact]
    public void Cursor_stops_before_its_end_and_seeks_both_ways()
    {
        using IOrderedStore store = Open("store");
        foreach (byte key in (byte[])[1, 3, 5, 7]) Put(store, [key], [key]);
        using IOrderedCursor cursor = store.OpenCursor([7]);
        cursor.Seek([4]);
        Assert.True(cursor.IsValid);
        Expect.Bytes([5], cursor.Key);
        cursor.Next();
        Assert.False(cursor.IsValid);
        cursor.Seek([7]);
        Assert.False(cursor.IsValid);
        cursor.Seek([1]);
        Assert.True(cursor.IsValid);
        Expect.Bytes([1], cursor.Key);
        Expect.Bytes([1], cursor.Value);
    }

    [Fact]
    public void Cursor_is_positioned_nowhere_before_it_seeks()
    {
        using IOrderedStore store = Open("store");
        Put(store, [1], [1]);
        using IOrderedCursor cursor = store.OpenCursor();
        Assert.False(cursor.IsValid);
    }

    [Fact]
    public void Cursor_keeps_a_copy_of_its_end()
    {
        using IOrderedStore store = Open("store");
        foreach (byte key in (byte[])[1, 3, 5, 7]) Put(store, [key], [key]);
        byte[] end = [5];
        using IOrderedCursor cursor = store.OpenCursor(end);
        end[0] = 9;
        Assert.Equal(2, StoreModel.Scan(cursor, []).Count);
    }

    [Fact]
    public void Cursor_sees_the_store_as_of_its_opening()
    {
        using IOrderedStore store = Open("store");
        Put(store, [1], [1]);
        Put(store, [2], [2]);
        using IOrderedCursor cursor = store.OpenCursor();
        Put(store, [1], [9]);
        var batch = new WriteBatch();
        batch.Delete([2]);
        batch.Put([3], [3]);
        store.Write(batch);
        store.Flush();
        Expect.Rows([([1], [1]), ([2], [2])], StoreModel.Scan(cursor, []));
        Expect.Rows([([1], [9]), ([3], [3])], StoreModel.Scan(store, [], []));
    }

    [Fact]
    public void After_a_flush_persisted_reads_equal_newest_reads()
    {
        using IOrderedStore store = Open("store");
        Put(store, [1], [1]);
        Put(store, [2], [2]);
        store.Flush();
        var batch = new WriteBatch();
        batch.Delete([1]);
        batch.Put([2], [3]);
        store.Write(batch);
        store.Flush();
        Assert.Null(store.GetPersisted([1]));
        Expect.Bytes([3], store.GetPersisted([2]));
        store.ThrowIfFailed();
    }

    [Fact]
    public void Flushed_rows_survive_reopening()
    {
        using (IOrderedStore store = Open("store"))
        {
            Put(store, [0xFF, 0x00], [7]);
            store.Flush();
        }
        using IOrderedStore reopened = Open("store");
        Expect.Bytes([7], reopened.Get([0xFF, 0x00]));
        Expect.Bytes([7], reopened.GetPersisted([0xFF, 0x00]));
    }

    [Fact]
    public void Large_rows_come_back_whole()
    {
        using IOrderedStore store = Open("store");
        byte[] key = new byte[4000];
        byte[] value = new byte[3 * 1024 * 1024];
        new Random(1).NextBytes(key);
        new Random(2).NextBytes(value);
        Put(store, key, value);
        Put(store, [1], [1]);
        Expect.Bytes(value, store.Get(key));
        store.Flush();
        Expect.Bytes(value, store.GetPersisted(key));
        Expect.Bytes([1], store.Get([1]));
    }

    [Fact]
    public async Task Readers_beside_the_writer_see_whole_batches()
    {
        using IOrderedStore store = Open("store");
        Task<int> reader = Task.Run(() => CountTornReads(store, until: 2000));
        var batch = new WriteBatch();
        for (int i = 1; i <= 2000; i++)
        {
            batch.Clear();
            batch.Put("a"u8, BitConverter.GetBytes(i));
            batch.Put("b"u8, BitConverter.GetBytes(i));
            store.Write(batch);
            if (i % 500 == 0) store.Flush();
        }
        Assert.Equal(0, await reader);
    }

    /// <summary>Reads both rows from one view again and again until they carry the number <paramref name="until"/>.</summary>
    private static int CountTornReads(IOrderedStore store, int until)
    {
        int torn = 0;
        int newest = 0;
        while (newest < until)
        {
            List<(byte[] Key, byte[] Value)> rows = StoreModel.Scan(store, [], []);
            int[] numbers = [.. rows.Select(row => BitConverter.ToInt32(row.Value))];
            if (numbers.Distinct().Count() > 1 || numbers.Length == 1 || numbers.Any(number => number < newest)) torn++;
            newest = numbers.DefaultIfEmpty(0).Max();
        }
        return torn;
    }

    private static void Put(IOrderedStore store, byte[] key, byte[] value)
    {
        var batch = new WriteBatch();
        batch.Put(key, value);
        store.Write(batch);
    }
}
