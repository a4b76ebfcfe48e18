using System.Net;
using System.Net.Sockets;
using RaftKv.Contracts;
using RaftKv.Shardctl.Playground;

namespace RaftKv.Shardctl.Tests;

/// <summary>What the playground refuses, with one line and exit code 2, and leaves no trace of; and the pieces it is made of.</summary>
public sealed class PlaygroundStartTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("shardctl-").FullName;

    private string Data => Path.Combine(_directory, "data");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("--nodes 0: must be from 1 to 25", "--nodes", "0")]
    [InlineData("--nodes 2: a cluster of two is not supported", "--nodes", "2")]
    [InlineData("--shards -1: must be from 1 to 4096", "--shards", "-1")]
    [InlineData("--nodes x: must be a whole number", "--nodes", "x")]
    [InlineData("--shards 4097: must be from 1 to 4096", "--shards", "4097")]
    [InlineData("--replicas 4: must be from 1 to the number of nodes, 3", "--replicas", "4")]
    [InlineData("--client-port 65530: must be from 1 to 65514", "--client-port", "65530")]
    public async Task A_wrong_number_is_refused_without_a_trace(string text, params string[] arguments)
    {
        Shardctl.Complained(await PlaygroundAsync(arguments), ExitCode.Usage, text);
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_port_in_use_is_refused_without_a_trace()
    {
        int port = Shardctl.PlaygroundPort();
        using TcpListener holder = new(IPAddress.Loopback, port + 11);
        holder.Start();
        Shardctl.Complained(await PlaygroundAsync("--client-port", $"{port}"), ExitCode.Usage, $"port {port + 11}, wanted by n2: Address already in use");
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task Nodes_that_run_already_are_named_with_the_command_that_stops_them()
    {
        string node = Directory.CreateDirectory(Path.Combine(Data, "n2")).FullName;
        await File.WriteAllTextAsync(Path.Combine(node, "node.pid"), "4711\n", TestContext.Current.CancellationToken);
        using FileStream held = new(Path.Combine(node, "lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        Shardctl.Complained(await PlaygroundAsync(), ExitCode.Usage, $"n2 already running in {Data}; stop with: kill 4711");
    }

    [Fact]
    public async Task Another_playground_in_the_directory_is_refused()
    {
        new PlaygroundSettings(3, 8, 3, 2379).Save(Data);
        Shardctl.Complained(await PlaygroundAsync("--shards", "4"), ExitCode.Usage, $"{Data} holds a playground of 3 nodes, 8 shards and 3 replicas of each");
    }

    [Fact]
    public void A_program_that_is_not_there_is_named()
    {
        CommandException refused = Assert.Throws<CommandException>(() => NodeProgramFile.Find("no/such/program"));
        Assert.Equal((ExitCode.Usage, "RAFTKV_NODE names no/such/program, which is no file"), (refused.ExitCode, refused.Message));
    }

    /// <summary>The file as the first release wrote it.</summary>
    [Fact]
    public void What_a_playground_is_made_of_is_kept_in_format_1()
    {
        const string Format1 = "{\n  \"nodes\": 5,\n  \"shards\": 16,\n  \"replicas\": 3,\n  \"clientPort\": 4000\n}\n";
        new PlaygroundSettings(5, 16, 3, 4000).Save(Data);
        Assert.Equal(Format1, File.ReadAllText(PlaygroundSettings.FileIn(Data)));
    }

    [Fact]
    public void What_is_there_already_says_what_the_flags_do_not()
    {
        new PlaygroundSettings(5, 16, 3, 4000).Save(Data);
        Assert.Equal(new PlaygroundSettings(5, 16, 3, 4000), PlaygroundSettings.Resolve(new PlaygroundRequest(null, null, null, null), Data, Data));
        Assert.Equal(new PlaygroundSettings(5, 16, 3, 5000), PlaygroundSettings.Resolve(new PlaygroundRequest(5, null, null, 5000), Data, Data));
    }

    [Theory]
    [InlineData(null, 3, 3)]
    [InlineData(1, 1, 1)]
    [InlineData(5, 5, 3)]
    public void There_are_three_replicas_or_as_many_as_nodes(int? asked, int nodes, int replicas)
    {
        PlaygroundSettings settings = PlaygroundSettings.Resolve(new PlaygroundRequest(asked, null, null, null), Data, Data);
        Assert.Equal((nodes, replicas), (settings.Nodes, settings.Replicas));
    }

    [Fact]
    public void Node_i_listens_ten_ports_above_the_one_before_and_its_peers_one_above_that()
    {
        PlaygroundNode[] nodes = PlaygroundNode.All(new PlaygroundSettings(3, 8, 3, 2379), "d");
        Assert.Equal(["n1 2379 2380", "n2 2389 2390", "n3 2399 2400"], nodes.Select(node => $"{node.Name} {node.ClientPort} {node.PeerPort}"));
    }

    [Fact]
    public void The_printed_command_survives_a_shell_whatever_the_directory_is_called()
    {
        PlaygroundSettings settings = new(1, 8, 1, 2379);
        PlaygroundNode[] nodes = PlaygroundNode.All(settings, "/a b/it's");
        Assert.Equal(
            @"/bin/raftkv-node --name n1 --data-dir '/a b/it'\''s/n1' --listen-client 127.0.0.1:2379 --listen-peer 127.0.0.1:2380 --initial-cluster n1=127.0.0.1:2380 --initial-shards 8 --replicas 1 >>'/a b/it'\''s/n1/node.log' 2>&1 &",
            new NodeProgram("/bin/raftkv-node", settings, nodes).CommandLine(nodes[0]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(100)]
    public void The_probe_has_a_key_in_every_shard(int shards)
    {
        ShardMap map = new PlaygroundSettings(3, shards, 3, 2379).InitialMap();
        Assert.Equal(map.Shards.Select(shard => shard.Id), ReadinessProbe.Keys(map).Select(key => map.ByKey(key).Id).Order());
    }

    private Task<Shardctl.Ended> PlaygroundAsync(params string[] arguments) => Shardctl.RunAsync(["playground", "--data-dir", Data, .. arguments]);
}
