using System.Diagnostics;

namespace RaftKv.Node.Tests.Support;

/// <summary>A file system of a few MiB in memory, mounted where a node is to live, with a file in it that takes up room until it is deleted.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _directory;
    private readonly string _ballast;

    /// <summary>Makes the directory. Skips the test without the right to mount.</summary>
    public SmallDisk(string directory, int mebibytes)
    {
        _directory = directory;
        _ballast = Path.Combine(directory, "ballast");
        Directory.CreateDirectory(directory);
        if (Run("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "tmpfs", directory) is { Length: > 0 } error) Assert.Skip($"a file system cannot be mounted here: {error}");
    }

    /// <summary>Takes up so much room, or (null) all there is.</summary>
    public void Fill(int? mebibytes = null)
    {
        byte[] block = new byte[64 * 1024];
        using FileStream file = new(_ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            for (int i = 0; mebibytes is null || i < mebibytes * 16; i++) file.Write(block);
        }
        catch (IOException) when (mebibytes is null)
        {
            // Full.
        }
    }

    public void Empty() => File.Delete(_ballast);

    /// <summary>At once for who looks by name; the node in it may still run for a moment.</summary>
    public void Dispose() => Run("umount", "--lazy", _directory);

    /// <summary>What it complained of, empty when it did not.</summary>
    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? "" : error.Length > 0 ? error : $"{program} ended with {process.ExitCode}";
    }
}
