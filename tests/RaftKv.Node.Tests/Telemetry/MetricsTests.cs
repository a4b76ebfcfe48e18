using RaftKv.Node.Telemetry;
using RaftKv.Node.Tests.Api;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Telemetry;

/// <summary>/metrics is in Prometheus' format, and moves when something happens. <see cref="MetricsText"/> checks the format of every answer.</summary>
[Collection(nameof(SingleNode))]
public sealed class MetricsTests(SingleNode single)
{
    private const string Puts = "raftkv_server_request_duration_seconds_count{http_response_status_code=\"200\",raftkv_call=\"put\"}";

    [Fact]
    public async Task A_put_moves_every_stage_and_the_log()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1); // Nobody else puts there.
        NodeUnderTest node = cluster.Nodes[0];
        MetricsText before = await MetricsText.OfAsync(node);
        Assert.Equal(200, (await RawHttp.OnceAsync(node.ClientPort, "PUT", "/v1/kv/measured", new byte[1000])).Status);
        MetricsText after = before;
        // A request counts when its answer is written, which may be a moment after it is read.
        await Wait.UntilAsync("the put is counted", async () => (after = await MetricsText.OfAsync(node))[Puts] > before[Puts]);

        Assert.Equal((0, 1), (before[Puts], after[Puts]));
        foreach (string stage in (string[])["raftkv_write_duration_seconds", "raftkv_write_reply_duration_seconds"])
            Assert.Equal((stage, 1.0), (stage, after[stage + "_count"] - before[stage + "_count"]));
        foreach (string grown in (string[])["raftkv_write_persist_duration_seconds_count", "raftkv_write_commit_duration_seconds_count", "raftkv_write_apply_duration_seconds_count", "raftkv_log_sync_duration_seconds_count", "raftkv_log_syncs_total"])
            Assert.True(after[grown] > before[grown], grown);
        Assert.True(after["raftkv_log_written_bytes_total"] >= before["raftkv_log_written_bytes_total"] + 1000);
    }

    [Fact]
    public async Task Groups_are_counted_by_role_and_the_process_is_described()
    {
        MetricsText metrics = await MetricsText.OfAsync(single.Node);
        // A disk that stands still for long, as on a machine under load, costs it its leaderships for a moment.
        await Wait.UntilAsync("it leads both", async () =>
        {
            metrics = await MetricsText.OfAsync(single.Node);
            return metrics["raftkv_groups{raftkv_asleep=\"false\",raftkv_role=\"leader\"}"] + metrics["raftkv_groups{raftkv_asleep=\"true\",raftkv_role=\"leader\"}"] == 2;
        });
        Assert.True(metrics["raftkv_group_role_changes_total{raftkv_role=\"leader\"}"] >= 2);
        Assert.Contains(metrics.Series, series => series.StartsWith("target_info{", StringComparison.Ordinal) && series.Contains("service_instance_id=\"n1\"", StringComparison.Ordinal));
        Assert.All(
            (string[])["raftkv_disk_free_bytes", "raftkv_disk_floor_bytes", "raftkv_log_size_bytes", "raftkv_log_budget_bytes", "dotnet_process_memory_working_set_bytes", "dotnet_gc_heap_total_allocated_bytes_total"],
            name => Assert.True(metrics[name] > 0, name));
        Assert.All((string[])["step", "persist", "apply", "snapshot"], pump => Assert.Contains($"raftkv_pump_queue_length{{raftkv_pump=\"{pump}\"}}", metrics.Series));
        Assert.All((string[])["raftkv_disk_stalled", "raftkv_disk_full", "raftkv_snapshots_sent_total", "raftkv_snapshots_installed_total", "raftkv_snapshots_failed_total", "raftkv_pump_frames_dropped_total"], name => Assert.Contains(name, metrics.Families));
    }

    [Fact]
    public async Task What_clients_send_makes_no_new_series()
    {
        await single.SendAsync("GET", "/no/such/path");
        await single.SendAsync("BREW", "/v1/kv/secret-key");
        await single.SendAsync("GET", "/debug/groups/4711");
        await Wait.UntilAsync("they are counted", async () =>
        {
            MetricsText metrics = await MetricsText.OfAsync(single.Node);
            Assert.DoesNotContain(metrics.Series, series => series.Contains("secret", StringComparison.Ordinal) || series.Contains("such", StringComparison.Ordinal) || series.Contains("4711", StringComparison.Ordinal) || series.Contains("BREW", StringComparison.Ordinal));
            return ((string[])["405\",raftkv_call=\"other", "404\",raftkv_call=\"other", "404\",raftkv_call=\"debug"]).All(tags => metrics[$"raftkv_server_request_duration_seconds_count{{http_response_status_code=\"{tags}\"}}"] >= 1);
        });
    }

    [Theory]
    [InlineData("raftkv.log.sync.duration", "s", false, "raftkv_log_sync_duration_seconds")]
    [InlineData("raftkv.transport.bytes.sent", "By", true, "raftkv_transport_bytes_sent_total")]
    [InlineData("raftkv.log.written", "By", true, "raftkv_log_written_bytes_total")]
    [InlineData("raftkv.groups", "{group}", false, "raftkv_groups")]
    [InlineData("a-b..c", "", true, "a_b_c_total")]
    [InlineData("dotnet.timer.count", "{timer}", false, "dotnet_timer_count_current")]
    [InlineData("9.lives", "1", false, "_9_lives")]
    public void Names_become_Prometheus_names(string name, string unit, bool isCounter, string expected) => Assert.Equal(expected, PrometheusText.NameOf(name, unit, isCounter));
}
