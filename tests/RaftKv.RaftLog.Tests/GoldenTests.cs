using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>
/// Log directories of format version 1, kept for ever: they must recover to the same text, and the writer must still make the same
/// bytes. <c>GOLDEN_REWRITE=1</c> makes the files anew, which only a format that was never released may do.
/// </summary>
public sealed class GoldenTests
{
    private const int RowBytes = 32;

    /// <summary>A log that only grew; one whose first segments were carried forward and recycled; and one of groups whose members changed, came and went.</summary>
    public static TheoryData<string> Logs => ["log-v1", "log-v1-carried", "log-v1-members"];

    [Theory]
    [MemberData(nameof(Logs))]
    public void The_log_of_format_1_recovers_to_its_text(string log) =>
        Check(log + ".text.txt", LogText.Recover(Load(Expected(log + ".bytes.txt") ?? Dump(Write(log)))));

    [Theory]
    [MemberData(nameof(Logs))]
    public void The_writer_makes_the_bytes_of_format_1(string log) => Check(log + ".bytes.txt", Dump(Write(log)));

    [Fact]
    public void The_disks_of_peers_are_read_as_format_1_wrote_them()
    {
        MemoryDisk disk = Load(Expected("peer-disks-v1.bytes.txt") ?? Dump(WritePeerDisks()));
        PeerDisks disks = PeerDisks.Open(disk);
        Assert.Equal((0xD2UL, 0xFFEE_DDCC_BBAA_9988UL, 0UL), (disks.DiskOf(new NodeId(0x52)), disks.DiskOf(new NodeId(0xA5A0_4218_17D3_37EF)), disks.DiskOf(new NodeId(0x53))));
    }

    [Fact]
    public void The_disks_of_peers_are_written_in_format_1() => Check("peer-disks-v1.bytes.txt", Dump(WritePeerDisks()));

    private static MemoryDisk Write(string name)
    {
        MemoryDisk disk = new();
        switch (name)
        {
            case "log-v1":
                using (SegmentedRaftLog log = LogText.Open(disk, out _, saltSeed: 17)) new LogScript(seed: 5, batches: 16).Run(log, log.Commit);
                break;
            case "log-v1-carried":
                using (SmallLog carried = SmallLog.Born(disk))
                {
                    carried.TruncateUntilFreed(3);
                    carried.Append(3);
                }

                break;
            default:
                using (SegmentedRaftLog log = LogText.Open(disk, out _, saltSeed: 23)) MembershipScript.Run(log);
                break;
        }

        return disk;
    }

    private static MemoryDisk WritePeerDisks()
    {
        MemoryDisk disk = new();
        PeerDisks disks = PeerDisks.Open(disk);
        Assert.Null(disks.Refusal(new Hello(1, 1, 1, 1, new NodeId(0x52), 0xD2, 5, default, "n2")));
        Assert.Null(disks.Refusal(new Hello(1, 1, 1, 1, new NodeId(0xA5A0_4218_17D3_37EF), 0xFFEE_DDCC_BBAA_9988, 5, default, "n3")));
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
