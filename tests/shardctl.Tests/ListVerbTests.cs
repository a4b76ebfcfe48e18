using RaftKv.Client;
using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>list: what it prints and what it ends with.</summary>
public sealed class ListVerbTests
{
    private const string Page = """
        {"items":[
        {"key":"app/a","value":"one","node":"n1","shard":3,"epoch":"1.1","term":6,"index":17,"item":0,"revision":5,"created":5,"version":1},
        {"key":"app/b","valueBase64":"AP8=","revision":12,"created":6,"version":3,"ttl":9},
        {"keyBase64":"wyg=","value":"line\nbreak","revision":7,"created":7,"version":1}],"count":3,"more":false}
        """;

    [Fact]
    public async Task Keys_are_listed_in_plain_columns() => Assert.Equal(
        new Shardctl.Ended(
            0,
            """
            key          revision  version  value
            app/a        5         1        one
            app/b        12        3        (2 bytes)
            base64:wyg=  7         1        (10 bytes)

            """,
            ""),
        await AgainstAsync(new FakeReply(200, Page), "list"));

    [Fact]
    public async Task Keys_only_are_one_a_line()
    {
        await using FakeNode node = new(new FakeReply(200, """{"items":[{"key":"a","revision":1},{"key":"b c","revision":2}],"more":false}"""));
        Assert.Equal(new Shardctl.Ended(0, "a\nb c\n", ""), await Shardctl.RunAsync("list", "--keys-only", "--prefix", "ü", "--endpoints", node.Endpoint.ToString()));
        Assert.Equal("/v1/kv?limit=1000&prefix=%C3%BC&keysOnly", node.Requests.Single().Target);
    }

    [Fact]
    public async Task A_count_is_a_number_or_a_document()
    {
        Assert.Equal(new Shardctl.Ended(0, "29\n", ""), await AgainstAsync(new FakeReply(200, """{"count":29}"""), "list", "--count-only"));
        Assert.Equal("{\n  \"count\": 29\n}\n", (await AgainstAsync(new FakeReply(200, """{"count":29}"""), "list", "--count-only", "-o", "json")).Out);
    }

    [Fact]
    public async Task More_than_the_limit_is_said_so()
    {
        await using FakeNode node = new(new FakeReply(200, """{"items":[{"key":"a","value":"","revision":1},{"key":"b","value":"","revision":2}],"more":true,"cursor":"Yg"}"""));
        Shardctl.Ended ended = await Shardctl.RunAsync("list", "--limit", "2", "--endpoints", node.Endpoint.ToString());
        Assert.Equal((0, "shardctl: there are more than 2 keys; --limit shows more of them\n"), (ended.ExitCode, ended.Error));
        Assert.Equal(3, ended.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.StartsWith("/v1/kv?limit=3", node.Requests[0].Target, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_printed_where_there_is_nothing() =>
        Assert.Equal(new Shardctl.Ended(0, "", ""), await AgainstAsync(new FakeReply(200, """{"items":[],"count":0,"more":false}"""), "list"));

    [Fact]
    public async Task As_json_it_is_stable() => Assert.Equal(
        """
        {
          "items": [
            {
              "key": "app/a",
              "value": "one",
              "revision": 5,
              "created": 5,
              "version": 1,
              "shard": 3,
              "node": "n1",
              "term": 6,
              "index": 17
            },
            {
              "key": "app/b",
              "valueBase64": "AP8=",
              "revision": 12,
              "created": 6,
              "version": 3,
              "ttl": 9,
              "shard": 0,
              "node": "",
              "term": 0,
              "index": 0
            },
            {
              "keyBase64": "wyg=",
              "value": "line\nbreak",
              "revision": 7,
              "created": 7,
              "version": 1,
              "shard": 0,
              "node": "",
              "term": 0,
              "index": 0
            }
          ],
          "count": 3,
          "more": false
        }

        """,
        (await AgainstAsync(new FakeReply(200, Page), "list", "-o", "json")).Out);

    [Fact]
    public async Task A_list_that_cannot_be_had_says_why()
    {
        Shardctl.Complained(await AgainstAsync(FakeReply.Problem(503, "no-leader", "not-applied", headers: ("Retry-After", "60")), "list"), ExitCode.Unhealthy, "list: as the test wants it");
        ClientEndpoint nobody = FakeNode.Nobody();
        Shardctl.Complained(await Shardctl.RunAsync("list", "--count-only", "--endpoints", nobody.ToString()), ExitCode.CannotConnect, $"cannot connect to {nobody}");
    }

    private static async Task<Shardctl.Ended> AgainstAsync(FakeReply reply, params string[] arguments)
    {
        await using FakeNode node = new(reply);
        return await Shardctl.RunAsync([.. arguments, "--endpoints", node.Endpoint.ToString()]);
    }
}
