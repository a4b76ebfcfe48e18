using RaftKv.MultiRaft;
using RaftKv.Node.Native;

namespace RaftKv.Node;

/// <summary>
/// The one place with threads: three dedicated ones for the pumps of design §4, and one for snapshots beside them. The thread pool never runs consensus, so no
/// burst of requests and no blocking handler can delay a heartbeat.
/// </summary>
/// <remarks>Whatever escapes a pump ends the process: see <see cref="FatalError"/>.</remarks>
internal sealed class PumpThreads
{
    private readonly MultiRaftHost _host;
    private readonly Signal _step = new();
    private readonly Signal _persist = new();
    private readonly Signal _apply = new();
    private readonly Signal _snapshot = new();
    private readonly Thread[] _threads;
    private volatile bool _isStopping;

    public PumpThreads(MultiRaftHost host)
    {
        _host = host;
        host.Worker.OnWork = _step.Set;
        host.LogWriter.OnWork = _persist.Set;
        host.Applier.OnWork = _apply.Set;
        host.Snapshots.OnWork = _snapshot.Set;
        _threads = [Make("STEP", RunStep), Make("PERSIST", RunPersist), Make("APPLY", RunApply), Make("SNAPSHOT", RunSnapshot)];
    }

    public void Start()
    {
        // Work may have queued before the signals were connected.
        foreach (Signal signal in Signals) signal.Set();
        foreach (Thread thread in _threads) thread.Start();
    }

    /// <summary>Ends the loops after the turn they are in, and waits for them. What still waits in the queues stays undone.</summary>
    public void Stop()
    {
        _isStopping = true;
        foreach (Signal signal in Signals) signal.Set();
        foreach (Thread thread in _threads) thread.Join();
    }

    private ReadOnlySpan<Signal> Signals => (Signal[])[_step, _persist, _apply, _snapshot];

    private void RunStep()
    {
        while (!_isStopping)
        {
            _host.Worker.TakeWork();
            long now = BootClock.NowMicros;
            if (_host.Worker.RunOnce(now)) continue;
            _step.Wait((int)Math.Clamp((_host.Worker.NextTickAt - now + 999) / 1000, 1, 1_000));
        }
    }

    private void RunPersist()
    {
        while (!_isStopping)
            if (!_host.LogWriter.RunOnce(BootClock.NowMicros)) _persist.Wait(Timeout.Infinite);
    }

    private void RunApply()
    {
        while (!_isStopping)
            if (!_host.Applier.RunOnce()) _apply.Wait(Timeout.Infinite);
    }

    private void RunSnapshot()
    {
        while (!_isStopping)
        {
            long now = BootClock.NowMicros;
            if (_host.Snapshots.RunOnce(now)) continue;
            long due = _host.Snapshots.NextDueAt;
            _snapshot.Wait(due == long.MaxValue ? Timeout.Infinite : (int)Math.Clamp((due - now + 999) / 1000, 1, 1_000));
        }
    }

    private static Thread Make(string name, Action loop) => new(() => Guard(name, loop)) { Name = name, IsBackground = true };

    private static void Guard(string name, Action loop)
    {
        try
        {
            loop();
        }
        catch (Exception reason)
        {
            FatalError.Exit(name, reason);
        }
    }

    /// <summary>Wakes one waiting thread; a signal set while nobody waits is kept. Cheap when it is set already, for it is set under a queue's lock.</summary>
    private sealed class Signal
    {
        private readonly object _gate = new();
        private bool _isSet;

        public void Set()
        {
            lock (_gate)
            {
                if (_isSet) return;
                _isSet = true;
                Monitor.Pulse(_gate);
            }
        }

        public void Wait(int timeoutMillis)
        {
            lock (_gate)
            {
                if (!_isSet) Monitor.Wait(_gate, timeoutMillis);
                _isSet = false;
            }
        }
    }
}
