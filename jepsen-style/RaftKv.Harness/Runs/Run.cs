using System.Collections.Immutable;
using RaftKv.Checking;
using RaftKv.Checking.Histories;
using RaftKv.Client;
using RaftKv.Harness.Clients;
using RaftKv.Harness.Cluster;
using RaftKv.Harness.Faults;
using RaftKv.Harness.Histories;
using RaftKv.Harness.Plans;
using RaftKv.Harness.Workloads;

namespace RaftKv.Harness.Runs;

/// <summary>One run from its first node to its verdict: start, prepare, work under faults, heal, read finally, judge, clean up.</summary>
/// <param name="directory">Of the run's files; must not be there yet.</param>
/// <param name="tell">Says what happens, a line each.</param>
internal sealed class Run(RunPlan plan, string program, string directory, Action<string> tell)
{
    private static readonly TimeSpan FinalPatience = TimeSpan.FromSeconds(60);
    private readonly RunClock _clock = new();
    private readonly ProcessNumbers _processes = new();

    /// <summary>Throws <see cref="CommandException"/> when the cluster cannot be started.</summary>
    public async Task<RunResult> RunAsync(CancellationToken stop)
    {
        DateTimeOffset began = DateTimeOffset.UtcNow;
        Fault[] faults = [.. plan.Faults.Select(FaultCatalog.Named)];
        ClockError clocks = faults.Aggregate(ClockError.None, (all, fault) => all.And(fault.Clocks));
        Workload workload = WorkloadCatalog.Make(plan, clocks);
        foreach (Fault fault in faults)
            if ((FaultCatalog.MissingFor(fault) is { } missing ? $"fault '{fault.Name}' {missing}" : fault.UnfitFor(plan.Nodes)) is { } why) throw new CommandException(ExitCode.Usage, why);
        if (plan.Namespaces && FaultCatalog.MissingFor(FaultNeeds.Root | FaultNeeds.Namespaces) is { } lacking) throw new CommandException(ExitCode.Usage, $"--namespaces {lacking}");
        TimeSpan time = TimeSpan.FromSeconds(plan.Seconds);
        IReadOnlyList<PlannedFault> schedule = FaultSchedule.Draw(faults, time, plan.Seed);

        Directory.CreateDirectory(directory);
        MadeThings made = MadeThings.Begin(Path.GetFileName(directory));
        using HistoryWriter history = new(Path.Combine(directory, "history.jsonl"), plan.Workload, plan.Seed, clocks);
        Recorder recorder = new(history);
        FaultNeeds needs = faults.Aggregate(plan.Namespaces ? FaultNeeds.Namespaces : FaultNeeds.Nothing, (all, fault) => all | fault.Needs);
        await using TestedCluster cluster = await StartAsync(needs, made, stop);
        await using LeaderWatch leaders = new(cluster, _clock);
        FaultDriver driver = new(cluster, leaders, _clock, what => tell($"{_clock.Now.TotalSeconds,6:F1} s  {what}"));
        Worker[] workers = [.. Enumerable.Range(0, plan.Concurrency).Select(index => WorkerOf(index, cluster, recorder))];
        List<string> surprises = [];
        bool hasFinalRead = false;
        using CancellationTokenSource quit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task working = Task.CompletedTask;
        try
        {
            await workload.PrepareAsync(workers[0], stop);
            tell($"{_clock.Now.TotalSeconds,6:F1} s  {plan.Concurrency} clients at work");
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
            TimeSpan zero = _clock.Now;
            end.CancelAfter(time);
            working = Task.WhenAll(workers.Select(worker => WorkAsync(workload, worker, zero, time, quit.Token)));
            await driver.RunAsync(schedule, zero, end.Token);
            await working;
            stop.ThrowIfCancellationRequested();
            surprises.AddRange(cluster.Nodes.Select(node => node.Surprise()).OfType<string>());
            tell($"{_clock.Now.TotalSeconds,6:F1} s  healing, and the final read");
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
            patience.CancelAfter(FinalPatience);
            if (surprises.Count == 0)
            {
                await cluster.HealAsync(patience.Token);
                hasFinalRead = await workload.ReadFinallyAsync(workers[0], patience.Token);
            }
        }
        catch (NodeDiedException died)
        {
            surprises.Add(died.Message);
        }
        catch (ToolFailedException failure)
        {
            tell($"{_clock.Now.TotalSeconds,6:F1} s  a fault could not be carried out: {failure.Message}"); // So it is missing, and the run unknown.
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // No patience any more: without a final read it is unknown.
        }
        finally
        {
            await quit.CancelAsync();
            await working.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            foreach (Worker worker in workers) worker.Dispose();
            history.Finish();
        }

        long ended = _clock.NowMicros;
        ClientCall[] calls = recorder.Snapshot();
        tell($"{_clock.Now.TotalSeconds,6:F1} s  checking {calls.Length} calls");
        CheckVerdict[] checks = [.. workload.Check(calls)];
        (RunVerdict verdict, ImmutableArray<string> reasons) = Judge.Decide(checks, calls, workload, plan.Seconds, schedule, driver.Records, hasFinalRead, surprises);
        return new RunResult(plan, verdict, reasons, calls, checks, driver.Records, leaders.Changes, ended, began);
    }

    private async Task<TestedCluster> StartAsync(FaultNeeds needs, MadeThings made, CancellationToken stop)
    {
        try
        {
            return await TestedCluster.StartAsync(plan, program, directory, needs, made, stop);
        }
        catch (Exception failure) when (failure is NodeDiedException or ToolFailedException)
        {
            throw new CommandException(ExitCode.Usage, failure.Message);
        }
    }

    /// <summary>Of four clients two know one node only, so that a node which is cut off is asked too; and two of four write without idempotency keys.</summary>
    private Worker WorkerOf(int index, TestedCluster cluster, Recorder recorder)
    {
        ClientEndpoint[] all = [.. cluster.Nodes.Select(node => node.Client)];
        int home = index % all.Length;
        bool roams = index % 2 == 0;
        ClientEndpoint[] endpoints = roams ? [.. all[home..], .. all[..home]] : [all[home]];
        int seed = Seeds.Of(plan.Seed, 1_000 + index);
        bool hasKeys = index % 4 < 2;
        return new Worker(index, ClientOf(endpoints), [.. all.Select(node => ClientOf([node]))], new Random(seed));

        ApiClient ClientOf(ClientEndpoint[] nodes) => new(nodes, hasKeys, TimeSpan.FromMilliseconds(plan.TimeoutMillis), seed, _clock, recorder, _processes);
    }

    /// <summary>Steps at the client's share of the rate, on average; a client that was held up does not catch up.</summary>
    private async Task WorkAsync(Workload workload, Worker worker, TimeSpan zero, TimeSpan time, CancellationToken stop)
    {
        TimeSpan interval = TimeSpan.FromSeconds(plan.Concurrency / plan.Rate);
        TimeSpan next = zero + (interval * worker.Random.NextDouble());
        while (!stop.IsCancellationRequested && _clock.Now < zero + time)
        {
            TimeSpan wait = next - _clock.Now;
            if (wait > TimeSpan.Zero) await Task.Delay(wait, stop);
            await workload.StepAsync(worker, stop);
            next += interval * (2 * worker.Random.NextDouble());
            if (next < _clock.Now - interval) next = _clock.Now;
        }
    }
}
