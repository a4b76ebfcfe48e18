using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>Which disk a peer was met with is durable before the peer counts (design §7, last rule).</summary>
public sealed class PeerDisksTests
{
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

    private static Hello Peer(string name, ulong diskId) => new(1, 1, 1, 1, new NodeId((ulong)name[1]), diskId, 5, default, name);
}
