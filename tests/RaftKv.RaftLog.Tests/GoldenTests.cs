using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using RaftKv.MultiRaft.Ports;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// Log directories of format version 1, kept for ever: they must recover to the same text, and the writer must still make the same
/// bytes. <c>GOLDEN_REWRITE=1</c> makes the files anew, which only a format that was never released may do.
/// </summary>
public sealed class GoldenTests
{
    private const int RowBytes = 32;

    /// <summary>A log that only grew; and one whose first segments were carried forward and recycled.</summary>
    public static TheoryData<string> Logs => ["log-v1", "log-v1-carried"];

    [Theory]
    [MemberData(nameof(Logs))]
    public void The_log_of_format_1_recovers_to_its_text(string log) =>
        Check(log + ".text.txt", LogText.Recover(Load(Expected(log + ".bytes.txt") ?? Dump(Write(log)))));

    [Theory]
    [MemberData(nameof(Logs))]
    public void The_writer_makes_the_bytes_of_format_1(string log) => Check(log + ".bytes.txt", Dump(Write(log)));

    private static MemoryDisk Write(string name)
    {
        MemoryDisk disk = new();
        if (name == "log-v1")
        {
            using SegmentedRaftLog log = LogText.Open(disk, out _, saltSeed: 17);
            new LogScript(seed: 5, batches: 16).Run(log, log.Commit);
            return disk;
        }

        using SmallLog carried = SmallLog.Born(disk);
        carried.TruncateUntilFreed(3);
        carried.Append(3);
        return disk;
    }

    /// <summary>Per file a line with name and length, then rows of 32 bytes that are not all zero, by offset.</summary>
    private static string Dump(MemoryDisk disk)
    {
        StringBuilder text = new();
        foreach (string name in disk.List())
        {
            byte[] bytes = disk.BytesOf(name);
            text.Append(CultureInfo.InvariantCulture, $"file {name} {bytes.Length}\n");
            for (int offset = 0; offset < bytes.Length; offset += RowBytes)
            {
                ReadOnlySpan<byte> row = bytes.AsSpan(offset, Math.Min(RowBytes, bytes.Length - offset));
                if (row.ContainsAnyExcept((byte)0)) text.Append(CultureInfo.InvariantCulture, $"{offset:x6} {Convert.ToHexStringLower(row)}\n");
            }
        }

        return text.ToString();
    }

    private static MemoryDisk Load(string dump)
    {
        MemoryDisk disk = new();
        IDiskFile? file = null;
        foreach (string line in dump.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ');
            if (parts[0] == "file")
            {
                file = disk.Create(parts[1]);
                file.Write(0, new byte[int.Parse(parts[2], CultureInfo.InvariantCulture)]);
            }
            else
            {
                file!.Write(int.Parse(parts[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), Convert.FromHexString(parts[1]));
            }
        }

        return disk;
    }

    private static void Check(string name, string actual, [CallerFilePath] string source = "")
    {
        if (Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1")
        {
            File.WriteAllText(Path.Combine(Path.GetDirectoryName(source)!, "Golden", name), actual);
            return;
        }

        Assert.Equal(Expected(name), actual);
    }

    /// <summary>Null while the files are made anew.</summary>
    private static string? Expected(string name)
    {
        if (Environment.GetEnvironmentVariable("GOLDEN_REWRITE") == "1") return null;
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
