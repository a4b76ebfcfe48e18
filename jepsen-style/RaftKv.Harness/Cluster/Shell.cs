using System.Diagnostics;

namespace RaftKv.Harness.Cluster;

/// <summary>Runs the system's tools.</summary>
internal static class Shell
{
    /// <summary>Throws <see cref="ToolFailedException"/> with what the tool said when it ends with another code than 0.</summary>
    public static async Task RunAsync(params string[] command)
    {
        (int exitCode, string said) = await TryAsync(command);
        if (exitCode != 0) throw Failure(command, exitCode, said);
    }

    /// <summary>What the tool wrote on standard output. Throws <see cref="ToolFailedException"/> like <see cref="RunAsync"/>.</summary>
    public static async Task<string> ReadAsync(params string[] command)
    {
        (int exitCode, string output, string said) = await EndedAsync(command);
        return exitCode == 0 ? output : throw Failure(command, exitCode, said);
    }

    /// <summary>Its exit code, and what it said on standard error, on one line.</summary>
    public static async Task<(int ExitCode, string Said)> TryAsync(params string[] command)
    {
        (int exitCode, _, string said) = await EndedAsync(command);
        return (exitCode, said);
    }

    private static ToolFailedException Failure(string[] command, int exitCode, string said) => new($"{string.Join(' ', command)}: {(said.Length > 0 ? said : $"exit code {exitCode}")}");

    private static async Task<(int ExitCode, string Output, string Said)> EndedAsync(string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, error.ReplaceLineEndings(" ").Trim());
    }
}

/// <summary>A tool of the system's did not do what it was asked; the message says which and why.</summary>
internal sealed class ToolFailedException(string message) : Exception(message);
