using Microsoft.Extensions.Logging;
using RaftKv.Kv;
using RaftKv.MultiRaft;
using RaftKv.MultiRaft.Ports;
using RaftKv.Node.Options;
using RaftKv.Raft;
using RaftKv.Transport;

namespace RaftKv.Node.Tests.Starting;

/// <summary>A flag beats a variable, which beats the file; everything is checked before anything happens.</summary>
public sealed class OptionTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private static readonly string[] s_least = ["--name", "n1", "--data-dir", "d", "--initial-cluster", "n1=127.0.0.1:2380,n2=host-2:2390,n3=[::1]:2400"];

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void What_is_not_given_has_its_default()
    {
        NodeOptions options = Parse(s_least)!;
        Assert.Equal(("n1", Path.GetFullPath("d"), "127.0.0.1:2379", "127.0.0.1:2380"), (options.Name, options.DataDirectory, options.ListenClient.ToString(), options.ListenPeer.ToString()));
        Assert.Equal((8, null, 50, 100, 500), (options.InitialShards, options.Replicas, options.TickMillis, options.HeartbeatMillis, options.ElectionTimeoutMillis));
        Assert.Equal((100_000, 64 * 1024 * 1024, 10_000), (options.SnapshotEntries, options.SnapshotBytes, options.CatchUpEntries));
        Assert.Equal([("n1", "127.0.0.1", 2380), ("n2", "host-2", 2390), ("n3", "::1", 2400)], options.InitialCluster!.Select(member => (member.Name, member.Host, member.Port)));
        Assert.Equal(["n1=127.0.0.1:2380", "n2=host-2:2390", "n3=[::1]:2400"], options.InitialCluster!.Select(member => member.ToString()));
    }

    [Fact]
    public void A_flag_beats_a_variable_which_beats_the_file()
    {
        File.WriteAllText(_file, """{ "initial-shards": 1, "tick-ms": "11", "heartbeat-ms": 111 }""");
        Dictionary<string, string> variables = new() { ["RAFTKV_TICK_MS"] = "22", ["RAFTKV_HEARTBEAT_MS"] = "222", ["RAFTKV_CONFIG"] = _file };
        NodeOptions options = Parse([.. s_least, "--heartbeat-ms", "233"], variables)!;
        Assert.Equal((1, 22, 233), (options.InitialShards, options.TickMillis, options.HeartbeatMillis));
    }

    [Fact]
    public void One_option_scales_all_times_together()
    {
        DiskIdentity identity = new(1, new NodeId(2), 3, "n1", default);
        HostOptions plain = new() { Node = identity.Node, BootId = 4, Seed = 0, MaxInFlightBytes = 100_000 };
        FrontOptions front = new("n1", 4);
        NodeOptions options = Parse([.. s_least, "--max-inflight-bytes", "100000"])!;
        Assert.Equal(plain, NodeProcess.HostOptionsOf(options, identity, 4) with { Seed = 0, Clock = plain.Clock });
        Assert.Equal(front, NodeProcess.FrontOptionsOf(options, identity, 4));

        options = options with { TimeScalePercent = 250, DiskStallTimeoutMillis = 1_000 };
        HostOptions scaled = NodeProcess.HostOptionsOf(options, identity, 4) with { Clock = plain.Clock };
        Assert.Equal(
            (plain.TickMicros * 5 / 2, plain.HeartbeatIntervalMicros * 5 / 2, plain.ElectionTimeoutMicros * 5 / 2, plain.HibernateAfterMicros * 5 / 2, 2_500_000L, plain.DiskStallExitMicros * 5 / 2),
            (scaled.TickMicros, scaled.HeartbeatIntervalMicros, scaled.ElectionTimeoutMicros, scaled.HibernateAfterMicros, scaled.DiskStallMicros, scaled.DiskStallExitMicros));
        Assert.Equal(front with { RetryMicros = front.RetryMicros * 5 / 2, LeaderlessMicros = front.LeaderlessMicros * 5 / 2 }, NodeProcess.FrontOptionsOf(options, identity, 4));
        Assert.Equal((TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4.5)), (NodeProcess.HandOverTimeoutOf(plain), NodeProcess.HandOverTimeoutOf(scaled)));
    }

    // Who may be silent for longer before it counts as gone must keep its connections so long; TCP's own times do not shrink with elections.
    [Fact]
    public void A_slower_cluster_keeps_silent_connections_for_longer_a_faster_one_for_no_less()
    {
        TransportOptions defaults = new();
        NodeOptions options = Parse(s_least)!;
        TransportOptions slow = NodeProcess.TransportOptionsOf(options with { TimeScalePercent = 400 });
        Assert.Equal((defaults.UserTimeout * 4, defaults.HelloTimeout * 4), (slow.UserTimeout, slow.HelloTimeout));
        TransportOptions fast = NodeProcess.TransportOptionsOf(options with { TimeScalePercent = 10 });
        Assert.Equal((defaults.UserTimeout, defaults.HelloTimeout), (fast.UserTimeout, fast.HelloTimeout));
    }

    [Theory]
    [InlineData("65536")]
    [InlineData("8388608")]
    [InlineData("67108864")]
    public void What_may_be_in_flight_fits_the_queues_on_its_way(string inFlight)
    {
        NodeOptions options = Parse([.. s_least, "--max-inflight-bytes", inFlight])!;
        HostOptions host = NodeProcess.HostOptionsOf(options, new DiskIdentity(1, new NodeId(2), 3, "n1", default), 4);
        Assert.InRange(NodeProcess.TransportOptionsOf(options).MaxQueuedBytes, 2L * host.MaxInFlightBytes, int.MaxValue);
        Assert.InRange(host.MaxInFlightBytes, 0, Math.Min(host.MaxPersistQueueBytes, host.MaxInboxBytes));
    }

    [Fact]
    public void What_disk_stays_free_is_an_option()
    {
        Assert.Equal((1L << 30, 2), Parse(s_least)!.Limits is var limits ? (limits.MinFreeDiskBytes, limits.MinFreeDiskPercent) : default);
        limits = Parse([.. s_least, "--min-free-disk-bytes", "5", "--min-free-disk-percent", "0"])!.Limits;
        Assert.Equal(5, limits.FreeDiskFloorBytes(1L << 40));
    }

    [Fact]
    public void Telemetry_is_set_up_like_everything_else()
    {
        File.WriteAllText(_file, """{ "log-level": "DEBUG", "log-format": "json", "otlp-endpoint": "http://file:1" }""");
        NodeOptions options = Parse(s_least, new() { ["RAFTKV_OTLP_ENDPOINT"] = "https://variable:4318/base", ["RAFTKV_CONFIG"] = _file })!;
        Assert.Equal((LogLevel.Debug, LogFormat.Json, new Uri("https://variable:4318/base")), (options.LogLevel, options.LogFormat, options.OtlpEndpoint));
        NodeOptions defaults = Parse(s_least)!;
        Assert.Equal((LogLevel.Information, LogFormat.Text, null), (defaults.LogLevel, defaults.LogFormat, defaults.OtlpEndpoint));
    }

    [Fact]
    public void A_cluster_has_leases_if_it_is_told_so()
    {
        Assert.False(Parse(s_least)!.LeaseReads);
        Assert.True(Parse([.. s_least, "--lease-reads", "true"])!.LeaseReads);
        File.WriteAllText(_file, """{ "lease-reads": true, "election-priority": 3 }""");
        NodeOptions options = Parse([.. s_least, "--config", _file])!;
        Assert.Equal((true, 3), (options.LeaseReads, options.ElectionPriority));
    }

    [Theory]
    [InlineData("""{ "colour": "red" }""", "no option 'colour'")]
    [InlineData("""[1]""", "not a JSON object")]
    [InlineData("""{ "name": ["n1"] }""", "'name' is neither text nor a number")]
    [InlineData("""{ "initial-shards": """, "--config")]
    [InlineData("""{ "initial-shards": "many" }""", "initial-shards in ")]
    public void A_bad_file_is_named(string json, string named)
    {
        File.WriteAllText(_file, json);
        Assert.Contains(named, Assert.Throws<OptionException>(() => Parse([.. s_least, "--config", _file])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--name", "no name", "--name: 'no name'")]
    [InlineData("--name", "n4", "--initial-cluster: this node, n4, is not among them")]
    [InlineData("--initial-cluster", "n1=h:1,n1=h:2", "given twice")]
    [InlineData("--initial-cluster", "n1", "'n1' is not NAME=HOST:PORT")]
    [InlineData("--initial-cluster", "n1=h:0", "'n1=h:0' is not NAME=HOST:PORT")]
    [InlineData("--replicas", "4", "'4' is not a number from 1 to 3")]
    [InlineData("--initial-shards", "0", "--initial-shards: '0'")]
    [InlineData("--max-value-bytes", "16777217", "16777216")]
    [InlineData("--min-free-disk-bytes", "-1", "'-1' is not a number from 0 to")]
    [InlineData("--min-free-disk-percent", "100", "'100' is not a number from 0 to 99")]
    [InlineData("--max-connections", "0", "'0' is not a number from 1 to 1000000")]
    [InlineData("--lease-reads", "yes", "'yes' is neither true nor false")]
    [InlineData("--election-priority", "11", "'11' is not a number from 0 to 10")]
    [InlineData("--max-inflight-bytes", "67108865", "'67108865' is not a number from 65536 to 67108864")]
    [InlineData("--max-inflight-bytes", "65535", "'65535' is not a number from 65536 to 67108864")]
    [InlineData("--disk-stall-timeout", "20001", "'20001' is not a number from 10 to 20000")]
    [InlineData("--time-scale-percent", "9", "'9' is not a number from 10 to 10000")]
    [InlineData("--snapshot-entries", "0", "'0' is not a number from 1 to 1000000000")]
    [InlineData("--snapshot-bytes", "65535", "'65535' is not a number from 65536 to 1099511627776")]
    [InlineData("--catch-up-entries", "-1", "'-1' is not a number from 0 to 1000000000")]
    [InlineData("--listen-peer", "127.0.0.1:70000", "--listen-peer")]
    [InlineData("--listen-client", "example.org:80", "'example.org' is no IP address")]
    [InlineData("--advertise-client", "ftp://x", "no http URL")]
    [InlineData("--advertise-peer", "x", "'x' is not HOST:PORT")]
    [InlineData("--advertise-peer", "127.0.0.1:0", "'127.0.0.1:0' is not HOST:PORT")]
    [InlineData("--advertise-peer", "10.0.0.1:2380", "--advertise-peer: '10.0.0.1:2380' is not where the others reach this node, which is '127.0.0.1:2380' by the list of members")]
    [InlineData("--log-level", "loud", "'loud' is none of trace, debug, information, warning, error, critical")]
    [InlineData("--log-level", "none", "'none' is none of")]
    [InlineData("--log-level", "2", "'2' is none of")]
    [InlineData("--log-level", "debug,error", "'debug,error' is none of")]
    [InlineData("--log-format", "xml", "--log-format: 'xml' is neither text nor json")]
    [InlineData("--otlp-endpoint", "127.0.0.1:4318", "--otlp-endpoint: '127.0.0.1:4318' is no http URL")]
    [InlineData("--otlp-endpoint", "http://h:4318?x", "--otlp-endpoint: 'http://h:4318?x' is no http URL")]
    [InlineData("--tick-ms", "200", "--tick-ms 200 must not be above --heartbeat-ms 100")]
    public void A_bad_option_is_named(string flag, string value, string named)
    {
        List<string> arguments = [.. s_least];
        int given = arguments.IndexOf(flag);
        if (given >= 0) arguments[given + 1] = value;
        else arguments.AddRange([flag, value]);
        Assert.Contains(named, Assert.Throws<OptionException>(() => Parse([.. arguments])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n1", "127.0.0.1:2380")]
    [InlineData("n2", "HOST-2:2390")]
    [InlineData("n3", "[::1]:02400")]
    public void A_peer_address_that_says_the_same_as_the_list_of_members_is_taken(string name, string address) =>
        Assert.NotNull(Parse([.. s_least[..1], name, .. s_least[2..], "--advertise-peer", address]));

    [Fact]
    public void A_variable_is_named_when_it_is_wrong() =>
        Assert.StartsWith("RAFTKV_TICK_MS: ", Assert.Throws<OptionException>(() => Parse(s_least, new() { ["RAFTKV_TICK_MS"] = "x" })).Message, StringComparison.Ordinal);

    private static NodeOptions? Parse(string[] arguments, Dictionary<string, string>? variables = null) =>
        OptionParser.Parse(arguments, name => variables?.GetValueOrDefault(name));
}
