using RaftKv.Bench.Meters;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>Three servers on loopback ports of their own, in a directory of their own, which goes with them.</summary>
internal abstract class BenchCluster(string name, string directory) : IAsyncDisposable
{
    protected const int Members = 3;
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>A leader that is the same at two looks so far apart will stay, unless something happens.</summary>
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(1200);
    private bool _isPaused;

    /// <summary>What it is called in the tables.</summary>
    public string Name => name;

    public abstract IReadOnlyList<BenchServer> Servers { get; }

    /// <summary>What the servers use.</summary>
    public abstract IServerMeter Meter { get; }

    /// <summary>Returns when every server serves. Throws <see cref="CommandException"/> if they do not come up.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        foreach (BenchServer server in Servers) server.Start();
        await WaitReadyAsync(cancellation);
    }

    /// <summary>Holds all processes: they use nothing, and keep what they have.</summary>
    public void Pause()
    {
        foreach (BenchServer server in Servers) server.Pause();
        _isPaused = true;
    }

    /// <summary>Returns when every server serves again. Does nothing when the cluster is not held.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        if (!_isPaused) return;
        foreach (BenchServer server in Servers) server.Resume();
        _isPaused = false;
        await WaitReadyAsync(cancellation);
    }

    /// <summary>The server that leads, once that is settled. Of several groups: the first.</summary>
    public async Task<BenchServer> LeaderAsync(CancellationToken cancellation)
    {
        BenchServer? last = null;
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartPatience);
        try
        {
            while (true)
            {
                BenchServer? now = await LookForLeaderAsync(limit.Token);
                if (now is not null && now == last) return now;
                last = now;
                await Task.Delay(now is null ? LookInterval : SettleTime, limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.Unhealthy, $"{name} had no leader for {StartPatience.TotalSeconds} s");
        }
    }

    /// <summary>Until every server says that it serves, and writes are taken.</summary>
    public async Task WaitReadyAsync(CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartPatience);
        try
        {
            foreach (BenchServer server in Servers)
            {
                while (!await IsReadyAsync(server, limit.Token))
                {
                    server.FailIfEnded();
                    await Task.Delay(LookInterval, limit.Token);
                }
            }

            await WaitWritableAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.Unhealthy, $"{name} is not ready after {StartPatience.TotalSeconds} s");
        }
    }

    public virtual async ValueTask DisposeAsync()
    {
        foreach (BenchServer server in Servers) await server.DisposeAsync();
        if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
    }

    /// <summary>Whether the server says of itself that it serves.</summary>
    protected abstract Task<bool> IsReadyAsync(BenchServer server, CancellationToken cancellation);

    /// <summary>Returns when writes are taken.</summary>
    protected virtual Task WaitWritableAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>The server that leads as far as the servers say, or null when none does.</summary>
    protected abstract Task<BenchServer?> LookForLeaderAsync(CancellationToken cancellation);
}
