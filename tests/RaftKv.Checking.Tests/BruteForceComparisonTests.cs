namespace RaftKv.Checking.Tests;

/// <summary>The checker against one that is too simple to be wrong, on histories small enough for it.</summary>
public sealed class BruteForceComparisonTests
{
    [Fact]
    public void Every_small_execution_of_a_correct_store_is_linearizable()
    {
        for (int seed = 0; seed < 6_000; seed++)
        {
            Operation[] history = new HistoryGenerator(seed).MutatedExecution(lies: 0);
            CheckResult result = LinearizabilityChecker.Check(history);
            Assert.True(result.Verdict == Verdict.Linearizable, $"seed {seed}\n{result}");
        }
    }

    [Fact]
    public void Executions_with_lies_are_judged_as_by_brute_force() =>
        Compare(seeds: 20_000, seed => new HistoryGenerator(seed).MutatedExecution(lies: 1 + seed % 2));

    [Fact]
    public void Noise_is_judged_as_by_brute_force() =>
        Compare(seeds: 12_000, seed => new HistoryGenerator(seed).Noise());

    private static void Compare(int seeds, Func<int, Operation[]> generate)
    {
        int linearizable = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            Operation[] history = generate(seed);
            bool expected = BruteForceChecker.IsLinearizable(history);
            CheckResult result = LinearizabilityChecker.Check(history);
            Verdict expectedVerdict = expected ? Verdict.Linearizable : Verdict.NotLinearizable;
            Assert.True(result.Verdict == expectedVerdict, $"seed {seed}: brute force says {expectedVerdict}\n{string.Join('\n', history.AsEnumerable())}\n{result}");
            if (expected) linearizable++;
        }

        Assert.InRange(linearizable, seeds / 10, seeds - seeds / 10);
    }
}
