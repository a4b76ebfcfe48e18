using System.Text.Json;
using RaftKv.Node.Tests.Api;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Telemetry;

/// <summary>/debug: groups from inside, and the log level while the node runs.</summary>
[Collection(nameof(SingleNode))]
public sealed class DebugTests(SingleNode single)
{
    [Fact]
    public async Task A_group_says_where_it_stands_and_why_its_role_changed()
    {
        JsonElement group = (await single.SendAsync("GET", "/debug/groups/1")).Json;
        Assert.Equal((1, "n1", "leader", "n1", "1"), (group.GetProperty("shard").GetInt32(), group.GetProperty("node").GetString(), group.GetProperty("role").GetString(), group.GetProperty("leader").GetString(), group.GetProperty("leaderReplica").GetString()));
        ulong[] indexes = [.. ((string[])["snapshotIndex", "applied", "commit", "last"]).Select(name => group.GetProperty(name).GetUInt64())];
        Assert.Equal(indexes.Order(), indexes);
        Assert.Equal((0, 0), (group.GetProperty("pendingProposals").GetInt32(), group.GetProperty("pendingReads").GetInt32()));
        Assert.Equal("""{"voters":[{"replicaId":"1","node":"n1"}],"learners":[]}""", group.GetProperty("configuration").GetRawText());
        Assert.StartsWith($"s1/r1 Leader t{group.GetProperty("term").GetUInt64()} ", group.GetProperty("text").GetString(), StringComparison.Ordinal);

        JsonElement[] changes = [.. group.GetProperty("roleChanges").EnumerateArray()];
        Assert.Equal(["started", "election-timeout", "pre-vote-won", "election-won"], changes.Take(4).Select(change => change.GetProperty("reason").GetString()));
        Assert.Equal(("candidate", "leader", 6), (changes[3].GetProperty("from").GetString(), changes[3].GetProperty("to").GetString(), changes[3].GetProperty("term").GetInt32()));
        DateTimeOffset[] times = [.. changes.Select(change => change.GetProperty("at").GetDateTimeOffset())];
        Assert.Equal(times.Order(), times);
        Assert.InRange(DateTimeOffset.UtcNow - times[^1], TimeSpan.Zero, TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task All_groups_are_listed_without_their_past()
    {
        JsonElement list = (await single.SendAsync("GET", "/debug/groups")).Json;
        Assert.Equal("n1", list.GetProperty("node").GetString());
        Assert.Equal([1, 2], list.GetProperty("groups").EnumerateArray().Select(group => group.GetProperty("shard").GetInt32()));
        Assert.All(list.GetProperty("groups").EnumerateArray(), group => Assert.False(group.TryGetProperty("roleChanges", out _)));
    }

    [Theory]
    [InlineData("GET", "/debug/groups/9", 404, "no-such-shard")]
    [InlineData("GET", "/debug/groups/one", 400, "bad-argument")]
    [InlineData("GET", "/debug/groups/", 400, "bad-argument")]
    [InlineData("GET", "/debug/groups?x=1", 400, "unknown-parameter")]
    [InlineData("POST", "/debug/groups", 405, "method-not-allowed")]
    [InlineData("DELETE", "/debug/log-level", 405, "method-not-allowed")]
    [InlineData("GET", "/debug/heap", 404, "no-such-route")]
    [InlineData("POST", "/metrics", 405, "method-not-allowed")]
    [InlineData("GET", "/readyz?verbose", 400, "unknown-parameter")]
    public async Task What_is_not_there_is_named(string method, string target, int status, string code)
    {
        RawResponse answer = await single.SendAsync(method, target);
        Assert.Equal((status, code), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("""{"level":"loud"}""", "level 'loud' is none of trace, debug, information, warning, error, critical")]
    [InlineData("""{"level":"none"}""", "level 'none' is none of trace, debug")]
    [InlineData("""{"level":"1"}""", "level '1' is none of trace, debug")]
    [InlineData("""{}""", "level '' is none of trace, debug")]
    [InlineData("""{"levle":"debug"}""", "at levle")]
    [InlineData("debug", "the body is no JSON, ")]
    [InlineData("", "the body is empty, ")]
    [InlineData("{\"levl\":\"debug\"}", "the body has an unknown member 'levl', ")]
    [InlineData("{\"level\":5}", "the body is not what this call takes, at level")]
    public async Task A_bad_level_is_refused_and_changes_nothing(string body, string named)
    {
        RawResponse answer = await single.SendAsync("PUT", "/debug/log-level", System.Text.Encoding.UTF8.GetBytes(body));
        Assert.Equal((400, "bad-argument", "application/problem+json"), (answer.Status, answer.Code, answer.Headers["Content-Type"]));
        Assert.Contains(named, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("{\"level\":\"information\"}", (await single.SendAsync("GET", "/debug/log-level")).Text);
    }

    [Fact]
    public async Task The_level_changes_at_run_time_and_requests_are_logged_with_their_position()
    {
        const string Put = " debug RaftKv.Node.Telemetry.RequestTelemetry put answered 200 in ";
        Assert.DoesNotContain(" debug ", single.Node.Output, StringComparison.Ordinal);
        await SetAsync("DEBUG", "debug");
        RawResponse put = await single.SendAsync("PUT", "/v1/kv/logged", [1]);
        await Wait.UntilAsync("the put is logged", () => Task.FromResult(single.Node.Output.Contains(Put, StringComparison.Ordinal)));
        string line = single.Node.Output.Split('\n').First(line => line.Contains(Put, StringComparison.Ordinal));
        Assert.EndsWith($" at shard {put.Headers["RaftKv-Shard"]}, term {put.Headers["RaftKv-Term"]}, index {put.Headers["RaftKv-Index"]} by node n1", line, StringComparison.Ordinal);

        await SetAsync("information", "information");
        await single.SendAsync("PUT", "/v1/kv/logged", [2]);
        await SetAsync("warning", "warning"); // Logged behind whatever the put had to say.
        await Wait.UntilAsync("the next change is logged", () => Task.FromResult(single.Node.Output.Contains("from information to warning", StringComparison.Ordinal)));
        Assert.Equal(2, single.Node.Output.Split(Put).Length);
        await SetAsync("information", "information");
    }

    private async Task SetAsync(string level, string answered)
    {
        RawResponse answer = await single.SendAsync("PUT", "/debug/log-level", System.Text.Encoding.UTF8.GetBytes($"{{\"level\":\"{level}\"}}"));
        Assert.Equal((200, $"{{\"level\":\"{answered}\"}}"), (answer.Status, answer.Text));
        Assert.Equal(answer.Text, (await single.SendAsync("GET", "/debug/log-level")).Text);
    }
}
