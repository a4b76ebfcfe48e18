using RaftKv.Checking.Histories;

namespace RaftKv.Checking.Tests.Model;

/// <summary>A workload on the model, thousands of times: honest, it is never convicted; with a lie in it often enough.</summary>
internal static class Conviction
{
    public delegate IReadOnlyList<ClientCall> Workload(int seed, Lie lie, out int lies);

    /// <summary>Never convicted, and at least half of the time known to be valid.</summary>
    public static void NeverOfTheHonest(int seeds, Workload workload, Func<IReadOnlyList<ClientCall>, CheckVerdict> check)
    {
        int valid = 0;
        for (int seed = 0; seed < seeds; seed++)
        {
            CheckVerdict verdict = check(workload(seed, Lie.None, out _));
            Assert.True(verdict.Finding is null, $"seed {seed}: {verdict.Finding?.Sentence}\n{verdict.Finding?.Detail}\n{(verdict.Finding is { } finding ? CallText.Lines(finding.Calls) : "")}");
            if (verdict.Verdict == Verdict.Linearizable) valid++;
        }

        Assert.InRange(valid, seeds / 2, seeds);
    }

    /// <summary>In at least so many of a hundred runs in which it lied. Not every lie shows.</summary>
    public static void OfTheLiar(Lie lie, int percent, Workload workload, Func<IReadOnlyList<ClientCall>, CheckVerdict> check)
    {
        (int lied, int convicted) = (0, 0);
        for (int seed = 0; seed < 400; seed++)
        {
            IReadOnlyList<ClientCall> history = workload(seed, lie, out int lies);
            if (lies == 0) continue;
            lied++;
            if (check(history).Finding is { } finding)
            {
                convicted++;
                Assert.NotEmpty(finding.Calls);
                Assert.All(finding.Calls, call => Assert.Contains(call, history));
            }
        }

        Assert.InRange(lied, 15, 400);
        Assert.True(convicted * 100 >= lied * percent, $"{convicted} of {lied} were convicted");
    }
}
