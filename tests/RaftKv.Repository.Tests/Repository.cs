namespace RaftKv.Repository.Tests;

/// <summary>The source tree these tests were built from: the files that are committed, or would be.</summary>
/// <remarks>Walks the tree and asks git nothing, so that it works in a copy without .git and sees files not yet added.</remarks>
internal static class Repository
{
    /// <summary>What .gitignore names, and git's own, which in a worktree is a file.</summary>
    private static readonly HashSet<string> Skipped = [".git", ".data", ".vs", "artifacts", "bin", "out", "BenchmarkDotNet.Artifacts"];

    private const int SniffedBytes = 8192;

    public static readonly string Root = FindRoot();

    /// <summary>Paths of all text files relative to <see cref="Root"/>, with <c>/</c>, sorted.</summary>
    public static readonly string[] TextFiles = [.. Walk(Root).Where(IsText).Select(Relative).Order(StringComparer.Ordinal)];

    public static string[] ReadLines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    public static string ReadText(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "RaftKv.sln"))) return directory.FullName;
        }

        throw new InvalidOperationException($"no RaftKv.sln above {AppContext.BaseDirectory}: run the program where it was built");
    }

    private static IEnumerable<string> Walk(string directory)
    {
        foreach (string file in Directory.EnumerateFiles(directory))
            if (!Skipped.Contains(Path.GetFileName(file))) yield return file;
        foreach (string child in Directory.EnumerateDirectories(directory))
        {
            if (Skipped.Contains(Path.GetFileName(child))) continue;
            foreach (string file in Walk(child)) yield return file;
        }
    }

    private static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    /// <summary>As git judges: a NUL among the first bytes makes a file binary.</summary>
    private static bool IsText(string file)
    {
        using FileStream stream = File.OpenRead(file);
        var head = new byte[SniffedBytes];
        int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return !head.AsSpan(0, read).Contains((byte)0);
    }
}
