using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>What Linux says of a process: proc(5).</summary>
internal static class ProcessFacts
{
    /// <summary>User and system time in clock ticks of 10 ms; 0 if it has gone.</summary>
    public static long CpuTicks(int id) => Stat(id) is { } fields ? long.Parse(fields[14 - 3], CultureInfo.InvariantCulture) + long.Parse(fields[15 - 3], CultureInfo.InvariantCulture) : 0;

    /// <summary>When it started, in clock ticks since boot; null if it has gone, or only waits to be reaped. An id alone may be another process's by now.</summary>
    public static string? StartOf(int id) => Stat(id) is { } fields && fields[0] is not ("Z" or "X") ? fields[22 - 3] : null;

    /// <summary>How many of its threads wait for a disk, or a file system, and can be ended by nothing (state D).</summary>
    public static int ThreadsInDiskWait(int id)
    {
        string tasks = string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/task");
        try
        {
            return Directory.EnumerateDirectories(tasks).Count(task => StatIn(task) is { } fields && fields[0] == "D");
        }
        catch (IOException)
        {
            return 0; // It has gone.
        }
    }

    /// <summary>Whether the process holds this end of a TCP connection over 127.0.0.1.</summary>
    /// <param name="port">Its own.</param>
    /// <param name="otherPort">The other end's.</param>
    public static bool OwnsConnection(int id, int port, int otherPort)
    {
        const string Loopback = "0100007F";
        const int OwnAddress = 1;
        const int OtherAddress = 2;
        const int Inode = 9;
        string own = string.Create(CultureInfo.InvariantCulture, $"{Loopback}:{port:X4}");
        string other = string.Create(CultureInfo.InvariantCulture, $"{Loopback}:{otherPort:X4}");
        try
        {
            string[]? row = File.ReadLines("/proc/net/tcp").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).FirstOrDefault(fields => fields[OwnAddress] == own && fields[OtherAddress] == other);
            return row is not null && new DirectoryInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/fd")).EnumerateFiles().Any(file => file.LinkTarget == $"socket:[{row[Inode]}]");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // It has gone.
        }
    }

    private static string[]? Stat(int id) => StatIn(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}"));

    /// <summary>The fields from the third on, which is the state. The second, the name, may hold blanks and parentheses; it ends at the last one.</summary>
    private static string[]? StatIn(string directory)
    {
        try
        {
            string stat = File.ReadAllText(Path.Combine(directory, "stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
