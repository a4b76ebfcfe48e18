using RaftKv.Tests.Fakes;

namespace RaftKv.Shardctl.Tests;

/// <summary>shard transfer-leader: what it asks, prints and ends with.</summary>
public sealed class ShardVerbTests
{
    private static readonly FakeReply Transferred = new(200, """{"shard":3,"leader":"n2","term":7}""");

    [Fact]
    public async Task Transfer_asks_for_the_shard_and_shows_who_leads_now()
    {
        await using FakeNode node = new(Transferred);
        Shardctl.Ended ended = await Shardctl.RunAsync("shard", "transfer-leader", "3", "n2", "--endpoints", node.Endpoint.ToString());
        Assert.Equal(new Shardctl.Ended(0, "shard  leader  term\n3      n2      7\n", ""), ended);
        Assert.Equal("/v1/admin/shards/3/transfer-leader", Assert.Single(node.Requests).Target);
    }

    [Fact]
    public async Task Transfer_as_json_is_stable() => Assert.Equal(
        """
        {
          "shard": 3,
          "leader": "n2",
          "term": 7
        }

        """,
        (await AgainstAsync(Transferred, "-o", "json")).Out);

    [Theory]
    [InlineData(404, "no-such-node", "not-applied", false, ExitCode.NotFound)]
    [InlineData(404, "no-such-shard", "not-applied", false, ExitCode.NotFound)]
    [InlineData(503, "transfer-failed", "not-applied", true, ExitCode.Unhealthy)]
    [InlineData(504, "transfer-unknown", "unknown", true, ExitCode.OutcomeUnknown)]
    public async Task What_goes_wrong_has_its_exit_code(int status, string code, string outcome, bool retryable, int exitCode)
    {
        FakeReply problem = FakeReply.Problem(status, code, outcome, retryable: retryable);
        Assert.Equal(exitCode, (await AgainstAsync(problem, "--timeout", "0.2")).ExitCode);
    }

    [Fact]
    public async Task A_hand_over_that_failed_is_tried_once_and_says_why()
    {
        await using FakeNode node = new(FakeReply.Problem(503, "transfer-failed", "not-applied", detail: "n2 is down"));
        Shardctl.Ended ended = await Shardctl.RunAsync("shard", "transfer-leader", "3", "n2", "--endpoints", node.Endpoint.ToString());
        Shardctl.Complained(ended, ExitCode.Unhealthy, $"shard 3: n2 is down (transfer-failed, {node.Endpoint})");
        Assert.Single(node.Requests);
    }

    [Fact]
    public async Task A_shard_that_is_no_number_is_a_wrong_command_line() =>
        Shardctl.Complained(await Shardctl.RunAsync("shard", "transfer-leader", "x"), ExitCode.Usage, "shard x: must be a number.");

    private static async Task<Shardctl.Ended> AgainstAsync(FakeReply reply, params string[] options)
    {
        await using FakeNode node = new(reply);
        return await Shardctl.RunAsync(["shard", "transfer-leader", "3", "n2", .. options, "--endpoints", node.Endpoint.ToString()]);
    }
}
