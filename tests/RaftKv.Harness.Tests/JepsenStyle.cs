using System.Text;

namespace RaftKv.Harness.Tests;

/// <summary>The program as a shell sees it.</summary>
internal static class JepsenStyle
{
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using MemoryStream output = new();
        using MemoryStream error = new();
        int exitCode = await Program.RunAsync(arguments, new Screen("jepsen-style", Stream.Null, output, error));
        return (exitCode, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }
}
