using System.Runtime.InteropServices;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Http;
using RaftKv.Node.Native;
using RaftKv.Node.Options;
using RaftKv.Node.Storage;
using RaftKv.Raft;
using RaftKv.RaftLog;
using RaftKv.Storage.Native;

namespace RaftKv.Node;

/// <summary>
/// raftkv-node. Exit codes: 0 after SIGTERM or SIGINT; 1 when what the directory holds forbids to start or to go on (rot, lost log, another disk than its peers
/// have met this node with); 2 when an option is wrong, a port taken, the directory not ours to use or the limit of open files too low, in which case nothing was created; 86 when a disk or
/// an invariant failed while running.
/// </summary>
internal static class Program
{
    private const int Stopped = 0;
    private const int Refused = 1;
    private const int Usage = 2;
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(9);

    public static async Task<int> Main(string[] arguments)
    {
#if MUTANTS
        // For the harness's kill table: a deliberate fault in a real process.
        if (Environment.GetEnvironmentVariable("RAFTKV_MUTANT") is { } name) Mutants.Active = Enum.Parse<Mutant>(name);
#endif
        try
        {
            return OptionParser.Parse(arguments, Environment.GetEnvironmentVariable) is { } options ? await RunAsync(options) : Stopped;
        }
        catch (Exception exception) when (exception is OptionException or RocksDbUnavailableException)
        {
            return Complain(exception.Message, Usage);
        }
        catch (Exception exception) when (exception is StartRefusedException or LogCorruptException or DiskFailedException or StoreFailedException or InvariantViolatedException)
        {
            return Complain(exception.Message, Refused);
        }
        catch (Exception exception)
        {
            return Complain($"cannot start: {exception}", Refused); // Not foreseen: with all there is to know, still in one line.
        }
    }

    private static async Task<int> RunAsync(NodeOptions options)
    {
        TaskCompletionSource stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using Timer deadline = new(_ => Libc.ExitNow(Stopped)); // All that counts is in the log already.
        using PosixSignalRegistration terminate = OnSignal(PosixSignal.SIGTERM, stopRequested, deadline);
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stopRequested, deadline);

        // What can be refused without a trace comes first.
        RocksDbLibrary.Probe();
        if (options.InitialCluster is null && !DataDirectory.IsInhabited(options.DataDirectory))
            throw new OptionException($"--data-dir {options.DataDirectory} holds no node yet: the first start needs --initial-cluster");
        DescriptorPlan files = DescriptorPlan.Make(options);
        using BoundPorts ports = BoundPorts.Bind(options);
        using DataDirectory directory = DataDirectory.Open(options.DataDirectory);
        LogSwitch levels = new(options.LogLevel);
        using ILoggerFactory loggers = ConsoleLog.Create(levels, options.LogFormat);

        NodeProcess node = await NodeProcess.StartAsync(options, files, ports, directory, loggers, levels);
        await stopRequested.Task;
        await node.DisposeAsync();
        return Stopped;
    }

    /// <summary>The deadline runs from the signal on: a start that the disk keeps waiting would otherwise never hear of it.</summary>
    private static PosixSignalRegistration OnSignal(PosixSignal signal, TaskCompletionSource stopRequested, Timer deadline) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (stopRequested.TrySetResult()) deadline.Change(StopTimeout, Timeout.InfiniteTimeSpan);
        });

    private static int Complain(string why, int exitCode)
    {
        Console.Error.WriteLine($"raftkv-node: {why.ReplaceLineEndings(" ")}");
        return exitCode;
    }
}
