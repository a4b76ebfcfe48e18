using System.Diagnostics;
using RaftKv.Storage.Native;

namespace RaftKv.Storage.Tests;

/// <summary>This test program, started again in one of its roles.</summary>
internal static class ChildProcess
{
    public const string WriteUntilKilled = "child-write-until-killed";
    public const string Probe = "child-probe";
    public const string OpenStore = "child-open-store";

    public static Process Start(string[] arguments, string? rocksDbLibrary = null)
    {
        string program = Path.Combine(AppContext.BaseDirectory, typeof(ChildProcess).Assembly.GetName().Name!);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        if (rocksDbLibrary is not null) start.Environment[RocksDbLibrary.OverrideVariable] = rocksDbLibrary;
        return Process.Start(start)!;
    }

    /// <summary>Runs it to its end; returns its exit code and all it printed.</summary>
    public static async Task<(int ExitCode, string Output)> Run(string[] arguments, string? rocksDbLibrary = null)
    {
        using Process process = Start(arguments, rocksDbLibrary);
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
