using static RaftKv.Checking.RegisterOutcome;
using static RaftKv.Checking.RegisterRequest;

namespace RaftKv.Checking.Tests;

/// <summary>Short words for histories of the key "k", and the assertions on them.</summary>
internal static class Histories
{
    public static Operation Op(int process, long call, long @return, RegisterRequest request, RegisterOutcome outcome) =>
        new("k", process, call, @return, request, outcome);

    public static Operation Lost(int process, long call, RegisterRequest request) =>
        Op(process, call, Operation.Never, request, RegisterOutcome.Unknown);

    /// <summary>The put that most histories start with: v1 at revision 1, at time 0..1.</summary>
    public static Operation FirstPut { get; } = Op(0, 0, 1, Put(1), Written(1, 0));

    public static void AssertLinearizable(params Operation[] history)
    {
        CheckResult result = LinearizabilityChecker.Check(history);
        Assert.True(result.Verdict == Verdict.Linearizable, result.ToString());
        Assert.True(BruteForceChecker.IsLinearizable(history), "the brute-force checker disagrees");
    }

    /// <summary>Not linearizable, and <paramref name="misfit"/>, if given, is the operation reported.</summary>
    public static void AssertNotLinearizable(Operation[] history, Operation? misfit = null)
    {
        CheckResult result = LinearizabilityChecker.Check(history);
        Assert.Equal(Verdict.NotLinearizable, result.Verdict);
        Assert.False(BruteForceChecker.IsLinearizable(history), "the brute-force checker disagrees");
        if (misfit is not null) Assert.Same(misfit, result.Counterexample!.Misfit);
    }
}
