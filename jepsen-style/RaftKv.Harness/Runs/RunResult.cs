using System.Collections.Immutable;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Plans;

namespace RaftKv.Harness.Runs;

/// <summary>What a run comes to.</summary>
internal enum RunVerdict
{
    Valid,
    Invalid,
    Unknown,
}

/// <summary>All that a run has shown, for the screen and the reports.</summary>
/// <param name="Reasons">Why it is not valid: one sentence each; empty if it is.</param>
/// <param name="EndedMicros">When clients and faults had ended, in microseconds of the run.</param>
internal sealed record RunResult(
    RunPlan Plan, RunVerdict Verdict, ImmutableArray<string> Reasons, IReadOnlyList<ClientCall> History, IReadOnlyList<CheckVerdict> Checks, IReadOnlyList<FaultRecord> Faults,
    IReadOnlyList<LeaderChange> Leaders, long EndedMicros, DateTimeOffset Began)
{
    public int ExitCode => Verdict switch { RunVerdict.Valid => Harness.ExitCode.Valid, RunVerdict.Invalid => Harness.ExitCode.Invalid, _ => Harness.ExitCode.Unknown };
}
