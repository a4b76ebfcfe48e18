namespace RaftKv.Checking;

/// <summary>
/// What <see cref="LinearizabilityChecker"/> found. NotLinearizable exactly if <see cref="Counterexample"/> is there;
/// Linearizable only if no key is left undecided.
/// </summary>
/// <param name="UndecidedKeys">Keys whose budget ended, in ordinal order. After a counterexample, later keys are not looked at.</param>
/// <param name="Steps">Steps of the search, over all keys looked at.</param>
public sealed record CheckResult(Verdict Verdict, Counterexample? Counterexample, IReadOnlyList<string> UndecidedKeys, long Steps)
{
    public override string ToString() => Verdict switch
    {
        Verdict.NotLinearizable => Counterexample!.ToText(),
        Verdict.Linearizable => $"linearizable ({Steps} steps)\n",
        _ => $"unknown: {Steps} steps did not decide {UndecidedKeys.Count} keys, first \"{UndecidedKeys[0]}\"\n",
    };
}
