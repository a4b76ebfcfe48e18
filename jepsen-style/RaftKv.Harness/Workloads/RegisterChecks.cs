using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Checking.Replay;

namespace RaftKv.Harness.Workloads;

/// <summary>The two checkers of single keys, which every workload's history goes through: by the order that answers claim, and by search.</summary>
internal static class RegisterChecks
{
    public static IEnumerable<CheckVerdict> Of(IReadOnlyList<ClientCall> history)
    {
        RegisterHistory register = RegisterHistory.Of(history);
        yield return ReplayVerdict.Check(register);
        yield return LinearizabilityVerdict.Check(register);
    }
}
