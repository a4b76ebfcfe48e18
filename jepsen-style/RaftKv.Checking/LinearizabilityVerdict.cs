using RaftKv.Checking.Histories;

namespace RaftKv.Checking;

/// <summary>The search for a linearization of a history of calls, key by key, whatever positions their answers claim.</summary>
public static class LinearizabilityVerdict
{
    private const string Name = "linearizability";
    private const int Shown = 3;

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history, long maxStepsPerKey = LinearizabilityChecker.DefaultMaxStepsPerKey) =>
        Check(RegisterHistory.Of(history), maxStepsPerKey);

    public static CheckVerdict Check(RegisterHistory history, long maxStepsPerKey = LinearizabilityChecker.DefaultMaxStepsPerKey)
    {
        CheckResult result = LinearizabilityChecker.Check(history.Operations, maxStepsPerKey);
        long looked = history.Operations.Count(operation => operation.Outcome.Kind is OutcomeKind.Ok or OutcomeKind.Refused);
        if (result.Counterexample is { } counterexample) return new CheckVerdict(Name, looked, Explain(history, counterexample));
        string? unknown = looked == 0 ? "no operation was answered"
            : result.UndecidedKeys.Count > 0 ? $"{result.UndecidedKeys.Count} keys were not decided within {maxStepsPerKey} steps each, first \"{result.UndecidedKeys[0]}\""
            : null;
        return new CheckVerdict(Name, looked, null, unknown);
    }

    private static Finding Explain(RegisterHistory history, Counterexample counterexample)
    {
        Operation[] involved = [.. counterexample.LongestPrefix.TakeLast(Shown), counterexample.Misfit];
        string sentence = $"no order of the operations on \"{counterexample.Key}\" explains all answers: after the longest that fits, {counterexample.State}, and then p{counterexample.Misfit.Process}'s {counterexample.Misfit} cannot be";
        return new Finding(Name, sentence, history.CallsOf(involved), counterexample.ToText() + history.Legend(counterexample.Operations));
    }
}
