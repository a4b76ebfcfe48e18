using System.Diagnostics;
using System.Net.Sockets;
using RaftKv.Bench.Loop;
using RaftKv.Bench.Meters;
using RaftKv.Client;

namespace RaftKv.Bench;

/// <summary>A load from its start to its end: fill, warm-up, measurement, drain.</summary>
public static class LoadRun
{
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FillPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    /// <summary>Throws <see cref="LoadException"/> when the plan makes no sense or an endpoint takes no connection.</summary>
    /// <param name="device">That the servers write to, if it is of this machine.</param>
    /// <param name="say">Told what is going on, every second or so.</param>
    public static async Task<LoadResult> RunAsync(LoadPlan plan, IServerMeter meter, BlockDevice? device, Action<string> say, CancellationToken cancellation)
    {
        plan.Check();
        foreach (ClientEndpoint endpoint in plan.Endpoints.Distinct()) await TryConnectAsync(endpoint, cancellation);
        if (plan.FillsFirst) await FillAsync(plan, say, cancellation);
        await using Load load = Load.Start(plan);
        await load.WaitAsync(plan.WarmUp, left => say($"warming up, {left} s left"), cancellation);

        IReadOnlyList<ServerSample> before = await meter.SampleAsync(cancellation);
        long? writtenBefore = device?.WrittenBytes();
        long busyBefore = MachineCpu.BusyMicros();
        long cpuBefore = OwnCpuMicros();
        Tally tally = new();
        long start = Stopwatch.GetTimestamp();
        load.CountInto(tally);
        await load.WaitAsync(plan.Duration, left => say($"measuring, {left} s left"), cancellation);
        load.CountInto(null);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        long cpu = OwnCpuMicros() - cpuBefore;
        long busy = MachineCpu.BusyMicros() - busyBefore;
        long? written = device?.WrittenBytes() - writtenBefore;
        IReadOnlyList<ServerSample> after = await meter.SampleAsync(cancellation);
        await load.StopAsync();
        return new LoadResult(tally, elapsed, ServerUse.Between(before, after), written, cpu, busy, load.LostConnections, load.FailedConnects);
    }

    /// <summary>Writes every key of the plan once. Throws <see cref="LoadException"/> when nothing succeeds for long.</summary>
    public static async Task FillAsync(LoadPlan plan, Action<string> say, CancellationToken cancellation)
    {
        FillWorkload workload = new(plan);
        await using Load load = Load.Start(plan, workload);
        int written = -1;
        Stopwatch idle = Stopwatch.StartNew();
        while (!load.HasEnded)
        {
            if (written != workload.Written) idle.Restart();
            written = workload.Written;
            if (idle.Elapsed > FillPatience) throw new LoadException($"no key could be written for {FillPatience.TotalSeconds} s");
            say($"writing keys, {written} of {plan.Keys}");
            await load.WaitAsync(ProgressInterval, _ => { }, cancellation);
        }
    }

    private static long OwnCpuMicros() => (long)Environment.CpuUsage.TotalTime.TotalMicroseconds;

    private static async Task TryConnectAsync(ClientEndpoint endpoint, CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ConnectPatience);
        try
        {
            using TcpClient probe = new();
            await probe.ConnectAsync(endpoint.Host, endpoint.Port, limit.Token);
        }
        catch (SocketException failure)
        {
            throw new LoadException($"cannot connect to {endpoint}: {failure.Message}", isUnreachable: true);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new LoadException($"cannot connect to {endpoint}: no connection within {ConnectPatience.TotalSeconds} s", isUnreachable: true);
        }
    }
}

/// <summary>A load that runs. Disposing it stops it.</summary>
public sealed class Load : IAsyncDisposable
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private readonly LoadLoop _loop;

    private Load(LoadLoop loop) => _loop = loop;

    public bool HasEnded => _loop.Ended.IsCompleted;

    /// <summary>By reason, once it has been stopped.</summary>
    public IReadOnlyDictionary<string, long> LostConnections => _loop.LostConnections;

    /// <summary>By reason, once it has been stopped.</summary>
    public IReadOnlyDictionary<string, long> FailedConnects => _loop.FailedConnects;

    /// <summary>Starts the load of a plan, without end. Throws <see cref="LoadException"/>.</summary>
    /// <param name="observer">Hears of every answer, such as a <see cref="GapWatch"/>.</param>
    public static Load Start(LoadPlan plan, IAnswerObserver? observer = null) => Start(plan, new RandomWorkload(plan), observer);

    internal static Load Start(LoadPlan plan, Workload workload, IAnswerObserver? observer = null)
    {
        plan.Check();
        LoadLoop loop = new(plan, workload, observer);
        loop.Start();
        return new Load(loop);
    }

    /// <summary>From now on answers are counted there, or nowhere. Read the tally when the load has been stopped.</summary>
    public void CountInto(Tally? tally) => _loop.CountInto(tally);

    /// <summary>Returns after so long, or when the load has ended; throws what it failed with.</summary>
    /// <param name="onSecond">Told how many seconds are left.</param>
    public async Task WaitAsync(TimeSpan duration, Action<long> onSecond, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        for (TimeSpan left = duration; left > TimeSpan.Zero && !HasEnded; left = duration - Stopwatch.GetElapsedTime(start))
        {
            onSecond((long)Math.Ceiling(left.TotalSeconds));
            await Task.WhenAny(_loop.Ended, Task.Delay(left < s_second ? left : s_second, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }

        if (HasEnded) await _loop.Ended;
    }

    /// <summary>Waits for what is under way, though not for long.</summary>
    public async Task StopAsync()
    {
        _loop.Drain();
        await _loop.Ended;
    }

    public async ValueTask DisposeAsync()
    {
        _loop.Drain();
        await _loop.Ended.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _loop.Dispose();
    }
}
