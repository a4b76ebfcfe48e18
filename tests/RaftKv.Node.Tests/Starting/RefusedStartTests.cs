using System.Net;
using System.Net.Sockets;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Starting;

/// <summary>A node that must not start says why in one line; with exit code 2 it has created nothing (issue 2, "Bad input and bad days").</summary>
public sealed class RefusedStartTests
{
    private const int Refused = 1;
    private const int Usage = 2;

    [Theory]
    [InlineData("--no-such-flag", "x", "--no-such-flag")]
    [InlineData("--tick-ms", "soon", "--tick-ms: 'soon' is not a number")]
    [InlineData("--advertise-client", "nowhere", "--advertise-client: 'nowhere' is no http URL")]
    [InlineData("--election-timeout-ms", "150", "--election-timeout-ms 150 must be at least twice")]
    [InlineData("--advertise-peer", "10.0.0.1:2380", "--advertise-peer: '10.0.0.1:2380' is not where the others reach this node, which is '127.0.0.1:")]
    [InlineData("--replicas", "4", "--replicas: '4' is not a number from 1 to 1")]
    [InlineData("--config", "no-such-file.json", "--config no-such-file.json: ")]
    public async Task A_bad_option_is_named_and_nothing_is_created(string option, string value, string named)
    {
        await using TestCluster cluster = TestCluster.Make(1, 1, option, value);
        await AssertRefusedAsync(cluster.Nodes[0], Usage, named);
        Assert.False(Directory.Exists(cluster.Nodes[0].Directory));
    }

