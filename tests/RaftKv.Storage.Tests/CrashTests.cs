using System.Diagnostics;
using RaftKv.MultiRaft.Ports;
using RaftKv.OrderedStores;

namespace RaftKv.Storage.Tests;

/// <summary>A store without a write-ahead log after SIGKILL: a whole prefix of batches, never a hole or half a batch (design §7).</summary>
public sealed class CrashTests : IDisposable
{
    private readonly TemporaryStores _stores = new();

    public void Dispose() => _stores.Dispose();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(3, 20)]
    [InlineData(4, 57)]
    [InlineData(5, 100)]
    [InlineData(6, 160)]
    public async Task Killed_store_reopens_with_a_prefix_of_whole_batches(int seed, int reportsBeforeKill)
    {
        int persisted = await RunAndKill(_stores.PathOf("store"), seed, reportsBeforeKill);

        using RocksOrderedStore store = _stores.Open(options: CrashWriter.Options with { CreateIfMissing = persisted == 0 });
        int number = CrashWriter.NumberIn(store.Get(CrashWriter.NumberKey));
        Assert.True(number >= persisted, $"batch {persisted} was reported as persisted, but only {number} survived");
        Assert.Equal(number, CrashWriter.NumberIn(store.GetPersisted(CrashWriter.NumberKey)));
        Expect.Rows(RowsAfter(seed, number), StoreModel.Scan(store, [], []));
        TestContext.Current.TestOutputHelper?.WriteLine($"persisted {persisted}, survived {number}, written at least {reportsBeforeKill * 50}");
    }

    /// <summary>Returns the highest number that the child reported as persisted before it was killed.</summary>
    private static async Task<int> RunAndKill(string directory, int seed, int reports)
    {
        using Process child = ChildProcess.Start([ChildProcess.WriteUntilKilled, directory, $"{seed}"]);
        int persisted = 0;
        try
        {
            for (int i = 0; i < reports; i++)
                persisted = ParseReport(await child.StandardOutput.ReadLineAsync());
        }
        finally
        {
            child.Kill();
        }
        string rest = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        int lastLineEnd = rest.LastIndexOf('\n');
        return lastLineEnd < 0 ? persisted : ParseReport(rest[..lastLineEnd].Split('\n')[^1]);
    }

    private static int ParseReport(string? line)
    {
        Assert.StartsWith("persisted ", line);
        return int.Parse(line!["persisted ".Length..]);
    }

    private static List<(byte[] Key, byte[] Value)> RowsAfter(int seed, int number)
    {
        var model = new StoreModel();
        var batch = new WriteBatch();
        for (int i = 1; i <= number; i++)
        {
            CrashWriter.Fill(batch, seed, i);
            model.Write(batch);
            model.Flush();
        }
        return model.Scan([], []);
    }
}
