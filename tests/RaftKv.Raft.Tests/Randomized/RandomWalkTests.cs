namespace RaftKv.Raft.Tests.Randomized;

/// <summary>Raft paper figure 3: election safety, log matching, leader completeness, state machine safety – and that faults end.</summary>
public sealed class RandomWalkTests
{
    private const int Events = 1500;

    // RAFT_SEEDS=100000 walks on for a while.
    [Fact]
    public void The_properties_of_raft_hold_after_every_event_of_1000_seeds()
    {
        ulong seeds = ulong.Parse(Environment.GetEnvironmentVariable("RAFT_SEEDS") ?? "1000");
        long leaderships = 0, committed = 0, reads = 0, restarts = 0, cuts = 0, installed = 0, changes = 0, removed = 0;
        for (ulong seed = 1; seed <= seeds; seed++)
        {
            RandomWalk walk = Walk(seed);
            leaderships += walk.Checker.Leaderships;
            committed += walk.Checker.Committed;
            reads += walk.Checker.ReadsGranted;
            restarts += walk.Restarts;
            cuts += walk.Checker.Cuts;
            installed += walk.Checker.Installed;
            changes += walk.Checker.Changes;
            removed += walk.Checker.Removed;
        }

        TestContext.Current.SendDiagnosticMessage($"{seeds} seeds: {leaderships} leaderships, {committed} entries committed, {reads} reads, {restarts} restarts, {cuts} commit points, {installed} snapshots installed, {changes} configurations committed, {removed} replicas removed");
        // A run in which nothing happens proves nothing.
        Assert.InRange(leaderships, 2_000, long.MaxValue);
        Assert.InRange(committed, 40_000, long.MaxValue);
        Assert.InRange(reads, 12_000, long.MaxValue);
        Assert.InRange(restarts, 5_000, long.MaxValue);
        Assert.InRange(cuts, 5_000, long.MaxValue);
        Assert.InRange(installed, 300, long.MaxValue);
        Assert.InRange(changes, 1_500, long.MaxValue);
        Assert.InRange(removed, 300, long.MaxValue);
    }

    // Without this no failing seed could be looked into.
    [Fact]
    public void A_seed_gives_the_same_run_every_time()
    {
        List<string> first = [];
        List<string> second = [];
        foreach (List<string> trace in new[] { first, second })
        {
            RandomWalk walk = new(42, trace);
            walk.Run(Events);
            walk.Settle();
        }

        Assert.Equal(first, second);
    }

    private static RandomWalk Walk(ulong seed)
    {
        try
        {
            RandomWalk walk = new(seed);
            walk.Run(Events);
            walk.Settle();
            return walk;
        }
        catch (Exception failure)
        {
            throw new InvalidOperationException($"seed {seed}: {failure.Message}\n{string.Join('\n', TraceOf(seed).TakeLast(80))}", failure);
        }
    }

    private static List<string> TraceOf(ulong seed)
    {
        List<string> trace = [];
        RandomWalk walk = new(seed, trace);
        try
        {
            walk.Run(Events);
            walk.Settle();
        }
        catch (Exception failure) when (failure is Xunit.Sdk.XunitException or InvariantViolatedException)
        {
            trace.Add(failure.Message);
        }

        return trace;
    }
}
