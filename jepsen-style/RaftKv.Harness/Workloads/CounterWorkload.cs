using System.Globalization;
using RaftKv.Checking;
using RaftKv.Checking.Counters;
using RaftKv.Checking.Histories;

namespace RaftKv.Harness.Workloads;

/// <summary>Counters, incremented by reading and compare-and-set. Each increment that was acknowledged must count, once.</summary>
internal sealed class CounterWorkload : Workload
{
    private const int Counters = 4;

    /// <inheritdoc/>
    public override string Name => "counter";

    /// <inheritdoc/>
    public override string Summary => "compare-and-set neither loses an increment nor counts one twice";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Get, CallKind.Put];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        string key = KeyOf(worker.Random.Next(Counters));
        ClientCall read = await worker.Client.GetAsync(key, stop: stop);
        if (read is not { Outcome: OutcomeKind.Ok, Results: [{ } found] }) return;
        KvOperation increment = found.Existed
            ? KvOperation.Put(key, (long.Parse(found.Value!, CultureInfo.InvariantCulture) + 1).ToString(CultureInfo.InvariantCulture)).IfMatch(found.Revision)
            : KvOperation.Put(key, "1").IfAbsent();
        await worker.Client.WriteAsync(increment, stop: stop);
    }

    /// <inheritdoc/>
    public override Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop) => AreReadAsync(worker, Enumerable.Range(0, Counters).Select(KeyOf), stop);

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [.. Enumerable.Range(0, Counters).Select(counter => CounterChecker.Check(history, KeyOf(counter))), .. RegisterChecks.Of(history)];

    private static string KeyOf(int number) => "counter/" + number.ToString(CultureInfo.InvariantCulture);
}
