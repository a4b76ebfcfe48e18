using System.Buffers.Text;
using System.Text;
using RaftKv.Client;
using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>get, put and del: what they print and what they end with.</summary>
public sealed class KeyVerbTests
{
    private static readonly (string, string)[] Position = [("RaftKv-Node", "n2"), ("RaftKv-Shard", "8"), ("RaftKv-Epoch", "1.1"), ("RaftKv-Term", "6"), ("RaftKv-Index", "13"), ("RaftKv-Revision", "17")];
    private static readonly FakeReply Value = new(200, "hello", [.. Position, ("ETag", "\"17\""), ("RaftKv-Created", "3"), ("RaftKv-Version", "2")]);

    [Fact]
    public async Task Get_prints_the_value_and_not_a_byte_more() => Assert.Equal(new Shardctl.Ended(0, "hello", ""), await AgainstAsync(Value, "get", "k"));

    [Fact]
    public async Task Get_as_json_is_stable() => Assert.Equal(
        """
        {
          "key": "k",
          "value": "hello",
          "revision": 17,
          "created": 3,
          "version": 2,
          "shard": 8,
          "node": "n2",
          "term": 6,
          "index": 13
        }

        """,
        (await AgainstAsync(Value, "get", "k", "-o", "json")).Out);

    [Fact]
    public async Task Get_of_an_absent_key_ends_with_4() => Shardctl.Complained(await AgainstAsync(FakeReply.Problem(404, "key-not-found", null), "get", "k"), ExitCode.NotFound, "k: no such key");

