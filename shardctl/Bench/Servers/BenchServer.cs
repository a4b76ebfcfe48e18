using System.Diagnostics;
using RaftKv.Client;
using RaftKv.CommandLine.Native;

namespace RaftKv.Shardctl.Bench.Servers;

/// <summary>A server that the comparison starts, holds, kills and starts again; it ends no process but those.</summary>
internal sealed class BenchServer(string name, ClientEndpoint endpoint, string logFile, Func<Process> start) : IAsyncDisposable
{
    private Process? _process;

    public string Name => name;

    public ClientEndpoint Endpoint => endpoint;

    /// <summary>Of a server that has been started.</summary>
    public int ProcessId => _process!.Id;

    public void Start()
    {
        _process?.Dispose();
        _process = start();
    }

    /// <summary>Throws <see cref="CommandException"/> when it has ended by itself.</summary>
    public void FailIfEnded()
    {
        if (_process is { HasExited: true }) throw new CommandException(ExitCode.Error, $"{name} has ended with exit code {_process.ExitCode}: {LastLine()}");
    }

    /// <summary>kill -9; it is gone on return.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>The process stands still until <see cref="Resume"/>.</summary>
    public void Pause() => Signals.SendStop(ProcessId);

    public void Resume() => Signals.SendContinue(ProcessId);

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
        _process = null;
    }

    private string LastLine() => File.Exists(logFile) ? File.ReadLines(logFile).LastOrDefault() ?? "it said nothing" : "it said nothing";
}
