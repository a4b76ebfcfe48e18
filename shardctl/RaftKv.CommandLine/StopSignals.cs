using System.Diagnostics;
using System.Runtime.InteropServices;

namespace RaftKv.CommandLine;

/// <summary>
/// Ctrl-C, SIGTERM and a closed terminal: the first asks to stop, a later one not to wait. At once after the first it is
/// the same wish come twice: make and timeout signal the process and its group.
/// </summary>
public sealed class StopSignals : IDisposable
{
    private static readonly TimeSpan SameWish = TimeSpan.FromSeconds(1);
    private readonly Stopwatch _sinceFirst = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _hurry = new();
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals() => _registrations = [Register(PosixSignal.SIGINT), Register(PosixSignal.SIGTERM), Register(PosixSignal.SIGHUP)];

    public CancellationToken Stop => _stop.Token;

    public CancellationToken Hurry => _hurry.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        _stop.Dispose();
        _hurry.Dispose();
    }

    private PosixSignalRegistration Register(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        if (!_stop.IsCancellationRequested) _sinceFirst.Start();
        else if (_sinceFirst.Elapsed > SameWish) _hurry.Cancel();
        _stop.Cancel();
    });
}
