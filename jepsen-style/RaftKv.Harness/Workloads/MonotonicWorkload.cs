using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Monotonic;

namespace RaftKv.Harness.Workloads;

/// <summary>Writes, linearizable reads, and stale reads at every node: nobody sees a key go back, and a stale read is no older than it says.</summary>
internal sealed class MonotonicWorkload(int shards, ClockError clocks) : Workload
{
    private readonly int _keys = Math.Max(4, 2 * shards);

    /// <inheritdoc/>
    public override string Name => "monotonic";

    /// <inheritdoc/>
    public override string Summary => "no client sees a key go back; a stale read is no older than it says";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Get, CallKind.Put];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        string key = KeyOf(worker.Random.Next(_keys));
        switch (worker.Random.Next(10))
        {
            case < 4:
                await worker.AtAnyNode().GetAsync(key, Freshness.Stale, stop);
                break;
            case < 7:
                await worker.Client.GetAsync(key, stop: stop);
                break;
            default:
                await worker.Client.WriteAsync(KvOperation.Put(key, NextValue()), stop: stop);
                break;
        }
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreReadAsync(worker, Enumerable.Range(0, _keys).Select(KeyOf), stop);

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [MonotonicChecker.Check(history, clocks), .. RegisterChecks.Of(history)];

    private static string KeyOf(int number) => "mono/" + number.ToString(CultureInfo.InvariantCulture);
}
