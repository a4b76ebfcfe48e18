using BenchmarkDotNet.Attributes;
using RaftKv.Checking;
using RaftKv.Checking.Replay;

namespace RaftKv.Benchmarks;

/// <summary>
/// REPLAY: a history of 8 shards and 10,000 keys, half of it reads, one write in a thousand of unknown outcome, checked as it comes in: added in the order of returns, and
/// advanced after every 1,000. Per operation.
/// </summary>
[MemoryDiagnoser]
public class ReplayBenchmark
{
    private const int Turn = 200_000;
    private const int Shards = 8;
    private const int Keys = 10_000;
    private const int Batch = 1_000;
    private const int MicrosPerOperation = 2;
    private Operation[] _returns = [];
    private long[] _oldestCalls = [];

    /// <summary>Calls that are open at once.</summary>
    [Params(20, 10_000)]
    public int Open { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(1);
        (long Value, ulong Revision)[] keys = new (long, ulong)[Keys];
        ulong[] indexes = new ulong[Shards];
        Operation[] history = new Operation[Turn];
        for (int i = 0; i < Turn; i++)
        {
            int key = random.Next(Keys);
            int shard = key % Shards;
            (long value, ulong revision) = keys[key];
            long effect = (long)i * MicrosPerOperation;
            long call = effect - random.Next(Open * MicrosPerOperation / 2);
            long back = effect + random.Next(Open * MicrosPerOperation / 2);
            if (random.Next(2) == 0)
            {
                RegisterOutcome found = revision == 0 ? RegisterOutcome.Absent : RegisterOutcome.Found(value, revision);
                history[i] = new Operation($"key-{key}", 0, call, back, RegisterRequest.Get, found, "", Position.OfRead((ulong)shard, indexes[shard]));
                continue;
            }

            ulong index = ++indexes[shard];
            keys[key] = (i + 1, index);
            history[i] = new Operation($"key-{key}", 0, call, back, RegisterRequest.Put(i + 1), RegisterOutcome.Written(index, revision), "", Position.OfWrite((ulong)shard, index));
            if (random.Next(1_000) == 0) history[i] = history[i] with { Return = Operation.Never, Outcome = RegisterOutcome.Unknown, Position = null };
        }

        // Who hears nothing gives up when others of its time have long been answered.
        _returns = [.. history.OrderBy(operation => operation.Return == Operation.Never ? operation.Call + Open * MicrosPerOperation : operation.Return)];
        _oldestCalls = new long[Turn + 1];
        _oldestCalls[Turn] = Operation.Never;
        for (int i = Turn - 1; i >= 0; i--) _oldestCalls[i] = Math.Min(_oldestCalls[i + 1], _returns[i].Call);
    }

    [Benchmark(OperationsPerInvoke = Turn)]
    public long Replay()
    {
        ReplayChecker checker = new();
        for (int i = 0; i < Turn; i++)
        {
            checker.Add(_returns[i]);
            if (i % Batch == 0) checker.Advance(_oldestCalls[i + 1]);
        }

        if (checker.Finish() is { } violation) throw new InvalidOperationException(violation.ToText());
        return checker.Replayed;
    }
}
