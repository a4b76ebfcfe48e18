using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Replay;

/// <summary>The replay of a history of calls, in the order that their answers claim.</summary>
public static class ReplayVerdict
{
    private const string Name = "replay";
    private const int Shown = 3;

    public static CheckVerdict Check(IReadOnlyList<ClientCall> history) => Check(RegisterHistory.Of(history));

    public static CheckVerdict Check(RegisterHistory history)
    {
        ReplayChecker checker = new();
        foreach (Operation operation in history.ForReplay().OrderBy(operation => operation.LatestEffect)) checker.Add(operation);
        if (checker.Finish() is { } violation) return new CheckVerdict(Name, checker.Replayed, Explain(history, violation));
        return new CheckVerdict(Name, checker.Replayed, null, checker.Replayed == 0 ? "no operation was answered with its position" : null);
    }

    /// <summary>The finding that a violation stands for.</summary>
    public static Finding Explain(RegisterHistory history, ReplayViolation violation)
    {
        Operation[] involved = [.. violation.Before.TakeLast(Shown), violation.Culprit];
        return new Finding(Name, violation.Sentence, history.CallsOf(involved), violation.ToText() + history.Legend([.. violation.Before, violation.Culprit]));
    }
}
