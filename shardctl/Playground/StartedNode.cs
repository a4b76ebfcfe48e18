using System.Diagnostics;
using RaftKv.CommandLine.Native;

namespace RaftKv.Shardctl.Playground;

/// <summary>A node's process that this program has started, and may therefore end.</summary>
internal sealed class StartedNode : IDisposable
{
    private const int SignalBase = 128;
    private readonly Process _process;
    private readonly long _logLengthBefore;

    private StartedNode(PlaygroundNode node, Process process, long logLengthBefore)
    {
        Node = node;
        _process = process;
        _logLengthBefore = logLengthBefore;
        ProcessId = process.Id;
        Exited = process.WaitForExitAsync();
    }

    public PlaygroundNode Node { get; }

    public int ProcessId { get; }

    public Task Exited { get; }

    /// <summary>Once exited: 128 + the signal's number if it was killed.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>What the program itself said last, null if nothing.</summary>
    public string? Complaint => NodeLog.LastComplaint(Node.LogFile, _logLengthBefore);

    public static StartedNode Start(NodeProgram program, PlaygroundNode node)
    {
        long logLengthBefore = NodeLog.LengthOf(node.LogFile);
        return new StartedNode(node, program.Start(node), logLengthBefore);
    }

    /// <summary>Once exited, in a few words.</summary>
    public string HowItEnded() => ExitCode switch
    {
        SignalBase + 9 => "killed (SIGKILL)",
        SignalBase + 6 => "aborted (SIGABRT)",
        SignalBase + 15 => "killed (SIGTERM)",
        > SignalBase => $"killed by signal {ExitCode - SignalBase}",
        0 => "stopped in good order",
        _ => Complaint is { } complaint ? $"exit code {ExitCode}: {complaint}" : $"exit code {ExitCode}, see {Node.LogFile}",
    };

    /// <summary>Asks it to hand over, flush and stop. It may take a while.</summary>
    public void Stop()
    {
        if (!Exited.IsCompleted) Signals.SendTerminate(ProcessId);
    }

    public void Kill()
    {
        if (!Exited.IsCompleted) _process.Kill();
    }

    public void Dispose() => _process.Dispose();
}
