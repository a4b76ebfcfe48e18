using System.Collections.Immutable;
using System.Globalization;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Workloads;

/// <summary>Batches of puts, gets and deletes over all shards, beside single calls on the same keys: each item stands for itself, and must be linearizable like a single call.</summary>
internal sealed class BatchWorkload(int shards) : Workload
{
    private const int MostItems = 8;
    private readonly int _keys = Math.Max(10, 4 * shards);

    /// <inheritdoc/>
    public override string Name => "batch";

    /// <inheritdoc/>
    public override string Summary => "each item of a batch is linearizable, over all shards";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Batch, CallKind.Get, CallKind.Put];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        switch (worker.Random.Next(4))
        {
            case 0:
                await worker.Client.GetAsync(KeyOf(worker.Random.Next(_keys)), stop: stop);
                break;
            case 1:
                await worker.Client.WriteAsync(Draw(worker.Random, isWrite: true), stop: stop);
                break;
            default:
                // Of one key one item: which of two writes of a key comes first nobody has said.
                ImmutableArray<KvOperation> items = [.. Enumerable.Range(0, worker.Random.Next(1, MostItems + 1)).Select(_ => Draw(worker.Random, worker.Random.Next(3) > 0)).DistinctBy(item => item.Key)];
                await worker.Client.BatchAsync(items, stop);
                break;
        }
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreReadAsync(worker, Enumerable.Range(0, _keys).Select(KeyOf), stop);

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => RegisterChecks.Of(history);

    private KvOperation Draw(Random random, bool isWrite)
    {
        string key = KeyOf(random.Next(_keys));
        if (!isWrite) return KvOperation.Get(key);
        return random.Next(4) == 0 ? KvOperation.Delete(key) : KvOperation.Put(key, NextValue());
    }

    private static string KeyOf(int number) => "batch/" + number.ToString(CultureInfo.InvariantCulture);
}