    [Fact]
    public async Task Get_asks_for_a_revision_and_a_consistency_and_says_in_json_what_it_got()
    {
        await using FakeNode node = new(Value with { Headers = [.. Value.Headers, ("RaftKv-Consistency", "stale"), ("RaftKv-Age-Ms", "12")] });
        Shardctl.Ended ended = await Shardctl.RunAsync("get", "k", "--revision", "16", "--consistency", "stale", "-o", "json", "--endpoints", node.Endpoint.ToString());
        Assert.EndsWith("&consistency=stale&revision=16", node.Requests.Single().Target, StringComparison.Ordinal);
        Assert.Contains("\"consistency\": \"stale\",\n  \"ageMillis\": 12\n", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_prints_the_revision() => Assert.Equal(
        new Shardctl.Ended(0, "revision 17, replaces 5\n", ""), await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "5")]), "put", "k", "v"));

    [Fact]
    public async Task Put_says_when_the_key_is_new() => Assert.Equal(
        new Shardctl.Ended(0, "revision 17, a new key\n", ""), await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "0")]), "put", "k", "v"));

    [Fact]
    public async Task Put_as_json_is_stable() => Assert.Equal(
        """
        {
          "key": "k",
          "revision": 17,
          "prevRevision": 5,
          "shard": 8,
          "node": "n2",
          "term": 6,
          "index": 13
        }

        """,
        (await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "5")]), "put", "k", "v", "-o", "json")).Out);

    [Theory]
    [InlineData("value", "value")]
    [InlineData("-", "from standard\ninput\n")]
    [InlineData("", "")]
    [InlineData("@file", "@file")]
    public async Task Put_sends_its_argument_or_standard_input(string argument, string expected)
    {
        await using FakeNode node = new(new FakeReply(200, "{}", Position));
        Shardctl.Ended ended = await Shardctl.RunAsync("from standard\ninput\n", ["put", "k", argument, "--endpoints", node.Endpoint.ToString()]);
        Assert.Equal(0, ended.ExitCode);
        Assert.Equal(expected, Encoding.UTF8.GetString(node.Requests.Single().Body));
    }

    [Theory]
    [InlineData("--if-absent", "If-None-Match", "*")]
    [InlineData("--if-revision=16", "If-Match", "\"16\"")]
    public async Task Put_sends_its_condition(string option, string header, string value)
    {
        await using FakeNode node = new(new FakeReply(200, "{}", Position));
        await Shardctl.RunAsync("put", "k", "v", option, "--endpoints", node.Endpoint.ToString());
        Assert.Equal(value, node.Requests.Single().Headers[header]);
    }

    [Theory]
    [InlineData("put", "k", "v", "--if-revision", "16")]
    [InlineData("del", "k", "--if-revision", "16")]
    public async Task A_condition_that_does_not_hold_ends_with_6_and_says_the_revision(params string[] arguments) => Shardctl.Complained(
        await AgainstAsync(FakeReply.Problem(412, "precondition-failed", "not-applied", headers: ("ETag", "\"17\"")), arguments), ExitCode.Precondition, "k: not done, the key's revision is 17");

    [Fact]
    public async Task Put_sends_a_ttl_and_get_says_in_json_what_is_left_of_it()
    {
        await using FakeNode node = new(Value with { Headers = [.. Value.Headers, ("RaftKv-Ttl", "299")] });
        Assert.Equal(0, (await Shardctl.RunAsync("put", "k", "v", "--ttl", "300", "--endpoints", node.Endpoint.ToString())).ExitCode);
        Assert.EndsWith("&ttl=300", node.Requests.Single().Target, StringComparison.Ordinal);
        Assert.Contains("\"version\": 2,\n  \"ttl\": 299,\n", (await Shardctl.RunAsync("get", "k", "-o", "json", "--endpoints", node.Endpoint.ToString())).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Del_says_what_it_deleted() => Assert.Equal(
        new Shardctl.Ended(0, "deleted, it had revision 5\n", ""), await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "5")]), "del", "k"));

    [Fact]
    public async Task Del_of_an_absent_key_ends_with_4() => Shardctl.Complained(
        await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "0")]), "del", "k"), ExitCode.NotFound, "k: no such key");

    [Fact]
    public async Task Del_as_json_says_it_in_the_document()
    {
        Shardctl.Ended ended = await AgainstAsync(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "0")]), "del", "k", "-o", "json");
        Assert.Equal((ExitCode.NotFound, ""), (ended.ExitCode, ended.Error));
        Assert.Contains("\"deleted\": false,", ended.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, "bad-argument", "not-applied", ExitCode.Usage)]
    [InlineData(413, "value-too-large", "not-applied", ExitCode.Usage)]
    [InlineData(401, "unauthenticated", "not-applied", ExitCode.Denied)]
    [InlineData(403, "permission-denied", "not-applied", ExitCode.Denied)]
    [InlineData(405, "method-not-allowed", "not-applied", ExitCode.Error)]
    [InlineData(503, "no-leader", "not-applied", ExitCode.Unhealthy)]
    [InlineData(507, "out-of-space", "not-applied", ExitCode.Unhealthy)]
    [InlineData(429, "overloaded", "not-applied", ExitCode.Error)]
    [InlineData(504, "outcome-unknown", "unknown", ExitCode.OutcomeUnknown)]
    [InlineData(500, "internal", "unknown", ExitCode.OutcomeUnknown)]
    [InlineData(502, "", null, ExitCode.OutcomeUnknown)]
    public async Task Every_kind_of_failure_has_its_exit_code(int status, string code, string? outcome, int exitCode) => Shardctl.Complained(
        await AgainstAsync(FakeReply.Problem(status, code, outcome, headers: ("Retry-After", "60")), "put", "k", "v"), exitCode, "as the test wants it"); // 60 s: beyond any deadline, so nothing is tried again.

    /// <summary>It is tried again until the time is up, under one idempotency key.</summary>
    [Fact]
    public async Task A_connection_lost_again_and_again_ends_with_7()
    {
        await using FakeNode node = new(FakeReply.Hangup);
        Shardctl.Ended ended = await Shardctl.RunAsync("put", "k", "v", "--timeout", "0.3", "--endpoints", node.Endpoint.ToString());
        Shardctl.Complained(ended, ExitCode.OutcomeUnknown, "outcome unknown");
        Assert.True(node.Requests.Length > 1);
        Assert.Single(node.Requests.Select(request => request.Headers["Idempotency-Key"]).Distinct());
    }

    [Theory]
    [InlineData("get", "k")]
    [InlineData("put", "k", "v")]
    [InlineData("del", "k")]
    public async Task Nobody_there_ends_with_3_at_once(params string[] arguments)
    {
        ClientEndpoint nobody = FakeNode.Nobody();
        Shardctl.Complained(await Shardctl.RunAsync([.. arguments, "--endpoints", nobody.ToString()]), ExitCode.CannotConnect, $"cannot connect to {nobody}: Connection refused");
    }

    /// <summary>Its own line, and what stands behind '--'.</summary>
    [Theory]
    [InlineData("--foo", "get", "--", "--foo")]
    [InlineData("-", "get", "-")]
    [InlineData("--foo", "put", "--", "--foo", "--bar")]
    public async Task What_begins_with_a_dash_is_a_key_behind_two(string key, params string[] arguments)
    {
        await using FakeNode node = new(Value);
        Shardctl.Ended ended = await Shardctl.RunAsync(["--endpoints", node.Endpoint.ToString(), .. arguments]);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Error));
        Assert.EndsWith("key64=" + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(key)), node.Requests.Single().Target, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-_8A", "get", "--key64=-_8A")]
    [InlineData("-_8A", "get", "--key64", "-_8A")]
    [InlineData("-_8", "get", "--key64", "base64:+/8=")]
    [InlineData("-_8", "del", "--key64", "+/8=")]
    [InlineData("AAE", "put", "--key64", "AAE", "v")]
    public async Task A_key_of_any_bytes_is_named_in_base64(string sent, params string[] arguments)
    {
        await using FakeNode node = new(new FakeReply(200, "v", [.. Position, ("RaftKv-Prev-Revision", "5")]));
        Shardctl.Ended ended = await Shardctl.RunAsync([.. arguments, "--endpoints", node.Endpoint.ToString()]);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Error));
        FakeRequest request = node.Requests.Single();
        Assert.EndsWith("key64=" + sent, request.Target, StringComparison.Ordinal);
        Assert.Equal(arguments[0] == "put" ? "v" : "", Encoding.UTF8.GetString(request.Body));
    }

    [Fact]
    public async Task A_key_of_any_bytes_is_shown_as_list_shows_it() => Shardctl.Complained(
        await AgainstAsync(FakeReply.Problem(404, "key-not-found", null), "get", "--key64", "_w"), ExitCode.NotFound, "base64:/w==: no such key");

    [Fact]
    public async Task A_key_far_too_long_for_any_node_ends_with_2() => Assert.Equal(ExitCode.Usage, (await AgainstAsync(FakeReply.Foreign(414), "get", "k")).ExitCode);

    /// <summary>Not as a key that is absent, however plainly a web server says 404.</summary>
    [Theory]
    [InlineData(404, "get", "k")]
    [InlineData(200, "get", "k")]
    [InlineData(501, "put", "k", "v")]
    [InlineData(404, "del", "k")]
    [InlineData(404, "list")]
    [InlineData(404, "list", "--count-only")]
    [InlineData(501, "shard", "transfer-leader", "3", "n2")]
    public async Task A_server_that_is_no_node_ends_with_3(int status, params string[] arguments)
    {
        await using FakeNode other = new(FakeReply.Foreign(status));
        Shardctl.Complained(
            await Shardctl.RunAsync([.. arguments, "--endpoints", other.Endpoint.ToString()]), ExitCode.CannotConnect, $"answers {status} and nothing that RaftKv would (not-raftkv, {other.Endpoint})");
        Assert.Single(other.Requests);
    }

    [Fact]
    public async Task The_next_endpoint_is_asked_when_one_is_no_node()
    {
        await using FakeNode other = new(FakeReply.Foreign(404));
        await using FakeNode node = new(Value);
        Assert.Equal("hello", (await Shardctl.RunAsync("get", "k", "--endpoints", $"{other.Endpoint},{node.Endpoint}")).Out);
    }

    [Fact]
    public async Task The_next_endpoint_is_asked_when_one_is_down()
    {
        await using FakeNode node = new(Value);
        Assert.Equal("hello", (await Shardctl.RunAsync("get", "k", "--endpoints", $"{FakeNode.Nobody()},{node.Endpoint}")).Out);
    }

    [Fact]
    public async Task A_comma_too_many_names_no_endpoint()
    {
        await using FakeNode node = new(Value);
        Assert.Equal("hello", (await Shardctl.RunAsync("get", "k", "--endpoints", $"{node.Endpoint},")).Out);
    }

    [Fact]
    public async Task Output_that_cannot_be_written_is_complained_of()
    {
        await using FakeNode node = new(Value);
        using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        using MemoryStream error = new();
        int exitCode = await Program.RunAsync(["get", "k", "--endpoints", node.Endpoint.ToString()], new Screen("shardctl", Stream.Null, full, error));
        Shardctl.Complained(new Shardctl.Ended(exitCode, "", Encoding.UTF8.GetString(error.ToArray())), ExitCode.Error, "No space left on device");
    }

    [Fact]
    public async Task Global_options_may_stand_before_the_verb()
    {
        await using FakeNode node = new(Value);
        Assert.Equal("hello", (await Shardctl.RunAsync("--endpoints", node.Endpoint.ToString(), "get", "k")).Out);
    }

    /// <summary>Of this process, so no test beside it may go without --endpoints.</summary>
    [Fact]
    public async Task The_variable_names_the_endpoints_when_the_flag_does_not()
    {
        await using FakeNode node = new(Value);
        Environment.SetEnvironmentVariable(GlobalOptions.EndpointsVariable, node.Endpoint.ToString());
        try
        {
            Assert.Equal("hello", (await Shardctl.RunAsync("get", "k")).Out);
        }
        finally
        {
            Environment.SetEnvironmentVariable(GlobalOptions.EndpointsVariable, null);
        }
    }

    [Theory]
    [InlineData("Required argument 'key' missing", "get")]
    [InlineData("Required argument 'value' missing", "put", "k")]
    [InlineData("the key is empty", "get", "")]
    [InlineData("Unrecognized command or argument 'frob'", "frob")]
    [InlineData("Unrecognized option '--frob'. A key or value that begins with '-' stands behind '--'.", "get", "k", "--frob")]
    [InlineData("Unrecognized option '--if-absnt'", "put", "greeting", "--if-absnt")]
    [InlineData("Unrecognized option '--foo'", "put", "--foo", "bar")]
    [InlineData("Unrecognized option '--revison'", "get", "--revison")]
    [InlineData("Unrecognized option '-x'", "del", "-x", "--", "-x")]
    [InlineData("Unrecognized option '-x'", "list", "--prefix", "-x", "-x")]
    [InlineData("--key64 stands in place of the key; 'k' is one argument too many", "get", "k", "--key64", "AAE")]
    [InlineData("--key64 stands in place of the key; 'k' is one argument too many", "put", "k", "v", "--key64", "AAE")]
    [InlineData("Required argument 'value' missing", "put", "--key64", "AAE")]
    [InlineData("--key64 A: must be base64url", "del", "--key64", "A")]
    [InlineData("the key is empty", "get", "--key64", "")]
    [InlineData("'nowhere' is not host:port", "get", "k", "--endpoints", "nowhere")]
    [InlineData("--output yaml: must be table or json", "get", "k", "-o", "yaml")]
    [InlineData("--timeout 61: must be from 0.01 to 60", "get", "k", "--timeout", "61")]
    [InlineData("--timeout -1: must be from 0.01 to 60", "get", "k", "--timeout", "-1")]
    [InlineData("--limit -1: must be from 1", "list", "--limit", "-1")]
    [InlineData("--endpoints: no endpoint is named", "get", "k", "--endpoints", ",")]
    [InlineData("--timeout x: must be a number of seconds", "get", "k", "--timeout", "x")]
    [InlineData("--if-revision 0: must be a revision", "del", "k", "--if-revision", "0")]
    [InlineData("--revision 0: must be a revision", "get", "k", "--revision", "0")]
    [InlineData("--consistency some: must be linearizable, lease or stale", "get", "k", "--consistency", "some")]
    [InlineData("--limit 0: must be from 1", "list", "--limit", "0")]
    [InlineData("--limit x: must be a whole number", "list", "--limit", "x")]
    [InlineData("Unrecognized command or argument 'k'", "list", "k")]
    [InlineData("--if-revision x: must be a revision", "put", "k", "v", "--if-revision", "x")]
    [InlineData("--ttl 0: must be a whole number of seconds, from 1", "put", "k", "v", "--ttl", "0")]
    [InlineData("--ttl -1: must be a whole number of seconds, from 1", "put", "k", "v", "--ttl", "-1")]
    [InlineData("exclude each other", "put", "k", "v", "--if-absent", "--if-revision", "1")]
    [InlineData("playground does not know --endpoints", "--endpoints", "a:1", "playground")]
    public async Task A_wrong_command_line_ends_with_2(string text, params string[] arguments) => Shardctl.Complained(await Shardctl.RunAsync(arguments), ExitCode.Usage, text);

    [Fact]
    public async Task Help_is_no_failure_but_no_command_is()
    {
        Assert.Equal(ExitCode.Ok, (await Shardctl.RunAsync("--help")).ExitCode);
        Shardctl.Ended ended = await Shardctl.RunAsync();
        Assert.Equal(ExitCode.Usage, ended.ExitCode);
        Assert.Contains("playground", ended.Out, StringComparison.Ordinal);
    }

    private static async Task<Shardctl.Ended> AgainstAsync(FakeReply reply, params string[] arguments)
    {
        await using FakeNode node = new(reply);
        return await Shardctl.RunAsync([.. arguments, "--endpoints", node.Endpoint.ToString()]);
    }
}
