using System.Diagnostics;
using System.Text.Json;
using RaftKv.Client;
using RaftKv.Node.Tests.Support;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Tests.Bench;

/// <summary>The verb on real servers: what is asserted are counts, never times; and what it refuses.</summary>
public sealed class BenchVerbTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _directory = Directory.CreateTempSubdirectory("bench-").FullName;
    private readonly int _port = FreePorts.Block(2);
    private Process? _server;

    private string Endpoint => $"127.0.0.1:{_port}";

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            if (!_server.HasExited) _server.Kill();
            await _server.WaitForExitAsync();
            _server.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_node_under_load_is_measured_over_both_protocols()
    {
        PlaygroundSettings settings = new(1, 2, 1, _port);
        PlaygroundNode[] nodes = PlaygroundNode.All(settings, _directory);
        _server = new NodeProgram(NodeProgramFile.Find(null), settings, nodes).Start(nodes[0]);
        using NodeClient client = new(TimeSpan.FromSeconds(1));
        await WaitAsync(() => client.IsReadyAsync(nodes[0].Client));

        JsonElement mixed = await BenchAsync("--reads", "50", "--fill", "--keys", "500", "--clients", "8", "--value-bytes", "100");
        AssertWell(mixed, 8);
        Assert.Equal(("raftkv", "http1", 8), (mixed.GetProperty("target").GetString(), mixed.GetProperty("protocol").GetString(), mixed.GetProperty("connections").GetInt32()));
        Assert.True(mixed.GetProperty("puts").GetProperty("count").GetInt64() > 0);
        Assert.True(mixed.GetProperty("gets").GetProperty("count").GetInt64() > 0);
        Assert.Equal(0, mixed.GetProperty("absentGets").GetInt64());
        JsonElement node = Assert.Single(mixed.GetProperty("servers").EnumerateArray());
        Assert.Equal(("n1", _server.Id), (node.GetProperty("name").GetString(), node.GetProperty("pid").GetInt32()));
        // A put is a value of 100 bytes in the log, and a sync belongs to at least one put.
        Assert.True(node.GetProperty("allocatedBytesPerOperation").GetDouble() > 0);
        Assert.True(node.GetProperty("logBytesPerOperation").GetDouble() >= 50);
        Assert.InRange(node.GetProperty("logSyncsPerOperation").GetDouble(), 0.001, 1);

        JsonElement keyed = await BenchAsync("--protocol", "http2", "--clients", "32", "--connections", "4", "--idempotency-keys", "--value-bytes", "70000");
        AssertWell(keyed, 32);
        Assert.Equal(("http2", 4, JsonValueKind.Null), (keyed.GetProperty("protocol").GetString(), keyed.GetProperty("connections").GetInt32(), keyed.GetProperty("gets").ValueKind));

        JsonElement absent = await BenchAsync("--protocol", "http2", "--clients", "4", "--reads", "100", "--keys", "1000000", "--seed", "7", "--server-pids", $"{_server.Id}");
        Assert.InRange(absent.GetProperty("absentGets").GetInt64(), 1, absent.GetProperty("gets").GetProperty("count").GetInt64());
        Assert.Equal($"pid {_server.Id}", Assert.Single(absent.GetProperty("servers").EnumerateArray()).GetProperty("name").GetString());

        Shardctl.Ended table = await Shardctl.RunAsync("bench", "--endpoints", Endpoint, "--seconds", "0.2", "--warm-up", "0");
        Assert.Contains("raftkv over http1: 64 clients on 64 connections", table.Out, StringComparison.Ordinal);
        // In so short a run of so many clients, on a machine that does other things, some may fail: then it says so both ways.
        Assert.True(table.ExitCode is ExitCode.Ok or ExitCode.Unhealthy, $"{table.ExitCode}: {table.Error}");
        Assert.Equal(table.ExitCode == ExitCode.Ok, table.Out.Contains("no request failed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_etcd_under_load_is_measured_over_gRPC()
    {
        string? program = Environment.GetEnvironmentVariable("PATH")!.Split(':').Append("/usr/sbin").Select(directory => Path.Combine(directory, "etcd")).FirstOrDefault(File.Exists);
        if (program is null) Assert.Skip("etcd is not installed");
        string url = $"http://{Endpoint}";
        string peer = $"http://127.0.0.1:{_port + 1}";
        _server = LoggedProcess.Start(
            Path.Combine(_directory, "log"), program, "--name", "e", "--data-dir", Path.Combine(_directory, "data"), "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", $"e={peer}");
        using HttpClient http = new() { Timeout = TimeSpan.FromSeconds(1) };
        await WaitAsync(async () => (await http.GetStringAsync(new Uri($"{url}/health"))).Contains("\"true\"", StringComparison.Ordinal));

        JsonElement mixed = await BenchAsync("--target", "etcd", "--reads", "50", "--fill", "--keys", "500", "--clients", "16", "--value-bytes", "70000", "--server-pids", $"{_server.Id}");
        AssertWell(mixed, 16);
        Assert.Equal(("etcd", "grpc", 8), (mixed.GetProperty("target").GetString(), mixed.GetProperty("protocol").GetString(), mixed.GetProperty("connections").GetInt32()));
        Assert.True(mixed.GetProperty("puts").GetProperty("count").GetInt64() > 0);
        Assert.True(mixed.GetProperty("gets").GetProperty("count").GetInt64() > 0);
        Assert.Equal(0, mixed.GetProperty("absentGets").GetInt64());
        JsonElement absent = await BenchAsync("--target", "etcd", "--reads", "100", "--keys", "1000000");
        Assert.True(absent.GetProperty("absentGets").GetInt64() > 0);
    }

    [Theory]
    [InlineData("shardctl: --clients 0: must be from 1 to 10000", "--clients", "0")]
    [InlineData("--clients x: must be a whole number", "--clients", "x")]
    [InlineData("--target redis: must be raftkv or etcd", "--target", "redis")]
    [InlineData("--protocol http3: must be http1 or http2", "--protocol", "http3")]
    [InlineData("--reads -1: must be from 0 to 100", "--reads", "-1")]
    [InlineData("--reads 101: must be from 0 to 100", "--reads", "101")]
    [InlineData("shardctl: --connections 3: over HTTP/1.1 every client has its own", "--connections", "3")]
    [InlineData("--seconds x: must be a number of seconds", "--seconds", "x")]
    [InlineData("shardctl: --seconds 0: must be above 0", "--seconds", "0")]
    [InlineData("etcd has no idempotency keys", "--target", "etcd", "--idempotency-keys")]
    [InlineData("--server-pids: there is no process 'x'", "--server-pids", "x")]
    public async Task What_makes_no_sense_is_refused(string complaint, params string[] arguments) =>
        Shardctl.Complained(await Shardctl.RunAsync(["bench", .. arguments]), ExitCode.Usage, complaint);

    [Fact]
    public async Task A_cluster_that_is_not_there_is_named() =>
        Shardctl.Complained(await Shardctl.RunAsync("bench", "--endpoints", Endpoint), ExitCode.CannotConnect, $"cannot connect to {Endpoint}");

    [Theory]
    [InlineData("there is no bench 'nope'; there are puts, gets, shards, idle, kills, allocations", "nope")]
    [InlineData("--rounds 0: must be at least 1", "--rounds", "0")]
    [InlineData("--warm-up -1: must be from 0 to", "--warm-up", "-1")]
    [InlineData("--kills 0: must be at least 1", "--kills", "0")]
    [InlineData("--idle-seconds 0: must be above 0", "--idle-seconds", "0")]
    [InlineData("there is no such directory", "--dir", "/no/such/directory")]
    [InlineData("in memory, where a sync costs nothing", "--dir", "/dev/shm")]
    [InlineData("--etcd /bin/true: this is no etcd", "--etcd", "/bin/true")]
    [InlineData("--etcd /no/such/etcd: this is no etcd", "--etcd", "/no/such/etcd")]
    public async Task A_comparison_that_makes_no_sense_is_refused(string complaint, params string[] arguments) =>
        Shardctl.Complained(await Shardctl.RunAsync(["bench", "compare", .. arguments]), ExitCode.Usage, complaint);

    [Fact]
    public async Task A_comparison_takes_no_endpoints_for_it_has_its_own() =>
        Shardctl.Complained(await Shardctl.RunAsync("--endpoints", "h:1", "bench", "compare"), ExitCode.Usage, "compare does not know --endpoints");

    /// <summary>All of a load succeeded, and latencies are in order.</summary>
    private static void AssertWell(JsonElement load, int clients)
    {
        Assert.Equal(clients, load.GetProperty("clients").GetInt32());
        foreach (string failures in (string[])["refused", "unknown", "failedGets", "lostConnections", "failedConnects"]) Assert.Empty(load.GetProperty(failures).EnumerateObject());
        JsonElement puts = load.GetProperty("puts");
        long[] latencies = [.. ((string[])["p50Micros", "p90Micros", "p99Micros", "p999Micros", "maxMicros"]).Select(name => puts.GetProperty(name).GetInt64())];
        Assert.Equal(latencies.Order(), latencies);
        Assert.True(load.GetProperty("operationsPerSecond").GetDouble() > 0);
    }

    private async Task<JsonElement> BenchAsync(params string[] arguments)
    {
        Shardctl.Ended ended = await Shardctl.RunAsync(["bench", "--endpoints", Endpoint, "--seconds", "1", "--warm-up", "0.2", "-o", "json", .. arguments]);
        Assert.True(ended.ExitCode == 0, ended.Error);
        return JsonDocument.Parse(ended.Out).RootElement;
    }

    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        using CancellationTokenSource limit = new(Patience);
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            try
            {
                if (await condition()) return;
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
            {
                // Not yet.
            }

            await timer.WaitForNextTickAsync(limit.Token);
        }
    }
}
