using RaftKv.Bench.Meters;

namespace RaftKv.Bench.Tests.Meters;

/// <summary>What Linux and servers say of themselves, as text.</summary>
public sealed class MeterTests
{
    [Fact]
    public void A_process_is_read_from_its_stat_whatever_its_name()
    {
        const string Stat = "24686 (a) b (c) S 1 24686 24686 0 -1 4194560 17 18 19 20 150 25 23 24 20 0 32 0 1297 4096000 321 18446744073709551615 1 1 0 0 0 0 0 4096 17663 0 0 0 17 1 0 0 0 0 0\n";
        Assert.Equal(new ProcessFigures(1_750_000, 321 * 4096, 7), ProcessFigures.Parse(Stat, 4096, 7));
    }

    [Fact]
    public void This_process_has_figures_and_they_grow()
    {
        ProcessFigures before = ProcessFigures.Read(Environment.ProcessId);
        Assert.InRange(before.ResidentBytes, 1_000_000, 100_000_000_000);
        while (ProcessFigures.Read(Environment.ProcessId).CpuMicros == before.CpuMicros) _ = new byte[1000];
    }

    [Fact]
    public void A_process_that_does_not_exist_is_named() => Assert.Contains("4194305", Assert.Throws<LoadException>(() => ProcessFigures.Read(4194305)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_process_that_has_gone_is_left_out_of_a_sample()
    {
        IReadOnlyList<ServerSample> samples = await new ProcessMeter([Environment.ProcessId, 4194305]).SampleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Environment.ProcessId, Assert.Single(samples).ProcessId);
    }

    [Fact]
    public void A_directory_is_on_the_mount_with_the_longest_path_above_it()
    {
        string[] mounts =
        [
            "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw", "30 27 0:25 / /data rw - tmpfs none rw", "31 27 254:16 / /data rw master:1 - xfs /dev/vdb rw",
            "32 27 0:26 / /data/cache rw - tmpfs none rw",
        ];
        Assert.Equal(new BlockDevice("ext4", "/sys/dev/block/254:0/stat"), BlockDevice.Parse(mounts, "/database"));
        Assert.Equal(new BlockDevice("xfs", "/sys/dev/block/254:16/stat"), BlockDevice.Parse(mounts, "/data/x"));
        Assert.Equal(new BlockDevice("xfs", "/sys/dev/block/254:16/stat"), BlockDevice.Parse(mounts, "/data"));
        Assert.True(BlockDevice.Parse(mounts, "/data/cache").IsInMemory);
        Assert.False(BlockDevice.Parse(mounts, "/").IsInMemory);
    }

    [Fact]
    public void Sectors_written_are_the_seventh_number() => Assert.Equal(27027864L * 512, BlockDevice.ParseStat("  150185    30349  6752234   100183  1488276    89959 27027864   199042        0   202788\n"));

    [Fact]
    public void A_machine_is_busy_with_user_nice_and_system_time() => Assert.Equal(60_000, MachineCpu.Parse("cpu  1 2 3 400 50 60 70 80 0 0"));

    [Theory]
    [InlineData("etcd_server_is_leader", 1.0)]
    [InlineData("etcd_disk_wal_fsync_duration_seconds_count", 1.25e6)]
    [InlineData("etcd_disk_wal", null)]
    [InlineData("labelled", null)]
    public void A_metric_is_found_by_its_whole_name(string name, double? value) => Assert.Equal(value, EtcdMeter.MetricIn(
        "# HELP etcd_server_is_leader Whether.\n# TYPE etcd_server_is_leader gauge\netcd_server_is_leader 1\nlabelled{a=\"b\"} 3\netcd_disk_wal_fsync_duration_seconds_count 1.25e+06\n", name));

    [Fact]
    public void What_a_server_used_is_the_difference_and_what_is_unknown_stays_so()
    {
        ServerSample before = new("n1", 7, 100, 5_000, DirtiedBytes: 10, LogSyncs: 1, AllocatedBytes: 1_000);
        ServerUse use = Assert.Single(ServerUse.Between([before, new ServerSample("n2", 8, 0, 0)], [before with { CpuMicros = 250, ResidentBytes = 4_000, DirtiedBytes = null, LogSyncs = 4, AllocatedBytes = 3_000 }]));
        Assert.Equal(new ServerUse("n1", 7, 150, 4_000, null, 3, null, 2_000, null, null), use);
    }

    [Fact]
    public void A_server_that_was_started_anew_meanwhile_is_left_out() =>
        Assert.Empty(ServerUse.Between([new ServerSample("n1", 7, 100, 0)], [new ServerSample("n1", 8, 5, 0)]));
}
