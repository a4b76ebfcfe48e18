using System.Text.Json;
using RaftKv.Client;
using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>debug group, against fakes of a cluster of three nodes and one shard that n1 leads.</summary>
public sealed class DebugVerbTests
{
    private const string Nodes = """
        {"nodes":[{"name":"n1","id":"01","peerAddress":"h:1","isSelf":false},{"name":"n2","id":"02","peerAddress":"h:2","isSelf":false},{"name":"n3","id":"03","peerAddress":"h:3","isSelf":false}]}
        """;

    private const string Shards = """
        {"shards":[{"id":1,"start":"0000000000000000","end":"0000000000000000","version":1,"confVersion":1,"leader":"n1","replicas":[{"node":"n1","replicaId":"1","role":"voter"},{"node":"n2","replicaId":"2","role":"voter"},{"node":"n3","replicaId":"3","role":"voter"}]}]}
        """;

    private const string Leader = """
        {"shard":1,"node":"n1","replicaId":"1","role":"leader","term":7,"commit":20,"applied":20,"last":21,"asleep":false,"extra":[1],
        "followers":[{"replicaId":"2","node":"n2","state":"replicate","match":20,"next":22,"isWaiting":false},{"replicaId":"3","node":"n3","state":"probe","match":3,"next":4,"isWaiting":true}],
        "roleChanges":[{"at":"2026-01-02T03:04:05.001Z","agoMillis":9,"from":"follower","to":"follower","term":6,"reason":"started"},{"at":"2026-01-02T03:04:06.003Z","agoMillis":1,"from":"candidate","to":"leader","term":7,"reason":"election-won"}]}
        """;

    [Fact]
    public async Task Every_node_is_a_row_with_what_the_leader_knows_of_it_and_role_changes_are_in_order()
    {
        await using FakeNode n1 = Node("n1", Leader), n2 = Node("n2", Follower("n2", asleep: true)), n3 = Node("n3", Follower("n3"));
        Shardctl.Ended ended = await Shardctl.RunAsync("debug", "group", "1", "--endpoints", $"{n3.Endpoint},{n2.Endpoint},{n1.Endpoint}");
        Assert.Equal(
            """
            node  role              term  commit  applied  last  progress
            n1    leader            7     20      20       21    -
            n2    follower, asleep  7     20      20       20    replicate match 20 next 22
            n3    follower          7     20      20       20    probe match 3 next 4 waiting

            at                        node  from       to        term  reason
            2026-01-02T03:04:05.001Z  n1    follower   follower  6     started
            2026-01-02T03:04:05.002Z  n2    follower   follower  6     started
            2026-01-02T03:04:05.002Z  n3    follower   follower  6     started
            2026-01-02T03:04:06.003Z  n1    candidate  leader    7     election-won

            """,
            ended.Out);
        Assert.Equal((ExitCode.Ok, ""), (ended.ExitCode, ended.Error));
    }

    [Fact]
    public async Task A_node_that_holds_a_replica_and_does_not_answer_is_shown_and_ends_with_5()
    {
        await using FakeNode n1 = Node("n1", Leader), n2 = Node("n2", Follower("n2"));
        Shardctl.Ended ended = await Shardctl.RunAsync("debug", "group", "1", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{FakeNode.Nobody()}");
        Assert.Equal(ExitCode.Unhealthy, ended.ExitCode);
        Assert.Contains("n3    no answer  ?     ?       ?        ?     probe match 3 next 4 waiting", ended.Out, StringComparison.Ordinal);
        Assert.Contains("n3 does not answer, or is not among the endpoints", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_json_is_what_each_node_says_as_it_is()
    {
        await using FakeNode n1 = Node("n1", Leader), n2 = Node("n2", Follower("n2"));
        Shardctl.Ended ended = await Shardctl.RunAsync("debug", "group", "1", "-o", "json", "--endpoints", $"{n1.Endpoint},{n2.Endpoint}");
        JsonElement output = JsonDocument.Parse(ended.Out).RootElement;
        Assert.Equal(1, output.GetProperty("shard").GetInt32());
        JsonElement[] nodes = [.. output.GetProperty("nodes").EnumerateArray()];
        Assert.Equal(["n1", "n2", "n3"], nodes.Select(node => node.GetProperty("node").GetString()));
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(Leader).RootElement, nodes[0].GetProperty("group")));
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null, JsonValueKind.String), (nodes[0].GetProperty("problem").ValueKind, nodes[2].GetProperty("group").ValueKind, nodes[2].GetProperty("problem").ValueKind));
        Assert.Equal(ExitCode.Unhealthy, ended.ExitCode);
    }

    [Theory]
    [InlineData("9", ExitCode.NotFound, "there is no shard 9")]
    [InlineData("one", ExitCode.Usage, "'one' is not the number of a shard")]
    public async Task A_shard_that_is_none_is_named(string id, int exitCode, string text)
    {
        await using FakeNode n1 = Node("n1", Leader);
        Shardctl.Complained(await Shardctl.RunAsync("debug", "group", id, "--endpoints", n1.Endpoint.ToString()), exitCode, text);
    }

    [Fact]
    public async Task No_answer_at_all_ends_with_3()
    {
        ClientEndpoint nobody = FakeNode.Nobody();
        Shardctl.Complained(await Shardctl.RunAsync("debug", "group", "1", "--endpoints", nobody.ToString()), ExitCode.CannotConnect, "no node answers");
    }

    [Fact]
    public async Task A_node_that_answers_nonsense_is_named()
    {
        await using FakeNode n1 = Node("n1", """{"shard":1}""");
        Shardctl.Ended ended = await Shardctl.RunAsync("debug", "group", "1", "--endpoints", n1.Endpoint.ToString());
        Assert.Equal(ExitCode.Unhealthy, ended.ExitCode);
        Assert.Contains("n1 answers with something else", ended.Error, StringComparison.Ordinal);
    }

    private static string Follower(string name, bool asleep = false) => $$"""
        {"shard":1,"node":"{{name}}","replicaId":"2","role":"follower","term":7,"commit":20,"applied":20,"last":20,"asleep":{{(asleep ? "true" : "false")}},"followers":[],
        "roleChanges":[{"at":"2026-01-02T03:04:05.002Z","agoMillis":9,"from":"follower","to":"follower","term":6,"reason":"started"}]}
        """;

    private static FakeNode Node(string name, string group)
    {
        string role = name == "n1" ? "leader" : "follower";
        string status = $$"""{"node":"{{name}}","nodeId":"0","clusterId":"c","clientUrl":"http://{{name}}/","peerAddress":"h:0","uptimeMillis":1,"groups":[{"shard":1,"replicaId":"1","role":"{{role}}","term":7,"commit":20,"applied":20,"last":20,"durable":20,"revision":5}]}""";
        return new FakeNode(request => new FakeReply(200, request.Target switch
        {
            "/v1/status" => status,
            "/v1/nodes" => Nodes,
            "/v1/shards" => Shards,
            "/debug/groups/1" => group,
            _ => throw new InvalidOperationException(request.Target),
        }));
    }
}
