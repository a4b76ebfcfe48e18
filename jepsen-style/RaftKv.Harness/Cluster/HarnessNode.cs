using System.Diagnostics;
using System.Globalization;
using RaftKv.Client;
using RaftKv.CommandLine.Native;

namespace RaftKv.Harness.Cluster;

/// <summary>One raftkv-node of the run: its place and its process, which faults end, hold and start again.</summary>
/// <param name="command">The whole command line of a start.</param>
/// <remarks>Thread-safe in so far as one fault at a time handles processes; readers may look at any time.</remarks>
internal sealed class HarnessNode(int index, string name, ClientEndpoint client, string directory, string logFile, string[] command, MadeThings made) : IDisposable
{
    private const int SignalBase = 128;
    private volatile Process? _process;
    private long _logLengthBefore;

    /// <summary>Of earlier lives. Somebody may just be looking at one.</summary>
    private readonly List<Process> _former = [];

    public int Index => index;

    public string Name => name;

    public ClientEndpoint Client => client;

    public string Directory => directory;

    public string LogFile => logFile;

    /// <summary>While it runs; the last one's else.</summary>
    public int ProcessId { get; private set; }

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>Held by SIGSTOP, by us.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>A fault means it to be down: its end is no surprise.</summary>
    public bool IsMeantToBeDown { get; private set; }

    public int Starts { get; private set; }

    /// <param name="before">A program that runs it, with its arguments: strace.</param>
    public void Start(params ReadOnlySpan<string> before)
    {
        System.IO.Directory.CreateDirectory(directory); // Of the log.
        if (_process is { } former) _former.Add(former);
        IsMeantToBeDown = false;
        IsPaused = false;
        _logLengthBefore = NodeLog.LengthOf(logFile);
        Clock?.OnStart();
        Process process = LoggedProcess.Start(logFile, [.. before, .. Clock?.Command ?? [], .. command]);
        ProcessId = process.Id;
        made.AddProcess(process.Id);
        Starts++;
        _process = process;
    }

    /// <summary>Starts a tool that works on the process that runs; who asks for it ends it.</summary>
    public Process StartTool(params IEnumerable<string> command)
    {
        Process tool = LoggedProcess.Start(Path.Combine(directory, "tool.log"), command);
        made.AddProcess(tool.Id);
        return tool;
    }

    /// <summary>A fault expects that it ends by itself.</summary>
    public void MayEnd() => IsMeantToBeDown = true;

    public void MayNotEnd() => IsMeantToBeDown = false;

    /// <summary>Its own, if the run's faults need that.</summary>
    public DiskImage? Disk { get; set; }

    /// <summary>Its own, if the run's faults need that.</summary>
    public NodeClock? Clock { get; set; }

    /// <summary>Of its last life, 128 + the signal's number if it was killed; null while it runs.</summary>
    public int? ExitCode => _process is { HasExited: true } process ? process.ExitCode : null;

    /// <summary>Where the node keeps everything.</summary>
    public string DataDirectory => Path.Combine(directory, Disk is null ? "data" : "disk/data");

    /// <summary>kill -9; it is gone on return.</summary>
    public async Task KillAsync()
    {
        IsMeantToBeDown = true;
        Signals.SendKill(ProcessId);
        await WaitForExitAsync();
        IsPaused = false;
    }

    /// <summary>SIGTERM; it is gone on return, by SIGKILL if it does not go within <paramref name="patience"/>. Returns its exit code, -1 for killed.</summary>
    public async Task<int> StopAsync(TimeSpan patience)
    {
        IsMeantToBeDown = true;
        Resume();
        Signals.SendTerminate(ProcessId);
        Task exited = WaitForExitAsync();
        if (await Task.WhenAny(exited, Task.Delay(patience)) == exited) return _process!.ExitCode;
        await KillAsync();
        return -1;
    }

    public void Pause()
    {
        Signals.SendStop(ProcessId);
        IsPaused = true;
    }

    public void Resume()
    {
        if (!IsPaused) return;
        Signals.SendContinue(ProcessId);
        IsPaused = false;
    }

    /// <summary>A control group for it; it is not in it yet.</summary>
    public ControlGroup MakeGroup(GroupController controller) => ControlGroup.Create(GroupTree.Of(controller)!, string.Create(CultureInfo.InvariantCulture, $"jepsen-style-{Environment.ProcessId}-{name}"), made);

    public void Enter(ControlGroup group) => group.Add(ProcessId, ProcessFacts.GroupsOf(ProcessId));

    public Task WaitForExitAsync() => _process?.WaitForExitAsync() ?? Task.CompletedTask;

    /// <summary>How it ended though no fault had ended it; null if it runs or was meant to be down.</summary>
    public string? Surprise()
    {
        if (IsMeantToBeDown || _process is not { HasExited: true } process) return null;
        return process.ExitCode > SignalBase ? $"{name} died of signal {process.ExitCode - SignalBase}" : $"{name} ended with exit code {process.ExitCode}: {NodeLog.LastComplaint(logFile, _logLengthBefore) ?? $"see {logFile}"}";
    }

    public void Dispose()
    {
        foreach (Process former in _former) former.Dispose();
        _process?.Dispose();
    }
}
