using RaftKv.MultiRaft.Ports;

namespace RaftKv.Storage.Tests;

/// <summary>
/// The child of the crash test. It writes numbered batches, each a pure function of (seed, number), flushes now and then,
/// and reports on standard output what it may rely on: "persisted n" is a lower bound of what a crash leaves.
/// </summary>
internal static class CrashWriter
{
    private const int KeyCount = 200;

    public static RocksStoreOptions Options { get; } = new() { CreateIfMissing = true, WriteBufferBytes = 256 * 1024, ArenaBlockBytes = 4096 };

    /// <summary>The row that every batch overwrites with its number.</summary>
    public static ReadOnlySpan<byte> NumberKey => "number"u8;

    public static int Run(string directory, int seed)
    {
        using var environment = new RocksEnvironment(1024 * 1024);
        using var store = RocksOrderedStore.Open(environment, directory, Options);
        var batch = new WriteBatch();
        for (int number = 1; ; number++)
        {
            Fill(batch, seed, number);
            store.Write(batch);
            if (new Random(HashCode(seed, number)).Next(400) == 0) store.Flush();
            if (number % 50 == 0) ReportPersisted(store);
        }
    }

    /// <summary>Makes <paramref name="batch"/> the batch of this number: some puts and deletes all over the keys, and the number.</summary>
    public static void Fill(WriteBatch batch, int seed, int number)
    {
        var random = new Random(HashCode(seed, -number));
        batch.Clear();
        for (int row = random.Next(1, 10); row > 0; row--)
        {
            byte[] key = BitConverter.GetBytes(random.Next(KeyCount));
            if (random.Next(4) == 0)
            {
                batch.Delete(key);
                continue;
            }
            byte[] value = new byte[random.Next(200)];
            random.NextBytes(value);
            batch.Put(key, value);
        }
        batch.Put(NumberKey, BitConverter.GetBytes(number));
    }

    public static int NumberIn(byte[]? value) => value is null ? 0 : BitConverter.ToInt32(value);

    private static void ReportPersisted(RocksOrderedStore store)
    {
        Console.WriteLine($"persisted {NumberIn(store.GetPersisted(NumberKey))}");
        Console.Out.Flush();
    }

    /// <summary>The same in parent and child, unlike System.HashCode.</summary>
    private static int HashCode(int seed, int number) => unchecked((seed * 486_187_739) ^ (number * 16_777_619));
}
