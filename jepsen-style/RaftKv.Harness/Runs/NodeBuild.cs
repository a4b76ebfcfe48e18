using System.Diagnostics;

namespace RaftKv.Harness.Runs;

/// <summary>Which build of raftkv-node is tested.</summary>
internal static class NodeBuild
{
    /// <summary>What the program says of itself: version and commit.</summary>
    public static async Task<string> OfAsync(string program)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true })!;
        string version = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return version.Trim();
    }
}
