using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>Which disk a peer was met with is durable before the peer counts (design §7, last rule).</summary>
public sealed class PeerDisksTests
{
    private const int RecordBytes = 24;

    [Fact]
    public void The_first_disk_is_taken_and_another_one_under_the_same_name_refused()
    {
        PeerDisks disks = PeerDisks.Open(new MemoryDisk());
        Assert.Null(disks.Refusal(Peer("n2", 1)));
        Assert.Null(disks.Refusal(Peer("n2", 1)));
        Assert.Null(disks.Refusal(Peer("n3", 2)));
        string refusal = Assert.IsType<string>(disks.Refusal(Peer("n2", 7)));
        Assert.Contains("n2", refusal, StringComparison.Ordinal);
        Assert.Contains($"{1:x16}", refusal, StringComparison.Ordinal);
        Assert.Contains($"{7:x16}", refusal, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal);
    }

    [Fact]
    public void What_was_met_is_remembered_after_any_crash()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            MemoryDisk disk = new();
            PeerDisks disks = PeerDisks.Open(disk);
            Assert.Null(disks.Refusal(Peer("n2", 1)));
            Assert.Null(disks.Refusal(Peer("n3", 2)));
            disk = seed % 2 == 0 ? disk.AfterPowerCut(new SplitMix(seed)) : disk.AfterKill();
            disks = PeerDisks.Open(disk);
            Assert.NotNull(disks.Refusal(Peer("n2", 9)));
            Assert.NotNull(disks.Refusal(Peer("n3", 9)));
            Assert.Null(disks.Refusal(Peer("n4", 3)));
        }
    }

    [Fact]
    public void A_torn_record_at_the_end_is_written_over()
    {
        MemoryDisk disk = new();
        Assert.Null(PeerDisks.Open(disk).Refusal(Peer("n2", 1)));
        disk.Damage(PeerDisks.FileName, bytes => [.. bytes, .. new byte[] { 1, 2, 3 }]);
        PeerDisks disks = PeerDisks.Open(disk);
        Assert.Null(disks.Refusal(Peer("n3", 2)));
        disks = PeerDisks.Open(disk.AfterKill());
        Assert.NotNull(disks.Refusal(Peer("n2", 9)));
        Assert.NotNull(disks.Refusal(Peer("n3", 9)));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(18)]
    public void A_whole_last_record_that_does_not_check_is_written_over_too(int at)
    {
        MemoryDisk disk = Met(out _);
        disk.Damage(PeerDisks.FileName, bytes => Flip(bytes, 2 * RecordBytes + at));
        PeerDisks again = PeerDisks.Open(disk);
        Assert.False(again.Knows(Peer("n4", 0).Node));
        Assert.Null(again.Refusal(Peer("n4", 77)));
        Assert.Equal(77UL, PeerDisks.Open(disk).DiskOf(Peer("n4", 0).Node));
    }

    [Fact]
    public void A_record_that_does_not_check_before_one_that_does_is_rot_and_refuses_the_start()
    {
        MemoryDisk disk = Met(out PeerDisks disks);
        Assert.Equal((2UL, 0UL), (disks.DiskOf(Peer("n3", 0).Node), disks.DiskOf(Peer("n5", 0).Node)));
        disk.Damage(PeerDisks.FileName, bytes => Flip(bytes, RecordBytes + 3));
        DiskFailedException rot = Assert.Throws<DiskFailedException>(() => PeerDisks.Open(disk));
        Assert.StartsWith($"peer-disks at offset {RecordBytes}: ", rot.Message, StringComparison.Ordinal);
    }

    private static MemoryDisk Met(out PeerDisks disks)
    {
        MemoryDisk disk = new();
        disks = PeerDisks.Open(disk);
        Assert.Null(disks.Refusal(Peer("n2", 1)));
        Assert.Null(disks.Refusal(Peer("n3", 2)));
        Assert.Null(disks.Refusal(Peer("n4", 3)));
        return disk;
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        bytes[at] ^= 0x10;
        return bytes;
    }

    private static Hello Peer(string name, ulong diskId) => new(1, 1, 1, 1, new NodeId((ulong)name[1]), diskId, 5, default, name);
}
