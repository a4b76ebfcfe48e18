namespace RaftKv.Checking;

/// <summary>
/// Checks that a history of versioned registers is linearizable: that each operation can be given one moment between
/// its call and its return so that, in the order of these moments, every answer is what our store must answer.
/// </summary>
/// <remarks>
/// Keys are checked one by one, in ordinal order, each with its own budget (locality: Herlihy &amp; Wing 1990; partitioned:
/// Horn &amp; Kroening, arXiv 1504.00204). Deterministic, also over processes: it runs inside the simulator. It looks at
/// times and answers only, never at log positions, so a server cannot lie to it consistently (testing/checkers.md §4.2).
/// </remarks>
public static class LinearizabilityChecker
{
    /// <summary>
    /// Enough for some hundred thousand operations on a key that are rarely concurrent. Each step can remember one
    /// configuration of about 100 bytes, so this bounds memory at about 200 MB.
    /// </summary>
    public const long DefaultMaxStepsPerKey = 2_000_000;

    /// <summary>Checks all keys up to the first that is not linearizable.</summary>
    /// <exception cref="ArgumentException">An operation that no client can have made: a bug of the harness, not a finding.</exception>
    public static CheckResult Check(IEnumerable<Operation> history, long maxStepsPerKey = DefaultMaxStepsPerKey)
    {
        List<string> undecided = [];
        long steps = 0;
        foreach (KeyHistory key in ByKey(history))
        {
            VersionedRegisterModel model = new(key);
            LinearizationSearch<VersionedRegisterModel, RegisterState> search = new(key.Intervals, model, maxStepsPerKey);
            Verdict verdict = search.Run();
            steps += search.Steps;
            if (verdict == Verdict.Unknown) undecided.Add(key.Key);
            if (verdict != Verdict.NotLinearizable) continue;
            return new CheckResult(verdict, Explain(key, model, search.LongestPrefix, search.Misfit), undecided, steps);
        }

        return new CheckResult(undecided.Count == 0 ? Verdict.Linearizable : Verdict.Unknown, null, undecided, steps);
    }

    private static List<KeyHistory> ByKey(IEnumerable<Operation> history)
    {
        SortedDictionary<string, List<Operation>> keys = new(StringComparer.Ordinal);
        foreach (Operation operation in history)
        {
            if (!operation.Request.IsWellFormed) throw new ArgumentException($"no such request: {operation}", nameof(history));
            if (!operation.Outcome.IsWellFormed) throw new ArgumentException($"reports what nobody answered: {operation}", nameof(history));
            if (operation.Call > operation.LatestEffect) throw new ArgumentException($"returns before its call: {operation}", nameof(history));
            if (!keys.TryGetValue(operation.Key, out List<Operation>? operations)) keys.Add(operation.Key, operations = []);
            operations.Add(operation);
        }

        return [.. keys.Select(key => new KeyHistory(key.Key, key.Value))];
    }

    private static Counterexample Explain(KeyHistory key, VersionedRegisterModel model, ReadOnlySpan<int> prefix, int misfit)
    {
        RegisterState state = model.Initial;
        List<Operation> placed = [];
        foreach (int operation in prefix)
        {
            bool fits = model.TryStep(state, operation, out RegisterState next);
            if (!fits) throw new InvalidOperationException($"the search placed an operation that does not fit: {key.Operations[operation]}");
            state = next;
            placed.Add(key.Operations[operation]);
        }

        return new Counterexample(key.Key, key.Operations, placed, key.Operations[misfit], model.Describe(state));
    }
}