    [Fact]
    public async Task Help_names_the_program_as_it_is_typed()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        node.Start(arguments: ["--help"]);
        Assert.Equal(0, await node.WaitForExitAsync());
        Assert.Contains("  raftkv-node [options]", node.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(node.Directory));
    }

    [Fact]
    public async Task A_first_start_without_a_cluster_is_refused_and_nothing_is_created()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        await AssertRefusedAsync(node, Usage, "needs --initial-cluster", ["--name", "n1", "--data-dir", node.Directory, "--listen-client", $"127.0.0.1:{node.ClientPort}", "--listen-peer", $"127.0.0.1:{node.PeerPort}"]);
        Assert.False(Directory.Exists(node.Directory));
    }

    [Fact]
    public async Task A_port_in_use_is_named_and_nothing_is_created()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        foreach (int port in (int[])[node.ClientPort, node.PeerPort])
        {
            using TcpListener taken = new(IPAddress.Loopback, port);
            taken.Start();
            await AssertRefusedAsync(node, Usage, $"127.0.0.1:{port}: Address already in use");
            Assert.False(Directory.Exists(node.Directory));
        }
    }

    [Fact]
    public async Task A_limit_of_open_files_that_is_too_low_is_named_with_what_is_needed_and_nothing_is_created()
    {
        await using TestCluster cluster = TestCluster.Make(1, 8);
        NodeUnderTest node = cluster.Nodes[0];
        await AssertRefusedAsync(node, Usage, "this process may open 500 files and needs 784: ", before: OpenFiles.AtMost(500));
        Assert.False(Directory.Exists(node.Directory));
    }

    [Fact]
    public async Task A_directory_that_cannot_be_made_is_named()
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        File.WriteAllText(node.Directory, "a file where the directory should be");
        await AssertRefusedAsync(node, Usage, $"--data-dir {node.Directory} cannot be made or used: ");
    }

    [Theory]
    [InlineData("openat", "EACCES", "open failed: Permission denied")] // It may be entered, but not read.
    [InlineData("fsync", "EIO", "fsync failed: Input/output error")]
    public async Task A_directory_that_cannot_be_made_durable_is_named_and_not_left_behind(string call, string error, string named)
    {
        await using TestCluster cluster = TestCluster.Make(1);
        NodeUnderTest node = cluster.Nodes[0];
        FailingCall failing = new(call, error, 1, "..");
        await AssertRefusedAsync(node, Usage, named, before: Strace.Before(Path.Combine(cluster.DirectoryPath, "strace.txt"), node, failing));
        Assert.False(Directory.Exists(node.Directory));
    }

    [Fact]
    public async Task A_second_process_on_a_directory_is_refused_and_the_first_goes_on()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest first = cluster.Nodes[0];
        int process = first.ProcessId;
        await using NodeUnderTest second = new("n1", first.Directory, "n1=127.0.0.1:1", FreePorts.Next(), FreePorts.Next(), []);
        await AssertRefusedAsync(second, Usage, $"is in use by process {process}");
        Assert.Equal(process, first.ProcessId);
        Assert.Equal(Outcome.Applied, await Client.PutAsync(first.Url, "a", "1"));
    }

    [Fact]
    public async Task A_directory_of_another_node_or_cluster_is_refused_and_stays_as_it_is()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest node = cluster.Nodes[0];
        Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, "a", "1"));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        string[] arguments = node.Arguments;
        string members = arguments[5];
        await AssertRefusedAsync(node, Refused, "belongs to cluster", [.. arguments, "--cluster-token", "another"]);
        await AssertRefusedAsync(node, Refused, "belongs to cluster", [.. arguments[..5], members + ",n2=127.0.0.1:2", .. arguments[6..]]);
        await AssertRefusedAsync(node, Refused, "belongs to node n1, this is n9", ["--name", "n9", .. arguments[2..5], "n9=127.0.0.1:2", .. arguments[6..]]);

        node.Start();
        await node.WaitReadyAsync();
        Assert.Equal("1", await Client.GetAsync(node.Url, "a"));
    }

    // The token is "first start only" like the others, and nobody may have it at hand years later.
    [Fact]
    public async Task A_restart_need_not_repeat_the_cluster_token_but_must_name_the_same_members()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1, 1, "--cluster-token", "T");
        NodeUnderTest node = cluster.Nodes[0];
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        string[] withoutToken = node.Arguments[..^2];
        string moved = withoutToken[5] + ",n2=127.0.0.1:2";
        await AssertRefusedAsync(node, Refused, " of n1; --initial-cluster names n1, n2", [.. withoutToken[..5], moved, .. withoutToken[6..]]);
        await AssertRefusedAsync(node, Refused, "belongs to cluster", [.. withoutToken, "--cluster-token", "another"]);
        node.Start(arguments: withoutToken);
        await node.WaitReadyAsync();
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());

        File.Delete(Path.Combine(node.Directory, "peers"));
        await AssertRefusedAsync(node, Refused, "peers is lost: start once with --cluster-token too", withoutToken);
        node.Start();
        await node.WaitReadyAsync();
    }

    [Fact]
    public async Task A_peer_address_that_the_directory_contradicts_is_refused()
    {
        await using TestCluster cluster = await StoppedAfterWritesAsync();
        NodeUnderTest node = cluster.Nodes[0];
        string[] restart = [.. node.Arguments[..4], .. node.Arguments[6..]];
        await AssertRefusedAsync(node, Refused, $"--advertise-peer: '10.0.0.1:2380' is not where the others reach this node, which is '127.0.0.1:{node.PeerPort}'", [.. restart, "--advertise-peer", "10.0.0.1:2380"]);
        node.Start(arguments: [.. restart, "--advertise-peer", $"127.0.0.1:{node.PeerPort}"]);
        await node.WaitReadyAsync();
    }

    [Fact]
    public async Task Rot_in_the_raft_log_is_named_by_file_and_offset()
    {
        await using TestCluster cluster = await StoppedAfterWritesAsync();
        NodeUnderTest node = cluster.Nodes[0];
        string segment = Path.Combine(node.Directory, "log", "0000000000000001.log");
        byte[] bytes = File.ReadAllBytes(segment);
        bytes[4096 + 100] ^= 1; // in the first batch, behind which there are others
        File.WriteAllBytes(segment, bytes);
        await AssertRefusedAsync(node, Refused, "raft log 0000000000000001.log at offset 4096: batch 1 does not check");
    }

    [Fact]
    public async Task A_file_of_peers_that_does_not_parse_is_refused_until_they_are_named()
    {
        await using TestCluster cluster = await StoppedAfterWritesAsync();
        NodeUnderTest node = cluster.Nodes[0];
        File.AppendAllText(Path.Combine(node.Directory, "peers"), "n2\n");
        await AssertRefusedAsync(node, Refused, "peers has a line that is not NAME=HOST:PORT", [.. node.Arguments[..4], .. node.Arguments[6..]]);
        node.Start();
        await node.WaitReadyAsync();
    }

    [Fact]
    public async Task A_lost_raft_log_is_noticed()
    {
        await using TestCluster cluster = await StoppedAfterWritesAsync();
        NodeUnderTest node = cluster.Nodes[0];
        Directory.Delete(Path.Combine(node.Directory, "log"), recursive: true);
        await AssertRefusedAsync(node, Refused, "the raft log was lost", [.. node.Arguments[..4], .. node.Arguments[6..]]); // As the playground starts a node again.
        await AssertRefusedAsync(node, Refused, "the raft log was lost");
        Assert.True(Directory.Exists(Path.Combine(node.Directory, "shards", "1", "1")));
    }

    [Fact]
    public async Task A_lost_end_of_the_raft_log_is_noticed()
    {
        await using TestCluster cluster = await StoppedAfterWritesAsync();
        NodeUnderTest node = cluster.Nodes[0];
        string segment = Path.Combine(node.Directory, "log", "0000000000000001.log");
        byte[] bytes = File.ReadAllBytes(segment);
        File.WriteAllBytes(segment, bytes[..(3 * 4096)]);
        await AssertRefusedAsync(node, Refused, "synced log was lost");
    }

    private static async Task<TestCluster> StoppedAfterWritesAsync()
    {
        TestCluster cluster = await TestCluster.StartAsync(1);
        NodeUnderTest node = cluster.Nodes[0];
        for (int i = 0; i < 5; i++) Assert.Equal(Outcome.Applied, await Client.PutAsync(node.Url, $"key-{i}", "1"));
        node.Signal(Posix.Terminate);
        Assert.Equal(0, await node.WaitForExitAsync());
        return cluster;
    }

    private static async Task AssertRefusedAsync(NodeUnderTest node, int exitCode, string named, string[]? arguments = null, string[]? before = null)
    {
        int length = node.Output.Length;
        node.Start(before, arguments);
        Assert.Equal(exitCode, await node.WaitForExitAsync());
        string line = Assert.Single(node.Output[length..].Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("raftkv-node: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line, StringComparison.Ordinal);
    }
}
