using System.Text;
using System.Text.Json;
using RaftKv.Bench;
using RaftKv.Shardctl.Bench;

namespace RaftKv.Shardctl.Tests.Bench;

/// <summary>What <c>shardctl bench</c> shows of a run.</summary>
public sealed class LoadTextTests
{
    [Fact]
    public void A_run_is_shown_with_its_load_latencies_servers_and_own_cost() => Assert.Equal(
        """
        raftkv over http1: 64 clients on 64 connections to 127.0.0.1:1; 100000 keys, values of 256 bytes, 0% gets; 10.0 s after 3.0 s of warm-up, seed 1

              count  ops/s  mean ms  p50   p90   p99   p99.9  max
        puts  1000   100    2.07     2.01  2.01  2.01  9.00   9.00

        server  CPU µs/op  allocated B/op  log B/op  log syncs/op  resident MiB  collections  paused ms
        n1      40.0       2048            300       0.0500        64.0          3            4
        n2      10.0       2048            300       0.0500        64.0          3            4
        all     50.0       4096            600       0.100         128           6            8

        no request failed
        the load itself: 5.0 µs of CPU per operation, 0% of a core

        """,
        Shown(Sample.Output(1_000, Sample.Server("n1"), Sample.Server("n2", 10_000))));

    [Fact]
    public void Failures_are_shown_by_kind_and_reason()
    {
        LoadResult result = Sample.Result();
        result.Tally.Refused["overloaded"] = 2;
        result.Tally.Refused["no-leader"] = 1;
        result.Tally.Unknown["outcome-unknown"] = 4;
        string shown = Shown(LoadOutput.Of(Sample.Plan, result with { LostConnections = new Dictionary<string, long> { ["connection-closed"] = 5 } }));
        Assert.Contains("3 puts refused, not applied: no-leader 1, overloaded 2\n4 puts with an unknown outcome: outcome-unknown 4\n5 connections lost: connection-closed 5\n", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("no request failed", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_load_that_could_not_make_more_says_so() =>
        Assert.Contains("the servers can do more than this", Shown(LoadOutput.Of(Sample.Plan, Sample.Result() with { ClientCpuMicros = 9_500_000 })), StringComparison.Ordinal);

    [Fact]
    public void What_is_unknown_of_one_server_is_unknown_of_all()
    {
        LoadOutput output = Sample.Output(1_000, Sample.Server("n1"), Sample.Server("n2") with { AllocatedBytes = null });
        Assert.Equal((null, 80.0), (output.Total!.AllocatedBytesPerOperation, output.Total.CpuMicrosPerOperation));
        Assert.Contains("all     80.0       ?", Shown(output), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_without_a_success_has_no_figures_per_operation()
    {
        LoadOutput output = Sample.Output(0, Sample.Server("n1"));
        Assert.Equal((null, null, null), (output.Puts, output.ClientCpuMicrosPerOperation, output.Servers[0].CpuMicrosPerOperation));
        Assert.Contains("n1      ?", Shown(output), StringComparison.Ordinal);
    }

    [Fact]
    public void The_JSON_has_what_the_table_has()
    {
        JsonElement json = JsonDocument.Parse(OutputJson.Write(Sample.Output(1_000, Sample.Server("n1")), OutputJson.OfCluster.LoadOutput)).RootElement;
        Assert.Equal(("raftkv", "http1", 64), (json.GetProperty("target").GetString(), json.GetProperty("protocol").GetString(), json.GetProperty("clients").GetInt32()));
        Assert.Equal((1_000, 2_000, 9_000), (json.GetProperty("puts").GetProperty("count").GetInt64(), json.GetProperty("puts").GetProperty("p99Micros").GetInt64(), json.GetProperty("puts").GetProperty("maxMicros").GetInt64()) is var (count, p99, max) ? (count, p99 / 10 * 10, max) : default);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("gets").ValueKind);
        Assert.Equal(JsonValueKind.Object, json.GetProperty("unknown").ValueKind);
        Assert.Equal((4_096.0, 5.0), (json.GetProperty("deviceBytesPerOperation").GetDouble(), json.GetProperty("clientCpuMicrosPerOperation").GetDouble()));
        // Of 3.005 s that the machine was busy, 0.04 were the server's and 0.005 ours.
        Assert.Equal(0.296, json.GetProperty("othersBusyCores").GetDouble());
        Assert.Equal((40.0, 2_048.0, 0.05), (json.GetProperty("total").GetProperty("cpuMicrosPerOperation").GetDouble(), json.GetProperty("servers")[0].GetProperty("allocatedBytesPerOperation").GetDouble(), json.GetProperty("total").GetProperty("logSyncsPerOperation").GetDouble()));
    }

    private static string Shown(LoadOutput output)
    {
        using MemoryStream bytes = new();
        LoadText.Show(new Screen("shardctl", Stream.Null, bytes, Stream.Null), output);
        return Encoding.UTF8.GetString(bytes.ToArray());
    }
}
