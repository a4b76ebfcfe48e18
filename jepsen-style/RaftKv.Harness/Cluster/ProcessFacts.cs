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
    public static int ThreadsInDiskWait(int id) => Threads(id).Count(thread => Read(Path.Combine(thread, "stat")) is { } stat && FieldsOf(stat)[0] == "D");

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

    /// <summary>How many files it has open; 0 if it has gone.</summary>
    public static int OpenFiles(int id) => Directory.Exists(PathOf(id, "fd")) ? Directory.GetFileSystemEntries(PathOf(id, "fd")).Length : 0;

    /// <summary>How many it may have open: the soft limit.</summary>
    public static long FileLimit(int id)
    {
        const string Row = "Max open files";
        return long.Parse(File.ReadLines(PathOf(id, "limits")).First(line => line.StartsWith(Row, StringComparison.Ordinal))[Row.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
    }

    /// <summary>The control groups that it is in, a line each.</summary>
    public static string[] GroupsOf(int id) => File.ReadAllLines(PathOf(id, "cgroup"));

    /// <summary>Whether a variable of its environment had a value when it started.</summary>
    public static bool HasVariable(int id, string name, string value) => File.ReadAllText(PathOf(id, "environ")).Split('\0').Contains($"{name}={value}");

    /// <summary>How many of its threads have a name.</summary>
    public static int ThreadsNamed(int id, string name) => Threads(id).Count(thread => Read(Path.Combine(thread, "comm"))?.TrimEnd('\n') == name);

    /// <summary>The threads that are in a system call, by its number; one that a tracer holds at the call's door counts too.</summary>
    public static string[] ThreadsIn(int id, int call) => [.. Threads(id).Where(thread => Read(Path.Combine(thread, "syscall"))?.StartsWith(string.Create(CultureInfo.InvariantCulture, $"{call} "), StringComparison.Ordinal) == true)];

    private static string[]? Stat(int id) => Read(PathOf(id, "stat")) is { } stat ? FieldsOf(stat) : null;

    /// <summary>The fields from the third on, which is the state. The second, the name, may hold blanks and parentheses; it ends at the last one.</summary>
    private static string[] FieldsOf(string stat) => stat[(stat.LastIndexOf(')') + 2)..].Split(' ');

    /// <summary>A folder each.</summary>
    private static string[] Threads(int id)
    {
        try
        {
            return Directory.GetDirectories(PathOf(id, "task"));
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string PathOf(int id, string file) => string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/{file}");
}
