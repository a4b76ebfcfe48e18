using System.Collections.Immutable;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Runs;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Tests;

/// <summary>A run is valid only if there is evidence for all of it.</summary>
public sealed class JudgeTests
{
    private const double Seconds = 10;
    private static readonly Workload s_workload = new SetWorkload();
    private static readonly ClientCall[] s_enough = [.. Enumerable.Range(0, 10).Select(i => Call(CallKind.Put, i)), .. Enumerable.Range(0, 2).Select(i => Call(CallKind.List, i))];
    private static readonly PlannedFault[] s_planned = [new("kill", FaultTrack.Process, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), 1)];
    private static readonly FaultRecord[] s_bitten = [new("kill", 1, 2, FaultBite.Of("n1", true))];

    [Fact]
    public void With_all_the_evidence_it_is_valid() => Assert.Equal((RunVerdict.Valid, 0), Decide());

    [Fact]
    public void A_finding_makes_it_invalid_whatever_else_is_missing() =>
        Assert.Equal((RunVerdict.Invalid, 1), Decide(checks: [new CheckVerdict("set", 1, new Finding("set", "lost", []))], faults: [], hasFinalRead: false));

    [Fact]
    public void A_node_that_died_by_itself_makes_it_invalid() => Assert.Equal((RunVerdict.Invalid, 1), Decide(surprises: ["n1 died"]));

    [Fact]
    public void A_checker_that_could_not_decide_leaves_it_unknown() => Assert.Equal((RunVerdict.Unknown, 1), Decide(checks: [new CheckVerdict("set", 1, null, "no list")]));

    [Fact]
    public void Too_few_successes_of_a_kind_leave_it_unknown() => Assert.Equal((RunVerdict.Unknown, 1), Decide(history: s_enough[1..]));

    [Fact]
    public void A_fault_that_did_not_bite_leaves_it_unknown() => Assert.Equal((RunVerdict.Unknown, 1), Decide(faults: [new("kill", 1, 2, FaultBite.Missed("no node ran"))]));

    [Fact]
    public void A_fault_that_was_not_carried_out_leaves_it_unknown() => Assert.Equal((RunVerdict.Unknown, 1), Decide(faults: []));

    [Fact]
    public void Without_a_final_read_it_is_unknown() => Assert.Equal((RunVerdict.Unknown, 1), Decide(hasFinalRead: false));

    private static (RunVerdict, int) Decide(CheckVerdict[]? checks = null, ClientCall[]? history = null, FaultRecord[]? faults = null, bool hasFinalRead = true, string[]? surprises = null)
    {
        (RunVerdict verdict, ImmutableArray<string> reasons) = Judge.Decide(checks ?? [new CheckVerdict("set", 1, null)], history ?? s_enough, s_workload, Seconds, s_planned, faults ?? s_bitten, hasFinalRead, surprises ?? []);
        return (verdict, reasons.Length);
    }

    private static ClientCall Call(CallKind kind, int at) => new(0, at, at + 1, kind, [], OutcomeKind.Ok);
}
