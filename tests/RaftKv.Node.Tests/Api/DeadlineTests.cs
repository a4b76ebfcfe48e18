using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>Idempotency keys and ttl over HTTP (design §9).</summary>
[Collection(nameof(SingleNode))]
public sealed class DeadlineTests(SingleNode single)
{
    [Fact]
    public async Task A_repeated_write_answers_its_first_result_and_is_not_applied_again()
    {
        (string, string) key = ("Idempotency-Key", $"{Guid.CreateVersion7()}");
        RawResponse first = await single.SendAsync("PUT", "/v1/kv/once", "a"u8.ToArray(), key);
        RawResponse second = await single.SendAsync("PUT", "/v1/kv/once", "a"u8.ToArray(), key);
        Assert.Equal((200, first.Text), (second.Status, second.Text));
        Assert.Equal("true", second.Headers["Idempotency-Replayed"]);
        Assert.False(first.Headers.ContainsKey("Idempotency-Replayed"));
        foreach (string header in new[] { "RaftKv-Index", "RaftKv-Term", "RaftKv-Revision", "RaftKv-Prev-Revision", "ETag" }) Assert.Equal(first.Headers[header], second.Headers[header]);
        Assert.Equal("1", (await single.SendAsync("GET", "/v1/kv/once")).Headers["RaftKv-Version"]);
    }

    [Fact]
    public async Task A_refused_condition_is_remembered_too()
    {
        (string, string) key = ("Idempotency-Key", "refused-once");
        RawResponse first = await single.SendAsync("PUT", "/v1/kv/refused", "a"u8.ToArray(), key, ("If-Match", "\"999999\""));
        Assert.Equal(412, first.Status);
        await single.SendAsync("PUT", "/v1/kv/refused", "b"u8.ToArray());
        RawResponse second = await single.SendAsync("PUT", "/v1/kv/refused", "a"u8.ToArray(), key, ("If-Match", "\"999999\""));
        Assert.Equal((412, "true"), (second.Status, second.Headers["Idempotency-Replayed"]));
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_refused()
    {
        (string, string) key = ("Idempotency-Key", "reused");
        await single.SendAsync("PUT", "/v1/kv/reused", "a"u8.ToArray(), key);
        RawResponse other = await single.SendAsync("PUT", "/v1/kv/reused", "b"u8.ToArray(), key);
        Assert.Equal(422, other.Status);
        Assert.Equal("idempotency-key-reused", other.Json.GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_key_with_a_ttl_says_so_and_goes()
    {
        await single.SendAsync("PUT", "/v1/kv/brief?ttl=1", "a"u8.ToArray());
        RawResponse got = await single.SendAsync("GET", "/v1/kv/brief");
        Assert.Equal((200, "1"), (got.Status, got.Headers["RaftKv-Ttl"]));
        await Wait.UntilAsync("the key to expire", async () => (await single.SendAsync("GET", "/v1/kv/brief")).Status == 404);
    }

    [Fact]
    public async Task A_put_without_ttl_clears_one()
    {
        await single.SendAsync("PUT", "/v1/kv/kept?ttl=1", "a"u8.ToArray());
        await single.SendAsync("PUT", "/v1/kv/kept", "b"u8.ToArray());
        await single.SendAsync("PUT", "/v1/kv/witness?ttl=2", "a"u8.ToArray());
        await Wait.UntilAsync("a later deadline to pass", async () => (await single.SendAsync("GET", "/v1/kv/witness")).Status == 404);
        RawResponse got = await single.SendAsync("GET", "/v1/kv/kept");
        Assert.Equal((200, "b"), (got.Status, got.Text));
        Assert.False(got.Headers.ContainsKey("RaftKv-Ttl"));
    }
}
