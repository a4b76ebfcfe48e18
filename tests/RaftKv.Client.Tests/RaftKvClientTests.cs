using System.Text;
using RaftKv.Tests.Fakes;

namespace RaftKv.Client.Tests;

/// <summary>The shell around the plan, over real sockets: what is sent, and what each way of failing is taken for.</summary>
public sealed class RaftKvClientTests
{
    private static readonly byte[] Key = "greeting"u8.ToArray();
    private static readonly (string, string)[] Position = [("RaftKv-Node", "n2"), ("RaftKv-Shard", "8"), ("RaftKv-Epoch", "1.1"), ("RaftKv-Term", "6"), ("RaftKv-Index", "13"), ("RaftKv-Revision", "17"), ("ETag", "\"17\"")];

    [Fact]
    public async Task Get_returns_the_value_and_where_it_stands()
    {
        await using FakeNode node = new(new FakeReply(200, "hello", [.. Position, ("RaftKv-Created", "3"), ("RaftKv-Version", "2")]));
        using RaftKvClient client = ClientOf(node.Endpoint);
        GetResult read = await client.GetAsync(Key);
        Assert.Equal((RequestOutcome.Applied, "hello", 17ul, 3ul, 2ul), (read.Outcome, Encoding.UTF8.GetString(read.Value!), read.Revision, read.Created, read.Version));
        Assert.Equal(new Position("n2", 8, "1.1", 6, 13), read.Position);
        Assert.Null(read.Error);
    }

    [Fact]
    public async Task Get_of_an_absent_key_is_an_answer()
    {
        await using FakeNode node = new(FakeReply.Problem(404, "key-not-found", null, headers: Position));
        using RaftKvClient client = ClientOf(node.Endpoint);
        GetResult read = await client.GetAsync(Key);
        Assert.Equal((RequestOutcome.Applied, null, null), (read.Outcome, read.Value, read.Error));
        Assert.Equal(13ul, read.Position.Index);
    }

