using System.Globalization;

namespace RaftKv.Bench.Meters;

/// <summary>What Linux counts of a process of this machine: <c>/proc/&lt;pid&gt;</c>.</summary>
/// <param name="CpuMicros">User and system time of all its threads since its start, in steps of 10 ms.</param>
/// <param name="ResidentBytes">Now.</param>
/// <param name="DirtiedBytes">Of pages it made dirty since its start, as Linux accounts them: see <see cref="BlockDevice"/>; null when this user may not know.</param>
public sealed record ProcessFigures(long CpuMicros, long ResidentBytes, long? DirtiedBytes)
{
    /// <summary>USER_HZ is 100 on every Linux that .NET runs on.</summary>
    internal const long MicrosPerTick = 10_000;

    /// <summary>Throws <see cref="LoadException"/> when there is no such process.</summary>
    public static ProcessFigures Read(int processId)
    {
        string directory = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}");
        try
        {
            long? dirtied = TryReadDirtied(Path.Combine(directory, "io"));
            return Parse(File.ReadAllText(Path.Combine(directory, "stat")), Environment.SystemPageSize, dirtied);
        }
        catch (IOException)
        {
            throw new LoadException($"there is no process {processId}");
        }
    }

    /// <summary>
    /// The fields behind the command's name in <c>stat</c> (proc_pid_stat(5)): state is number 3, utime 14, stime 15, rss in pages 24. The name may
    /// hold spaces and parentheses.
    /// </summary>
    internal static ProcessFigures Parse(string stat, int pageBytes, long? dirtiedBytes)
    {
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return new ProcessFigures((Field(14) + Field(15)) * MicrosPerTick, Field(24) * pageBytes, dirtiedBytes);

        long Field(int number) => long.Parse(fields[number - 3], CultureInfo.InvariantCulture);
    }

    private static long? TryReadDirtied(string file)
    {
        const string Name = "write_bytes: ";
        try
        {
            string? line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal));
            return line is null ? null : long.Parse(line[Name.Length..], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or FileNotFoundException)
        {
            return null;
        }
    }
}
