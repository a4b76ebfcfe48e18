using System.Diagnostics;
using RaftKv.Client;

namespace RaftKv.Shardctl.Playground;

/// <summary>A cluster on this machine from its start to its end: starts the nodes, waits until they serve, tells what happens to them, stops them.</summary>
/// <remarks>Ends only processes that it started itself. A node that somebody else started in the directory is watched, and named at the end.</remarks>
internal sealed class PlaygroundRun(Screen screen, PlaygroundSettings settings, IReadOnlyList<PlaygroundNode> nodes, NodeProgram program, PlaygroundText text) : IDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LookIntervalInElection = TimeSpan.FromMilliseconds(100);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<StartedNode> _started = [];

    /// <summary>Those whose end has been told. What dies in their directory afterwards is another process.</summary>
    private readonly HashSet<StartedNode> _told = [];
    private readonly NodeClient _looker = new(LookTimeout);

    /// <summary>Until a signal asks to stop. Throws <see cref="CommandException"/> if the cluster does not come up; then nothing is left running either.</summary>
    public async Task RunAsync(StopSignals signals)
    {
        try
        {
            foreach (PlaygroundNode node in nodes) _started.Add(StartedNode.Start(program, node));
            string starting = $"starting {settings}";
            await screen.WithSpinnerAsync(starting, async say =>
            {
                await WaitUntilReadyAsync(taken => say($"{starting}: {taken} of {PlaygroundSettings.Plural(settings.Shards, "shard")} ready"), signals.Stop);
                return true;
            });
            text.Welcome(_clock.Elapsed, nodes.Select(node => (node, IsUp: _started.Any(started => started.Node == node && !started.Exited.IsCompleted))));
            foreach (StartedNode failed in _started.Where(started => started.Exited.IsCompleted && _told.Add(started))) text.Died(failed.Node, failed.HowItEnded(), program.CommandLine(failed.Node));
            await WatchAsync(signals.Stop);
        }
        catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
        {
            if (screen.IsTerminal) screen.Line(); // Behind the ^C.
        }
        finally
        {
            await StopAsync(signals.Hurry);
        }
    }

    public void Dispose()
    {
        foreach (StartedNode started in _started) started.Dispose();
        _looker.Dispose();
    }

    /// <summary>Until every node that runs says that it is ready, and every shard has taken a write.</summary>
    private async Task WaitUntilReadyAsync(Action<int> onTaken, CancellationToken stop)
    {
        using CancellationTokenSource giveUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task probe = ReadinessProbe.RunAsync([.. nodes.Select(node => node.Client)], settings.InitialMap(), StartPatience, onTaken, giveUp.Token);
        Task ready = Task.WhenAll(probe, WaitUntilNodesReadyAsync(giveUp.Token));
        List<Task> open = [ready, .. _started.Select(started => started.Exited)];
        try
        {
            while (!ready.IsCompleted)
            {
                open.Remove(await Task.WhenAny(open));
                stop.ThrowIfCancellationRequested(); // Ctrl-C reaches the nodes too; their end is then no failure.
                FailIfHopeless();
            }

            await ready;
        }
        finally
        {
            giveUp.Cancel();
            await ready.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task WaitUntilNodesReadyAsync(CancellationToken giveUp)
    {
        TimeSpan deadline = _clock.Elapsed + StartPatience;
        foreach (StartedNode started in _started)
        {
            while (!started.Exited.IsCompleted && !await _looker.IsReadyAsync(started.Node.Client, giveUp))
            {
                if (_clock.Elapsed > deadline) throw new CommandException(ExitCode.Unhealthy, $"{started.Node.Name} is not ready after {StartPatience.TotalSeconds} s; see {started.Node.LogFile}");
                await Task.Delay(LookIntervalInElection / 2, giveUp);
            }
        }
    }

    /// <summary>A wrong option is wrong for all; else the others may do, as long as there are any.</summary>
    private void FailIfHopeless()
    {
        StartedNode[] exited = [.. _started.Where(started => started.Exited.IsCompleted)];
        if (exited.FirstOrDefault(started => started.ExitCode == ExitCode.Usage) is { } refused)
            throw new CommandException(ExitCode.Usage, $"{refused.Node.Name} did not start: {refused.Complaint ?? $"see {refused.Node.LogFile}"}");
        if (exited.Length == _started.Count) throw new CommandException(ExitCode.Error, $"no node is left: {exited[0].Node.Name} ended with {exited[0].HowItEnded()}");
    }

    private async Task WatchAsync(CancellationToken stop)
    {
        ClusterWatch watch = new();
        while (true)
        {
            NodeSight[] sights = await Task.WhenAll(nodes.Select(node => LookAsync(node, stop)));
            foreach (WatchEvent happened in watch.Observe(sights, _clock.Elapsed)) await TellAsync(happened);
            // The end of a node is worth a look at once.
            Task pause = Task.Delay(watch.HasMissingLeaders ? LookIntervalInElection : LookInterval, stop);
            await Task.WhenAny([pause, .. _started.Select(started => started.Exited).Where(exited => !exited.IsCompleted)]);
            stop.ThrowIfCancellationRequested();
        }
    }

    private async Task<NodeSight> LookAsync(PlaygroundNode node, CancellationToken stop)
    {
        try
        {
            return new NodeSight(node.Name, NodeState.Up, await _looker.StatusAsync(node.Client, stop));
        }
        catch (NodeUnreachableException exception)
        {
            return new NodeSight(node.Name, exception.IsListening ? NodeState.Silent : NodeState.Down, null);
        }
    }

    private async Task TellAsync(WatchEvent happened)
    {
        switch (happened)
        {
            case NodeChanged changed:
                await TellAsync(nodes.Single(node => node.Name == changed.Name), changed.State);
                break;
            case LeadersMoved moved:
                text.LeadersMoved(moved);
                break;
            case LeadersMissing missing:
                text.LeadersMissing(missing);
                break;
            case LeadersComplete:
                text.LeadersComplete();
                break;
        }
    }

    private async Task TellAsync(PlaygroundNode node, NodeState state)
    {
        if (state == NodeState.Up) text.Back(node);
        else if (state == NodeState.Silent) text.Silent(node);
        else text.Died(node, await HowItEndedAsync(node), program.CommandLine(node));
    }

    /// <summary>Known only of our own processes. The port may close a moment before the process has ended.</summary>
    private async Task<string> HowItEndedAsync(PlaygroundNode node)
    {
        StartedNode started = _started.Single(started => started.Node == node);
        await Task.WhenAny(started.Exited, Task.Delay(LookTimeout));
        return started.Exited.IsCompleted && _told.Add(started) ? started.HowItEnded() : "no longer running";
    }

    private async Task StopAsync(CancellationToken hurry)
    {
        StartedNode[] running = [.. _started.Where(started => !started.Exited.IsCompleted)];
        if (running.Length > 0) text.Stopping(running.Select(started => started.Node));
        foreach (StartedNode started in running) started.Stop();
        Task all = Task.WhenAll(running.Select(started => started.Exited));
        await Task.WhenAny(all, Task.Delay(StopPatience, hurry));
        foreach (StartedNode started in running.Where(started => !started.Exited.IsCompleted))
        {
            started.Kill();
            text.Killed(started.Node);
        }

        await all;
        PlaygroundNode[] others = [.. nodes.Where(node => node.IsLocked())];
        if (others.Length > 0) text.LeftRunning(others);
        if (running.Length > 0) text.Stopped(areAll: others.Length == 0);
    }
}
