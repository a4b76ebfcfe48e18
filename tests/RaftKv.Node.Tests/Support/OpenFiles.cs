namespace RaftKv.Node.Tests.Support;

/// <summary>How many files a node may open, and has open.</summary>
internal static class OpenFiles
{
    /// <summary>The command that runs a node which may open so many.</summary>
    public static string[] AtMost(int files) => ["prlimit", $"--nofile={files}:{files}"];

    public static int CountOf(NodeUnderTest node) => Directory.GetFileSystemEntries($"/proc/{node.ProcessId}/fd").Length;
}
