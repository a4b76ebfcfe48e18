using System.Text.Json;
using RaftKv.Client;
using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>status, against fakes of a cluster of three nodes and two shards; n1 leads shard 1, n2 leads shard 2, n3 lags by 4 in shard 1.</summary>
public sealed class StatusVerbTests
{
    private const string Nodes = """
        {"nodes":[{"name":"n1","id":"01","peerAddress":"h:1","isSelf":false},{"name":"n2","id":"02","peerAddress":"h:2","isSelf":false},{"name":"n3","id":"03","peerAddress":"h:3","isSelf":false}]}
        """;

    private const string Shards = """
        {"shards":[
        {"id":1,"start":"0000000000000000","end":"8000000000000000","version":1,"confVersion":1,"leader":"n1","replicas":[{"node":"n1","replicaId":"1","role":"voter"},{"node":"n2","replicaId":"2","role":"voter"},{"node":"n3","replicaId":"3","role":"voter"}]},
        {"id":2,"start":"8000000000000000","end":"0000000000000000","version":1,"confVersion":1,"leader":"n2","replicas":[{"node":"n1","replicaId":"1","role":"voter"},{"node":"n2","replicaId":"2","role":"voter"},{"node":"n3","replicaId":"3","role":"voter"}]}]}
        """;

    [Fact]
    public async Task A_healthy_cluster_is_shown_in_plain_columns()
    {
        await using FakeNode n1 = Node("n1"), n2 = Node("n2"), n3 = Node("n3");
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{n3.Endpoint}");
        Assert.Equal(
            """
            node  state  clients     peers  leads  replicas  on disk  up for
            n1    up     http://n1/  h:1    1      2         4.0M     1h 1m
            n2    up     http://n2/  h:2    1      2         4.0M     1h 1m
            n3    up     http://n3/  h:3    0      2         ?        1h 1m

            shard  range      epoch  leader  term  commit  revision  data  on disk  replicas  lag
            1      0000-8000  1.1    n1      7     20      5         66K   2.0M     n1 n2 n3  n3:4
            2      8000-0000  1.1    n2      8     20      5         66K   2.0M     n1 n2 n3  0

            """,
            ended.Out);
        Assert.Equal((ExitCode.Ok, ""), (ended.ExitCode, ended.Error));
    }

