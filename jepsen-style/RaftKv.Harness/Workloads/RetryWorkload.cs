using System.Globalization;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Retries;

namespace RaftKv.Harness.Workloads;

/// <summary>Every write is called again at random under its idempotency key, also at other nodes, also after it was acknowledged: it must happen once.</summary>
internal sealed class RetryWorkload(int shards) : Workload
{
    private const string Prefix = "retry/";
    private const int MostAttempts = 4;
    private readonly int _keys = Math.Max(6, 3 * shards);

    /// <inheritdoc/>
    public override string Name => "idempotent-retry";

    /// <inheritdoc/>
    public override string Summary => "a write that is called again under its idempotency key happens once";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Put];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        KvOperation put = KvOperation.Put(KeyOf(worker.Random.Next(_keys)), NextValue());
        string idempotencyKey = Guid.CreateVersion7().ToString();
        int attempts = worker.Random.Next(1, MostAttempts + 1);
        for (int attempt = 0; attempt < attempts; attempt++) await worker.AtAnyNode().WriteAsync(put, idempotencyKey, stop);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreReadAsync(worker, Enumerable.Range(0, _keys).Select(KeyOf), stop);

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [ExactlyOnceChecker.Check(history), .. RegisterChecks.Of(history)];

    private static string KeyOf(int number) => Prefix + number.ToString(CultureInfo.InvariantCulture);
}
