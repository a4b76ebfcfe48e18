using RaftKv.MultiRaft.Ports;
using RaftKv.Storage.Native;
using Xunit.Runner.InProc.SystemConsole;

namespace RaftKv.Storage.Tests;

/// <summary>Runs the tests, or one of the roles in which the tests start this program again.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        return args switch
        {
            [ChildProcess.WriteUntilKilled, string directory, string seed] => CrashWriter.Run(directory, int.Parse(seed)),
            [ChildProcess.Probe] => ProbeLibrary(),
            [ChildProcess.OpenStore, string directory] => OpenStore(directory),
            _ => await ConsoleRunner.Run(args),
        };
    }

    private static int ProbeLibrary() => Report(RocksDbLibrary.Probe);

    private static int OpenStore(string directory) => Report(() =>
    {
        using var environment = new RocksEnvironment(1024 * 1024);
        using var store = RocksOrderedStore.Open(environment, directory);
        return "opened";
    });

    private static int Report(Func<string> action)
    {
        try
        {
            Console.WriteLine(action());
            return 0;
        }
        catch (Exception e) when (e is RocksDbUnavailableException or StoreFailedException)
        {
            Console.WriteLine($"{e.GetType().Name}: {e.Message}");
            return 1;
        }
    }
}
