using RaftKv.Checking.Replay;

namespace RaftKv.Checking.Tests;

/// <summary>The checkers against one that is too simple to be wrong, on 100,000 histories small enough for it.</summary>
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
        Compare(seeds: 70_000, seed => new HistoryGenerator(seed).MutatedExecution(lies: 1 + seed % 2));

    [Fact]
    public void Noise_is_judged_as_by_brute_force() =>
        Compare(seeds: 30_000, seed => new HistoryGenerator(seed).Noise());

    /// <summary>The search must say the same. The replay, where it can be asked, must not find order where there is none; that it may miss another order is its nature.</summary>
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
            Assert.True(expected || !IsReplayed(history), $"seed {seed}: brute force says {expectedVerdict}, and the replay accepts it\n{string.Join('\n', history.AsEnumerable())}");
            if (expected) linearizable++;
        }

        Assert.InRange(linearizable, seeds / 10, seeds - seeds / 10);
    }

    /// <summary>False also where it lacks what it goes by, or takes an unknown write for possible that its condition forbids.</summary>
    private static bool IsReplayed(Operation[] history)
    {
        bool isUnconditional = !history.Any(operation => operation is { Outcome.Kind: OutcomeKind.Unknown, Request.Condition: not ConditionKind.None });
        bool isPlaced = history.All(operation => operation.Outcome.Kind is OutcomeKind.Unknown or OutcomeKind.Failed || (operation.Position is not null && HasRevisions(operation)));
        return isUnconditional && isPlaced && ReplayChecker.Check(history) is null;
    }

    private static bool HasRevisions(Operation operation) => operation.Outcome is { Revision: not null, Previous: not null }
        || (operation.Outcome.Revision is not null && (operation.Request.Kind == RequestKind.Get || operation.Outcome.Kind == OutcomeKind.Refused));
}
