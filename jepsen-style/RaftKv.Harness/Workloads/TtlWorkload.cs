using System.Collections.Concurrent;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Ttl;

namespace RaftKv.Harness.Workloads;

/// <summary>Keys that are put to live for a few seconds, and looked at before and after: never gone early, never there long after.</summary>
internal sealed class TtlWorkload(ClockError clocks) : Workload
{
    private const int ShortestSeconds = 2;
    private const int LongestSeconds = 6;
    private const int Watched = 200;

    /// <summary>A shard without a leader expires nothing: the longest fault, and an election.</summary>
    private const long GraceMicros = 20_000_000;
    private readonly long _graceMicros = clocks.AtMost(LongestSeconds * 1_000_000L) - (LongestSeconds * 1_000_000L) + GraceMicros;
    private readonly ConcurrentQueue<string> _keys = [];

    /// <inheritdoc/>
    public override string Name => "ttl";

    /// <inheritdoc/>
    public override string Summary => "a value with a time to live is there until its end, and not long after";

    /// <inheritdoc/>
    public override IReadOnlyList<CallKind> Needs => [CallKind.Put, CallKind.Get];

    /// <inheritdoc/>
    public override async Task StepAsync(Worker worker, CancellationToken stop)
    {
        if (worker.Random.Next(4) == 0 || _keys.IsEmpty)
        {
            string number = NextValue();
            ClientCall put = await worker.Client.WriteAsync(KvOperation.Put($"ttl/{number}", number, worker.Random.Next(ShortestSeconds, LongestSeconds + 1)), stop: stop);
            if (put.Outcome is OutcomeKind.Ok or OutcomeKind.Unknown) _keys.Enqueue($"ttl/{number}");
            while (_keys.Count > Watched && _keys.TryDequeue(out _))
            {
            }

            return;
        }

        string[] keys = [.. _keys];
        if (keys.Length > 0) await worker.Client.GetAsync(keys[worker.Random.Next(keys.Length)], stop: stop);
    }

    /// <inheritdoc/>
    public override async Task<bool> ReadFinallyAsync(Worker worker, CancellationToken stop)
    {
        await Task.Delay(TimeSpan.FromSeconds(LongestSeconds) + TimeSpan.FromMicroseconds(_graceMicros), stop); // Not for an event: time itself is what is tested.
        return await AreReadAsync(worker, _keys, stop);
    }

    /// <inheritdoc/>
    public override IEnumerable<CheckVerdict> Check(IReadOnlyList<ClientCall> history) => [TtlChecker.Check(history, _graceMicros, clocks.FastestPerMille)];
}
