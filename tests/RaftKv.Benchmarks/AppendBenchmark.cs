using System.Collections.Immutable;
using BenchmarkDotNet.Attributes;
using RaftKv.Checking;
using RaftKv.Checking.Append;
using RaftKv.Checking.Histories;

namespace RaftKv.Benchmarks;

/// <summary>
/// APPEND: strict serializability of transactions by 20 clients over lists of up to 64 elements, 16 lists in use at a time: half of them read two lists, half append to one or
/// two. Per transaction.
/// </summary>
[MemoryDiagnoser]
public class AppendBenchmark
{
    private const int Turn = 200_000;
    private const int Clients = 20;
    private const int Lists = 16;
    private const int MostElements = 64;
    private ClientCall[] _history = [];

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(1);
        string[] keys = [.. Enumerable.Range(0, Lists).Select(i => $"a{{t}}{i}")];
        string[] values = new string[Lists];
        int[] lengths = new int[Lists];
        int nextKey = Lists;
        long element = 0;
        List<ClientCall> history = new(Turn);
        List<KvOperation> full = [];
        while (history.Count + full.Count < Turn - Lists)
        {
            long effect = history.Count * 10L;
            long call = effect - random.Next(Clients * 5);
            long back = effect + random.Next(Clients * 5);
            int first = random.Next(Lists);
            int second = (first + 1 + random.Next(Lists - 1)) % Lists;
            if (random.Next(2) == 0)
            {
                history.Add(Call(call, back, [Get(first), Get(second)]));
                continue;
            }

            int[] written = random.Next(2) == 0 ? [first] : [first, second];
            foreach (int list in written.Where(list => lengths[list] == MostElements))
            {
                full.Add(Get(list)); // Another takes its place.
                (keys[list], values[list], lengths[list]) = ($"a{{t}}{nextKey++}", "", 0);
            }

            history.Add(Call(call, back, [.. written.Select(Append)]));
        }

        full.AddRange(Enumerable.Range(0, Lists).Select(Get));
        foreach (KvOperation last in full) history.Add(Call(Turn * 10L + 1_000 + history.Count, Turn * 10L + 1_000 + history.Count, [last]));
        _history = [.. history];

        KvOperation Append(int list)
        {
            values[list] = lengths[list]++ == 0 ? $"{++element}" : $"{values[list]},{++element}";
            return KvOperation.Put(keys[list], values[list]);
        }

        KvOperation Get(int list) => KvOperation.Get(keys[list]) with { Value = values[list] };

        // What a get found stands in for its value until here. Texts are copied, as they are when they come out of answers.
        ClientCall Call(long call, long back, ImmutableArray<KvOperation> operations) => new(history.Count, call, back, CallKind.Txn, [.. operations.Select(operation => operation.Kind == RequestKind.Get ? KvOperation.Get(operation.Key) : operation)], OutcomeKind.Ok)
        {
            Succeeded = true,
            Results = [.. operations.Select(operation => new KvResult(operation.Key, OutcomeKind.Ok, true, operation.Kind == RequestKind.Get && operation.Value?.Length > 0 ? new string(operation.Value) : null, 1, 0, 1, null))],
        };
    }

    [Benchmark(OperationsPerInvoke = Turn)]
    public long Check()
    {
        CheckVerdict verdict = AppendChecker.Check(_history, "a");
        if (verdict.Verdict != Verdict.Linearizable) throw new InvalidOperationException(verdict.Finding?.Sentence ?? verdict.Unknown);
        return verdict.Checked;
    }
}
