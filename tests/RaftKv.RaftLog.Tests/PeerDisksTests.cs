using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>The file that remembers which disk each peer was met with, on a disk that tears and rots.</summary>
public sealed class PeerDisksTests
{
    private const int RecordBytes = 24;

    [Fact]
    public void What_was_met_is_known_after_a_restart()
    {
        MemoryDisk disk = Met(2, 3);
        PeerDisks again = PeerDisks.Open(disk);
        Assert.Equal((12UL, 13UL, 0UL), (again.DiskOf(new NodeId(2)), again.DiskOf(new NodeId(3)), again.DiskOf(new NodeId(4))));
        Assert.NotNull(again.Refusal(From(2, disk: 99)));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(18)]
    public void A_torn_last_record_is_forgotten_and_written_over(int at)
    {
        MemoryDisk disk = Met(2, 3);
        disk.Damage(PeerDisks.FileName, bytes => Flip(bytes, RecordBytes + at));
        PeerDisks again = PeerDisks.Open(disk);
        Assert.False(again.Knows(new NodeId(3)));
        Assert.Null(again.Refusal(From(3, disk: 77)));
        Assert.Equal(77UL, PeerDisks.Open(disk).DiskOf(new NodeId(3)));
    }

    [Fact]
    public void A_record_that_does_not_check_before_one_that_does_is_rot_and_refuses_the_start()
    {
        MemoryDisk disk = Met(2, 3, 4);
        disk.Damage(PeerDisks.FileName, bytes => Flip(bytes, RecordBytes + 3));
        DiskFailedException rot = Assert.Throws<DiskFailedException>(() => PeerDisks.Open(disk));
        Assert.StartsWith($"peer-disks at offset {RecordBytes}: ", rot.Message, StringComparison.Ordinal);
    }

    /// <summary>Node n has disk 10 + n.</summary>
    private static MemoryDisk Met(params ReadOnlySpan<int> nodes)
    {
        MemoryDisk disk = new();
        PeerDisks disks = PeerDisks.Open(disk);
        foreach (int node in nodes) Assert.Null(disks.Refusal(From(node, disk: 10 + (ulong)node)));
        return disk;
    }

    private static Hello From(int node, ulong disk) => new(1, 1, 0, 0, new NodeId((ulong)node), disk, 1, default, $"n{node}");

    private static byte[] Flip(byte[] bytes, int at)
    {
        bytes[at] ^= 0x10;
        return bytes;
    }
}
