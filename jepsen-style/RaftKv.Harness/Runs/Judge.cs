using System.Collections.Immutable;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Runs;

/// <summary>Puts what a run has shown together to a verdict. Pure.</summary>
internal static class Judge
{
    /// <summary>
    /// Invalid if any checker convicts, or a node died by itself. Else unknown if any checker could not decide, too few calls succeeded, a fault did not bite, or the final read is
    /// missing: never valid for lack of evidence.
    /// </summary>
    /// <param name="hasFinalRead">It was completed.</param>
    /// <param name="surprises">Nodes that ended though nothing had ended them.</param>
    public static (RunVerdict Verdict, ImmutableArray<string> Reasons) Decide(
        IReadOnlyList<CheckVerdict> checks, IReadOnlyList<ClientCall> history, Workload workload, double seconds, IReadOnlyList<PlannedFault> planned, IReadOnlyList<FaultRecord> faults, bool hasFinalRead,
        IReadOnlyList<string> surprises)
    {
        ImmutableArray<string> wrong = [.. checks.Where(check => check.Finding is not null).Select(check => $"{check.Checker}: {check.Finding!.Sentence}"), .. surprises];
        if (!wrong.IsEmpty) return (RunVerdict.Invalid, wrong);

        List<string> missing = [.. checks.Where(check => check.Unknown is not null).Select(check => $"{check.Checker} could not decide: {check.Unknown}")];
        foreach (CallKind kind in workload.Needs)
        {
            int least = workload.LeastSuccesses(kind, seconds);
            int succeeded = history.Count(call => call.Kind == kind && call.Outcome is OutcomeKind.Ok or OutcomeKind.Refused);
            if (succeeded < least) missing.Add($"{succeeded} calls of kind {kind.ToString().ToLowerInvariant()} succeeded, at least {least} would say something");
        }

        foreach (FaultRecord fault in faults.Where(fault => !fault.Bite.HasBitten)) missing.Add($"{fault.Name} at {fault.StartMicros / 1e6:F1} s did not bite: {fault.Bite.Target}");
        if (faults.Count < planned.Count) missing.Add($"of {planned.Count} faults planned {faults.Count} were carried out");
        if (!hasFinalRead) missing.Add("the final read was not completed");
        return missing.Count > 0 ? (RunVerdict.Unknown, [.. missing]) : (RunVerdict.Valid, []);
    }
}