    /// <summary>A word that is broken over two lines is neither read nor found.</summary>
    [Theory]
    [InlineData(64, true)]
    [InlineData(80, true)]
    [InlineData(120, false)]
    public async Task A_narrow_terminal_leaves_columns_out_and_breaks_no_word(int width, bool isNarrow)
    {
        await using FakeNode n1 = Node("n1"), n2 = Node("n2"), n3 = Node("n3");
        string[] lines = (await Shardctl.OnTerminalAsync(width, "status", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{n3.Endpoint}")).Split('\n');
        string[] drawn = [.. lines.Where(line => line.Length > 0 && !char.IsAsciiLetter(line[0]))];
        // Two tables with three borders and a head each, three nodes and two shards: no row has gone over two lines.
        Assert.Equal(2 * 4 + 3 + 2, drawn.Length);
        Assert.All(lines, line => Assert.True(line.Trim().Length <= width, line));
        Assert.Equal(isNarrow, lines.Any(line => line.StartsWith("Left out for want of room: ", StringComparison.Ordinal) && line.Contains("epoch, ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_node_that_does_not_answer_is_named_and_ends_with_5()
    {
        await using FakeNode n1 = Node("n1"), n2 = Node("n2");
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{FakeNode.Nobody()}");
        Assert.Equal(ExitCode.Unhealthy, ended.ExitCode);
        Assert.Contains("n3    down ", ended.Out, StringComparison.Ordinal);
        Assert.Contains("n3:?", ended.Out, StringComparison.Ordinal);
        Assert.Contains("n3 does not answer", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shard_led_by_nobody_is_named_and_ends_with_5()
    {
        await using FakeNode n1 = Node("n1", leader: null), n2 = Node("n2", role: "candidate", leader: null), n3 = Node("n3", leader: null);
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", $"{n2.Endpoint},{n3.Endpoint},{n1.Endpoint}");
        Assert.Equal(ExitCode.Unhealthy, ended.ExitCode);
        Assert.Contains("no leader of shard 2", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_that_were_not_asked_are_unknown_not_down()
    {
        await using FakeNode n1 = Node("n1");
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", n1.Endpoint.ToString());
        Assert.Equal(ExitCode.Ok, ended.ExitCode);
        Assert.Contains("n2    unknown", ended.Out, StringComparison.Ordinal);
        Assert.Contains("Not asked: n2, n3.", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_whose_address_comes_up_in_the_answers_are_asked_too()
    {
        await using FakeNode n2 = Node("n2"), n3 = Node("n3");
        await using FakeNode n1 = Node("n1", nodes: Nodes
            .Replace("\"peerAddress\":\"h:2\"", $"\"peerAddress\":\"h:2\",\"clientUrl\":\"{n2.Endpoint.Url}\"", StringComparison.Ordinal)
            .Replace("\"peerAddress\":\"h:3\"", $"\"peerAddress\":\"h:3\",\"clientUrl\":\"{n3.Endpoint.Url}\"", StringComparison.Ordinal));
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", n1.Endpoint.ToString());
        Assert.Equal(ExitCode.Ok, ended.ExitCode);
        Assert.DoesNotContain("unknown", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Members_are_shown_as_the_node_that_knows_the_latest_change_says()
    {
        string changed = Shards.Replace("\"confVersion\":1,\"leader\":\"n2\"", "\"confVersion\":3,\"leader\":\"n2\"", StringComparison.Ordinal).Replace("{\"node\":\"n1\",\"replicaId\":\"1\",\"role\":\"voter\"},", "", StringComparison.Ordinal);
        await using FakeNode n1 = Node("n1"), n2 = Node("n2", shards: changed), n3 = Node("n3");
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{n3.Endpoint}");
        Assert.Contains("2      8000-0000  1.3    n2      8     20      5         66K   2.0M     n2 n3 ", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_answer_at_all_ends_with_3()
    {
        ClientEndpoint nobody = FakeNode.Nobody();
        Shardctl.Complained(await Shardctl.RunAsync("status", "--endpoints", nobody.ToString()), ExitCode.CannotConnect, $"no node answers: {nobody}: Connection refused");
    }

    [Fact]
    public async Task The_json_has_every_member_whatever_is_known()
    {
        await using FakeNode n1 = Node("n1");
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "-o", "json", "--endpoints", n1.Endpoint.ToString());
        using JsonDocument document = JsonDocument.Parse(ended.Out);
        Assert.Equal(["clusterId", "healthy", "problems", "nodes", "shards"], Names(document.RootElement));
        Assert.Equal(["name", "id", "state", "clientUrl", "peerAddress", "uptimeMillis", "leads", "replicas", "fileBytes"], Names(document.RootElement.GetProperty("nodes")[1]));
        JsonElement shard = document.RootElement.GetProperty("shards")[1];
        Assert.Equal(["id", "start", "end", "version", "confVersion", "leader", "term", "commit", "revision", "dataBytes", "fileBytes", "replicas"], Names(shard));
        Assert.Equal(["node", "replicaId", "role", "term", "applied", "last", "durable", "lag", "dataBytes", "fileBytes", "rows"], Names(shard.GetProperty("replicas")[0]));
        Assert.Equal(JsonValueKind.Null, shard.GetProperty("commit").ValueKind);

        static string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(member => member.Name)];
    }

    /// <summary>A deposed leader that has not heard of it must not hide the new one.</summary>
    [Fact]
    public async Task Of_two_that_say_they_lead_the_one_in_the_higher_term_does()
    {
        await using FakeNode n1 = Node("n1"), n2 = Node("n2"), n3 = Node("n3", role: "leader", leader: "n3", term: 9);
        Shardctl.Ended ended = await Shardctl.RunAsync("status", "--endpoints", $"{n1.Endpoint},{n2.Endpoint},{n3.Endpoint}");
        Assert.Contains("2      8000-0000  1.1    n3      9 ", ended.Out, StringComparison.Ordinal);
    }

    /// <param name="role">In shard 2; so are <paramref name="leader"/> and <paramref name="term"/>. Not given: n2 leads in term 8.</param>
    private static FakeNode Node(string name, string nodes = Nodes, string? role = null, string? leader = "n2", int term = 8, string shards = Shards)
    {
        // n3 is of a version that does not say what its stores take.
        string first = Group(1, name == "n1" ? "leader" : "follower", "n1", 7, name == "n3" ? 16 : 20, hasSize: name != "n3");
        string second = Group(2, role ?? (name == "n2" ? "leader" : "follower"), leader, term, 20);
        string status = $$"""{"node":"{{name}}","nodeId":"0","clusterId":"c","clientUrl":"http://{{name}}/","peerAddress":"h:0","uptimeMillis":3660000,"groups":[{{first}},{{second}}]}""";
        return new FakeNode(request => new FakeReply(200, request.Target switch
        {
            "/v1/status" => status,
            "/v1/nodes" => nodes,
            "/v1/shards" => shards,
            _ => throw new InvalidOperationException(request.Target),
        }));
    }

    private static string Group(int shard, string role, string? leader, int term, int applied, bool hasSize = true) => $$"""
        {"shard":{{shard}},"replicaId":"1","role":"{{role}}","term":{{term}}{{(leader is null ? "" : $",\"leader\":\"{leader}\"")}},"commit":20,"applied":{{applied}},"last":20,"durable":20,"revision":5{{(hasSize ? ",\"store\":{\"fileBytes\":2097152,\"liveBytes\":2048,\"memoryBytes\":65536,\"rows\":30}" : "")}}}
        """;

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999, "999B")]
    [InlineData(1000, "1.0K")]
    [InlineData(10_188, "9.9K")]
    [InlineData(10_189, "10K")]
    [InlineData(1_022_976, "999K")]
    [InlineData(1_023_488, "1.0M")]
    [InlineData(5_368_709_120, "5.0G")]
    [InlineData(long.MaxValue, "8.0E")]
    public void A_size_has_three_digits_at_most(long bytes, string shown) => Assert.Equal(shown, StatusVerb.Size(bytes));
}
