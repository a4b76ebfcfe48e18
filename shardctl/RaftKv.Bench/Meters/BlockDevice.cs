using System.Globalization;

namespace RaftKv.Bench.Meters;

/// <summary>The filesystem that a directory is on, and the device under it.</summary>
/// <remarks>
/// Whole machine, not one process: but what a process has "written" by <c>/proc/&lt;pid&gt;/io</c> says too much where pages are kept in large folios, as ext4's are
/// from Linux 6.16 on: a byte written makes up to megabytes count, of which only the block that changed goes to the device.
/// </remarks>
/// <param name="Filesystem">Its type: ext4.</param>
/// <param name="StatFile">Of the device; null when there is none, as for tmpfs.</param>
public sealed record BlockDevice(string Filesystem, string? StatFile)
{
    private const long BytesPerSector = 512;

    /// <summary>Whether a sync goes to a device at all.</summary>
    public bool IsInMemory => Filesystem is "tmpfs" or "ramfs";

    public static BlockDevice Under(string directory)
    {
        BlockDevice device = Parse(File.ReadAllLines("/proc/self/mountinfo"), Path.GetFullPath(directory));
        return device with { StatFile = File.Exists(device.StatFile) ? device.StatFile : null };
    }

    /// <summary>Bytes written to the device since the machine started, by all; null when that is not known.</summary>
    public long? WrittenBytes() => StatFile is null ? null : ParseStat(File.ReadAllText(StatFile));

    /// <summary>Finds the mount with the longest path above the directory, the last one if several are on top of each other: proc_pid_mountinfo(5).</summary>
    internal static BlockDevice Parse(IEnumerable<string> mountInfo, string directory)
    {
        // 36 35 98:0 /part/mounted /mount/point options [more…] - type source super-options
        string[] mount = mountInfo.Reverse()
            .Select(line => line.Split(' '))
            .Where(fields => IsAbove(fields[4], directory))
            .MaxBy(fields => fields[4].Length)!;
        return new BlockDevice(mount[Array.IndexOf(mount, "-") + 1], $"/sys/dev/block/{mount[2]}/stat");
    }

    /// <summary>The seventh number is of sectors written: Documentation/block/stat.rst of Linux.</summary>
    internal static long ParseStat(string stat) => long.Parse(stat.Split(' ', StringSplitOptions.RemoveEmptyEntries)[6], CultureInfo.InvariantCulture) * BytesPerSector;

    private static bool IsAbove(string mountPoint, string directory) =>
        mountPoint == "/" || directory == mountPoint || (directory.StartsWith(mountPoint, StringComparison.Ordinal) && directory[mountPoint.Length] == '/');
}
