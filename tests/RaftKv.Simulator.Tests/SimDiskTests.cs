using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.Simulator.Tests;

/// <summary>The simulated disk promises what a real one does, and not a byte more.</summary>
public sealed class SimDiskTests
{
    [Fact]
    public void What_was_synced_survives_a_power_cut_and_what_was_not_is_kept_lost_or_torn_by_sector()
    {
        int kept = 0;
        int lost = 0;
        int torn = 0;
        for (ulong seed = 0; seed < 300; seed++)
        {
            SimDisk disk = new(new SplitMix(seed));
            using IDiskFile file = disk.Create("f");
            file.Write(0, Filled(1, SimDisk.SectorBytes));
            file.Sync();
            disk.SyncDirectory();
            file.Write(SimDisk.SectorBytes, Filled(2, SimDisk.SectorBytes));
            disk.CutPower();

            byte[] read = new byte[2 * SimDisk.SectorBytes];
            int length = disk.Open("f").Read(0, read);
            Assert.Equal(Filled(1, SimDisk.SectorBytes), read[..SimDisk.SectorBytes]);
            int survived = read.AsSpan(SimDisk.SectorBytes).Count((byte)2);
            Assert.Equal(SimDisk.SectorBytes + survived, length);
            if (survived == 0) lost++;
            else if (survived == SimDisk.SectorBytes) kept++;
            else torn++;
        }

        Assert.InRange(kept, 50, 200);
        Assert.InRange(lost, 50, 200);
        Assert.InRange(torn, 50, 200);
    }

    [Fact]
    public void Of_unsynced_directory_operations_a_prefix_survives()
    {
        HashSet<string> outcomes = [];
        for (ulong seed = 0; seed < 100; seed++)
        {
            SimDisk disk = new(new SplitMix(seed));
            disk.Create("a").Dispose();
            disk.Rename("a", "b");
            disk.Create("c").Dispose();
            disk.CutPower();
            outcomes.Add(string.Join(' ', disk.List()));
        }

        Assert.Equal(["", "a", "b", "b c"], outcomes.Order());
    }

    [Fact]
    public void Rot_flips_one_bit_of_what_was_synced_and_written_long_ago()
    {
        const int writes = 20;
        HashSet<long> rotten = [];
        for (ulong seed = 0; seed < 200; seed++)
        {
            SimDisk disk = new(new SplitMix(seed));
            using IDiskFile file = disk.Create("f");
            disk.SyncDirectory();
            for (int i = 0; i < writes; i++)
            {
                file.Write(i * SimDisk.SectorBytes, Filled((byte)(i + 1), SimDisk.SectorBytes));
                if (i < writes - 9) file.Sync();
            }

            (string name, long offset) = disk.TryRot(new SplitMix(seed))!.Value;
            disk.CutPower();
            byte[] read = new byte[writes * SimDisk.SectorBytes];
            int length = disk.Open(name).Read(0, read);
            byte written = (byte)(offset / SimDisk.SectorBytes + 1);
            Assert.InRange(offset, 0, (writes - 9) * SimDisk.SectorBytes - 1);
            Assert.Equal(1, int.PopCount(read[offset] ^ written));
            Assert.True(offset < length);
            rotten.Add(offset / SimDisk.SectorBytes);
        }

        Assert.Equal(writes - 9, rotten.Count);
    }

    [Fact]
    public void Nothing_rots_that_is_young_or_not_synced()
    {
        SimDisk disk = new(new SplitMix(1));
        using IDiskFile file = disk.Create("f");
        disk.SyncDirectory();
        file.Write(0, Filled(1, 4 * SimDisk.SectorBytes));
        file.Sync();
        Assert.Null(disk.TryRot(new SplitMix(2)));
    }

    [Fact]
    public void A_killed_process_leaves_unsynced_bytes_readable()
    {
        SimDisk disk = new(new SplitMix(1));
        disk.Create("f").Write(0, Filled(3, 10));
        byte[] read = new byte[10];
        Assert.Equal(10, disk.Open("f").Read(0, read));
    }

    private static byte[] Filled(byte value, int length)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }
}