    [Theory]
    [InlineData("a/../b//c?x#y%")]
    [InlineData("\0\n key")]
    public async Task Any_bytes_are_a_key(string key)
    {
        await using FakeNode node = new(new FakeReply(200));
        using RaftKvClient client = ClientOf(node.Endpoint);
        await client.GetAsync(Encoding.UTF8.GetBytes(key));
        string target = node.Requests.Single().Target;
        Assert.StartsWith("/v1/kv?key64=", target, StringComparison.Ordinal);
        Assert.Equal(key, Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(target.AsSpan("/v1/kv?key64=".Length))));
    }

    [Fact]
    public async Task How_to_read_is_asked_for_and_how_it_was_read_is_returned()
    {
        await using FakeNode node = new(new FakeReply(200, "hello", [.. Position, ("RaftKv-Consistency", "stale"), ("RaftKv-Age-Ms", "1500")]));
        using RaftKvClient client = ClientOf(node.Endpoint);
        GetResult read = await client.GetAsync(Key, new GetOptions(ReadConsistency.Stale, 17));
        Assert.Equal(("stale", TimeSpan.FromSeconds(1.5)), (read.Consistency, read.Age));
        Assert.EndsWith("&consistency=stale&revision=17", node.Requests[0].Target, StringComparison.Ordinal);
        await client.GetAsync(Key, new GetOptions(ReadConsistency.Lease));
        Assert.EndsWith("&consistency=lease", node.Requests[1].Target, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_age_that_nobody_knows_is_none()
    {
        await using FakeNode node = new(new FakeReply(200, "hello", [.. Position, ("RaftKv-Consistency", "stale"), ("RaftKv-Age-Ms", "unknown")]));
        using RaftKvClient client = ClientOf(node.Endpoint);
        Assert.Null((await client.GetAsync(Key, new GetOptions(ReadConsistency.Stale))).Age);
    }

    [Fact]
    public async Task Put_sends_the_bytes_and_returns_the_revisions()
    {
        await using FakeNode node = new(new FakeReply(200, "{}", [.. Position, ("RaftKv-Prev-Revision", "5")]));
        using RaftKvClient client = ClientOf(node.Endpoint);
        WriteResult written = await client.PutAsync(Key, new byte[] { 0, 255, 10 });
        Assert.Equal((RequestOutcome.Applied, 17ul, 5ul), (written.Outcome, written.Revision, written.PrevRevision));
        FakeRequest request = node.Requests.Single();
        Assert.Equal("PUT", request.Method);
        Assert.Equal([0, 255, 10], request.Body);
        Assert.False(request.Headers.ContainsKey("If-Match"));
        Assert.False(request.Headers.ContainsKey("If-None-Match"));
    }

    [Fact]
    public async Task A_ttl_is_sent_in_seconds_and_what_is_left_of_it_is_returned()
    {
        await using FakeNode node = new(new FakeReply(200, "x", [.. Position, ("RaftKv-Ttl", "299")]));
        using RaftKvClient client = ClientOf(node.Endpoint);
        await client.PutAsync(Key, default, ttl: TimeSpan.FromMinutes(5));
        await client.PutAsync(Key, default);
        Assert.EndsWith("&ttl=300", node.Requests[0].Target, StringComparison.Ordinal);
        Assert.DoesNotContain("ttl", node.Requests[1].Target, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(299), (await client.GetAsync(Key)).Ttl);
    }

    [Fact]
    public async Task Conditions_are_sent_as_etags()
    {
        await using FakeNode node = new(new FakeReply(200, "{}"));
        using RaftKvClient client = ClientOf(node.Endpoint);
        await client.PutAsync(Key, default, WriteCondition.IfAbsent);
        await client.PutAsync(Key, default, WriteCondition.IfRevision(17));
        await client.DeleteAsync(Key, WriteCondition.IfRevision(18));
        Assert.Equal(["*"], node.Requests.Where(request => request.Headers.ContainsKey("If-None-Match")).Select(request => request.Headers["If-None-Match"]));
        Assert.Equal(["\"17\"", "\"18\""], node.Requests.Where(request => request.Headers.ContainsKey("If-Match")).Select(request => request.Headers["If-Match"]));
    }

    [Fact]
    public async Task A_refused_condition_is_rejected_and_says_the_current_revision()
    {
        await using FakeNode node = new(FakeReply.Problem(412, "precondition-failed", "not-applied", headers: Position));
        using RaftKvClient client = ClientOf(node.Endpoint);
        WriteResult written = await client.PutAsync(Key, default, WriteCondition.IfRevision(16));
        Assert.Equal((RequestOutcome.Rejected, 17ul, "precondition-failed"), (written.Outcome, written.CurrentRevision, written.Error?.Code));
        Assert.Single(node.Requests);
    }

    [Fact]
    public async Task The_remaining_time_goes_with_the_request()
    {
        await using FakeNode node = new(new FakeReply(200));
        using RaftKvClient client = ClientOf(node.Endpoint);
        await client.PutAsync(Key, default);
        Assert.Equal("4950", node.Requests.Single().Headers["RaftKv-Timeout"]);
    }

    [Fact]
    public async Task A_write_refused_by_one_node_is_taken_to_the_next()
    {
        await using FakeNode stopping = new(FakeReply.Problem(503, "shutting-down", "not-applied"));
        await using FakeNode serving = new(new FakeReply(200, "{}", Position));
        using RaftKvClient client = ClientOf(FakeNode.Nobody(), stopping.Endpoint, serving.Endpoint);
        Assert.Equal(RequestOutcome.Applied, (await client.PutAsync(Key, default)).Outcome);
        Assert.Equal((1, 1), (stopping.Requests.Length, serving.Requests.Length));
    }

    [Fact]
    public async Task The_endpoint_that_answered_last_is_asked_first()
    {
        await using FakeNode serving = new(new FakeReply(200, "{}", Position));
        await using FakeNode stopping = new(FakeReply.Problem(503, "shutting-down", "not-applied"));
        using RaftKvClient client = ClientOf(stopping.Endpoint, serving.Endpoint);
        await client.PutAsync(Key, default);
        await client.PutAsync(Key, default);
        Assert.Equal((1, 2), (stopping.Requests.Length, serving.Requests.Length));
    }

    /// <summary>The key is what makes it safe; and it carries its time, so that it stays safe.</summary>
    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task A_write_whose_connection_is_lost_is_sent_again_under_the_same_UUIDv7(string method)
    {
        await using FakeNode node = new(FakeReply.Hangup);
        await using FakeNode other = new(new FakeReply(200, "{}", Position));
        using RaftKvClient client = ClientOf(node.Endpoint, other.Endpoint);
        Assert.Equal(RequestOutcome.Applied, (await WriteAsync(client, method)).Outcome);
        string key = node.Requests.Single().Headers["Idempotency-Key"];
        Assert.Equal(key, other.Requests.Single().Headers["Idempotency-Key"]);
        Assert.Equal((7, 36), (Guid.Parse(key).Version, key.Length));
        await WriteAsync(client, method);
        Assert.NotEqual(key, other.Requests[^1].Headers["Idempotency-Key"]);
    }

    [Fact]
    public async Task A_write_that_was_lost_and_then_refused_by_its_condition_is_rejected_for_certain()
    {
        int attempts = 0;
        await using FakeNode node = new(_ => Interlocked.Increment(ref attempts) == 1 ? FakeReply.Hangup : FakeReply.Problem(412, "precondition-failed", "not-applied", headers: Position));
        using RaftKvClient client = ClientOf(node.Endpoint);
        WriteResult written = await client.PutAsync(Key, default, WriteCondition.IfRevision(16));
        Assert.Equal((RequestOutcome.Rejected, 17ul, 2), (written.Outcome, written.CurrentRevision, attempts));
    }

    [Fact]
    public async Task A_write_that_was_lost_and_then_refused_for_another_reason_is_unknown()
    {
        int attempts = 0;
        await using FakeNode node = new(_ => Interlocked.Increment(ref attempts) == 1 ? FakeReply.Hangup : FakeReply.Problem(409, "idempotency-window-passed", "unknown", retryable: false));
        using RaftKvClient client = ClientOf(node.Endpoint);
        Assert.Equal((RequestOutcome.Unknown, 2), ((await client.PutAsync(Key, default)).Outcome, attempts));
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task Without_a_key_a_write_whose_connection_is_lost_is_unknown_and_is_sent_once(string method)
    {
        await using FakeNode node = new(FakeReply.Hangup);
        await using FakeNode other = new(new FakeReply(200, "{}", Position));
        using RaftKvClient client = Unkeyed(node.Endpoint, other.Endpoint);
        WriteResult written = await WriteAsync(client, method);
        Assert.Equal((RequestOutcome.Unknown, RequestError.NoAnswer), (written.Outcome, written.Error?.Code));
        Assert.Single(node.Requests);
        Assert.Empty(other.Requests);
    }

    /// <summary>HttpClient by itself sends a request without a body up to four times when connections end before the answer.</summary>
    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task A_write_lost_on_a_connection_kept_alive_is_sent_once_too(string method)
    {
        await using FakeNode node = new(request => request.Method == "GET" ? new FakeReply(200) : FakeReply.Hangup);
        using RaftKvClient client = Unkeyed(node.Endpoint);
        await client.GetAsync(Key);
        Assert.Equal(RequestOutcome.Unknown, (await WriteAsync(client, method)).Outcome);
        Assert.Single(node.Requests, request => request.Method == method);
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task A_write_without_an_answer_in_time_is_unknown(string method)
    {
        await using FakeNode node = new(FakeReply.Silence);
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [node.Endpoint], Timeout = TimeSpan.FromSeconds(1), IdempotencyKeys = false });
        Assert.Equal(RequestOutcome.Unknown, (await WriteAsync(client, method)).Outcome);
        Assert.Single(node.Requests);
    }

    [Theory]
    [InlineData("outcome-unknown", 504)]
    [InlineData("internal", 500)]
    public async Task A_write_that_the_node_calls_unknown_is_unknown(string code, int status)
    {
        await using FakeNode node = new(FakeReply.Problem(status, code, "unknown"));
        using RaftKvClient client = Unkeyed(node.Endpoint);
        WriteResult written = await client.PutAsync(Key, default);
        Assert.Equal((RequestOutcome.Unknown, code), (written.Outcome, written.Error?.Code));
        Assert.Single(node.Requests);
    }

    [Fact]
    public async Task A_read_whose_connection_is_lost_is_read_elsewhere()
    {
        await using FakeNode dying = new(FakeReply.Hangup);
        await using FakeNode serving = new(new FakeReply(200, "hello", Position));
        using RaftKvClient client = ClientOf(dying.Endpoint, serving.Endpoint);
        Assert.Equal("hello"u8.ToArray(), (await client.GetAsync(Key)).Value);
    }

    [Fact]
    public async Task A_read_does_not_wait_for_a_stalled_node_until_its_deadline()
    {
        await using FakeNode stalled = new(FakeReply.Silence);
        await using FakeNode serving = new(new FakeReply(200, "hello", Position));
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [stalled.Endpoint, serving.Endpoint], Timeout = TimeSpan.FromSeconds(2) });
        Assert.Equal("hello"u8.ToArray(), (await client.GetAsync(Key)).Value);
    }

    /// <summary>The second refusal asks for a wait beyond the deadline, so there is no third attempt.</summary>
    [Fact]
    public async Task A_read_that_fails_until_the_deadline_is_rejected_with_the_last_reason()
    {
        int attempts = 0;
        await using FakeNode node = new(_ => Interlocked.Increment(ref attempts) == 1
            ? FakeReply.Problem(503, "shutting-down", "not-applied")
            : FakeReply.Problem(503, "no-leader", "not-applied", headers: ("Retry-After", "60")));
        using RaftKvClient client = ClientOf(node.Endpoint);
        GetResult read = await client.GetAsync(Key);
        Assert.Equal((RequestOutcome.Rejected, "no-leader"), (read.Outcome, read.Error?.Code));
        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task Where_nobody_listens_nothing_was_sent()
    {
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [FakeNode.Nobody()], FailWhenNoneListens = true });
        WriteResult written = await client.PutAsync(Key, default);
        Assert.Equal((RequestOutcome.Rejected, RequestError.CannotConnect), (written.Outcome, written.Error?.Code));
        GetResult read = await client.GetAsync(Key);
        Assert.Equal((RequestOutcome.Rejected, RequestError.CannotConnect), (read.Outcome, read.Error?.Code));
    }

    [Fact]
    public async Task An_unknown_host_is_as_one_that_does_not_listen()
    {
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [new ClientEndpoint("no-such-host.invalid", 1)], FailWhenNoneListens = true });
        WriteResult written = await client.DeleteAsync(Key);
        Assert.Equal((RequestOutcome.Rejected, RequestError.CannotConnect), (written.Outcome, written.Error?.Code));
    }

    /// <summary>It has applied nothing, and holds no key: neither what it stored nor what it lacks is an answer.</summary>
    [Theory]
    [InlineData(404)]
    [InlineData(412)]
    [InlineData(501)]
    public async Task A_server_that_is_no_node_is_passed_over_and_named_when_there_is_no_other(int status)
    {
        await using FakeNode other = new(FakeReply.Foreign(status));
        await using FakeNode node = new(new FakeReply(200, "hello", Position));
        using RaftKvClient both = ClientOf(other.Endpoint, node.Endpoint);
        Assert.Equal(RequestOutcome.Applied, (await both.PutAsync(Key, default)).Outcome);
        Assert.Equal((1, 1), (other.Requests.Length, node.Requests.Length));
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [other.Endpoint], FailWhenNoneListens = true });
        WriteResult written = await client.PutAsync(Key, default);
        Assert.Equal((RequestOutcome.Rejected, RequestError.NotRaftKv), (written.Outcome, written.Error?.Code));
        GetResult read = await client.GetAsync(Key);
        Assert.Equal((RequestOutcome.Rejected, RequestError.NotRaftKv), (read.Outcome, read.Error?.Code));
        Assert.Equal(3, other.Requests.Length);
    }

    /// <summary>A proxy may have taken a node's headers away: then the write was applied.</summary>
    [Fact]
    public async Task A_success_that_no_node_signed_leaves_a_write_unknown()
    {
        await using FakeNode other = new(FakeReply.Foreign(200));
        using RaftKvClient client = new(new RaftKvClientOptions { Endpoints = [other.Endpoint], FailWhenNoneListens = true, IdempotencyKeys = false });
        Assert.Equal(RequestOutcome.Unknown, (await client.PutAsync(Key, default)).Outcome);
    }

    [Fact]
    public async Task A_hand_over_that_failed_is_not_tried_again()
    {
        await using FakeNode node = new(FakeReply.Problem(503, "transfer-failed", "not-applied"));
        await using FakeNode other = new(FakeReply.Problem(503, "transfer-failed", "not-applied"));
        using RaftKvClient client = ClientOf(node.Endpoint, other.Endpoint);
        TransferResult transfer = await client.TransferLeaderAsync(3, "n2");
        Assert.Equal((RequestOutcome.Rejected, "transfer-failed"), (transfer.Outcome, transfer.Error?.Code));
        Assert.Equal((1, 0), (node.Requests.Length, other.Requests.Length));
    }

    [Fact]
    public async Task Who_cancels_is_told_so()
    {
        using CancellationTokenSource cancel = new();
        await using FakeNode node = new(_ =>
        {
            cancel.Cancel();
            return FakeReply.Silence;
        });
        using RaftKvClient client = ClientOf(node.Endpoint);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.PutAsync(Key, default, cancellation: cancel.Token));
    }

    private static RaftKvClient ClientOf(params ClientEndpoint[] endpoints) => new(new RaftKvClientOptions { Endpoints = endpoints });

    private static RaftKvClient Unkeyed(params ClientEndpoint[] endpoints) => new(new RaftKvClientOptions { Endpoints = endpoints, IdempotencyKeys = false });

    private static Task<WriteResult> WriteAsync(RaftKvClient client, string method) => method == "PUT" ? client.PutAsync(Key, "x"u8.ToArray()) : client.DeleteAsync(Key);
}
