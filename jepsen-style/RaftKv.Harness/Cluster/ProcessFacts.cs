using System.Globalization;

namespace RaftKv.Harness.Cluster;

/// <summary>What Linux says of a process: proc(5).</summary>
internal static class ProcessFacts
{
    /// <summary>User and system time in clock ticks of 10 ms; 0 if it has gone.</summary>
    public static long CpuTicks(int id) => Stat(id) is { } fields ? long.Parse(fields[14 - 3], CultureInfo.InvariantCulture) + long.Parse(fields[15 - 3], CultureInfo.InvariantCulture) : 0;

    /// <summary>When it started, in clock ticks since boot; null if it has gone, or only waits to be reaped. An id alone may be another process's by now.</summary>
    public static string? StartOf(int id) => Stat(id) is { } fields && fields[0] is not ("Z" or "X") ? fields[22 - 3] : null;

    /// <summary>The fields from the third on, which is the state. The second, the name, may hold blanks and parentheses; it ends at the last one.</summary>
    private static string[]? Stat(int id)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
