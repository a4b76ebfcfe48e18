using System.Diagnostics;
using System.Globalization;

namespace RaftKv.Node.Tests.Support;

/// <summary>A raftkv-node in a process of its own, with its ports and directory, which outlive its processes.</summary>
internal sealed class NodeUnderTest(string name, string directory, string initialCluster, int clientPort, int peerPort, string[] options) : IAsyncDisposable
{
    private readonly List<string> _output = [];
    private Process? _process;

    public static string Program { get; } = FindProgram();

    public string Name => name;

    public string Directory => directory;

    public int ClientPort => clientPort;

    public int PeerPort => peerPort;

    public bool IsRunning => _process is not null;

    public Uri Url { get; } = new($"http://127.0.0.1:{clientPort.ToString(CultureInfo.InvariantCulture)}");

    /// <summary>Of the node itself, also when strace stands before it.</summary>
    public int ProcessId => int.Parse(File.ReadAllText(Path.Combine(directory, "node.pid")), CultureInfo.InvariantCulture);

    public string[] Arguments =>
    [
        "--name", name, "--data-dir", directory, "--initial-cluster", initialCluster,
        "--listen-client", $"127.0.0.1:{clientPort}", "--listen-peer", $"127.0.0.1:{peerPort}", .. options,
    ];

    /// <summary>All it has written to standard output and error.</summary>
    public string Output
    {
        get { lock (_output) return string.Join('\n', _output); }
    }

    /// <param name="before">A program that runs it, with its arguments: strace.</param>
    /// <param name="arguments">Null: the usual ones.</param>
    public void Start(string[]? before = null, string[]? arguments = null)
    {
        string[] command = [.. before ?? [], Program, .. arguments ?? Arguments];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += Note;
        _process.ErrorDataReceived += Note;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public void Signal(int signal) => Posix.Signal(ProcessId, signal);

    /// <summary>kill -9, and the process is gone on return.</summary>
    public async Task KillAsync()
    {
        Signal(Posix.Kill);
        await WaitForExitAsync();
    }

    public bool HasEnded => _process!.HasExited;

    /// <summary>Completes when the process ends; whoever awaits it alone had better use <see cref="WaitForExitAsync"/>.</summary>
    public Task EndedAsync() => _process!.WaitForExitAsync();

    public async Task<int> WaitForExitAsync()
    {
        using CancellationTokenSource limit = new(Wait.Limit);
        try
        {
            await _process!.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{name} has not ended within {Wait.Limit.TotalSeconds} s:\n{Output}");
        }

        int code = _process.ExitCode;
        _process.Dispose();
        _process = null;
        return code;
    }

    /// <summary>Every local shard has a leader and has applied something of its term.</summary>
    public async Task WaitReadyAsync()
    {
        await WaitReadyOrEndedAsync();
        if (!_process!.HasExited) return;
        await _process.WaitForExitAsync(); // The rest of its output.
        Assert.Fail($"{name} has ended with {_process.ExitCode}:\n{Output}");
    }

    /// <summary>The same for a node that may not get so far.</summary>
    public Task WaitReadyOrEndedAsync() => Wait.UntilAsync($"{name} is ready", async () =>
    {
        if (_process!.HasExited) return true;
        using HttpResponseMessage response = await Client.Http.GetAsync(new Uri(Url, "/readyz"));
        return response.IsSuccessStatusCode;
    }, () => Output);

    public async ValueTask DisposeAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Note(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null) return;
        lock (_output) _output.Add(line.Data);
    }

    /// <summary>The node that was built with these tests: artifacts/bin/RaftKv.Node beside ours.</summary>
    private static string FindProgram()
    {
        DirectoryInfo own = new(AppContext.BaseDirectory);
        string program = Path.Combine(own.Parent!.Parent!.FullName, "RaftKv.Node", own.Name, "RaftKv.Node");
        return File.Exists(program) ? program : throw new FileNotFoundException("build RaftKv.Node first", program);
    }
}
