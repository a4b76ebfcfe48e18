using System.Buffers.Text;
using System.Net;
using System.Text;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>Reading and writing one key (issue 2, "The HTTP API").</summary>
[Collection(nameof(SingleNode))]
public sealed class KvTests(SingleNode single)
{
    [Fact]
    public async Task A_key_is_put_read_replaced_and_deleted_and_every_answer_says_where_it_stands()
    {
        RawResponse put = await single.SendAsync("PUT", "/v1/kv/life", "one"u8.ToArray());
        Assert.Equal(200, put.Status);
        ulong first = put.Json.GetProperty("revision").GetUInt64();
        Assert.Equal($"{{\"key\":\"life\",\"revision\":{first},\"created\":{first},\"version\":1}}", put.Text);
        AssertPosition(put, "life", first);
        Assert.Equal(($"\"{first}\"", "0"), (put.Headers["ETag"], put.Headers["RaftKv-Prev-Revision"]));

        RawResponse replaced = await single.SendAsync("PUT", "/v1/kv/life", "two"u8.ToArray());
        ulong second = replaced.Json.GetProperty("revision").GetUInt64();
        Assert.True(second > first);
        Assert.Equal($"{{\"key\":\"life\",\"revision\":{second},\"created\":{first},\"version\":2}}", replaced.Text);
        Assert.Equal($"{first}", replaced.Headers["RaftKv-Prev-Revision"]);

        RawResponse got = await single.SendAsync("GET", "/v1/kv/life");
        Assert.Equal((200, "two", "application/octet-stream"), (got.Status, got.Text, got.Headers["Content-Type"]));
        AssertPosition(got, "life", second);
        Assert.Equal(($"\"{second}\"", $"{first}", "2", "linearizable"), (got.Headers["ETag"], got.Headers["RaftKv-Created"], got.Headers["RaftKv-Version"], got.Headers["RaftKv-Consistency"]));

        RawResponse head = await single.SendAsync("HEAD", "/v1/kv/life");
        Assert.Equal((200, "3", $"\"{second}\""), (head.Status, head.Headers["Content-Length"], head.Headers["ETag"]));

        RawResponse deleted = await single.SendAsync("DELETE", "/v1/kv/life");
        Assert.Equal($"{{\"deleted\":true,\"revision\":{second + 1}}}", deleted.Text);
        Assert.Equal($"{second}", deleted.Headers["RaftKv-Prev-Revision"]);
        RawResponse again = await single.SendAsync("DELETE", "/v1/kv/life");
        Assert.Equal($"{{\"deleted\":false,\"revision\":{second + 1}}}", again.Text);

        RawResponse gone = await single.SendAsync("GET", "/v1/kv/life");
        Assert.Equal((404, "key-not-found"), (gone.Status, gone.Code));
        Assert.Equal("linearizable", gone.Headers["RaftKv-Consistency"]);
        Assert.False(gone.Json.TryGetProperty("outcome", out _));
        Assert.Equal(404, (await single.SendAsync("HEAD", "/v1/kv/life")).Status);
    }

    [Fact]
    public async Task An_empty_value_is_a_value()
    {
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/empty", [])).Status);
        RawResponse got = await single.SendAsync("GET", "/v1/kv/empty");
        Assert.Equal((200, 0), (got.Status, got.Body.Length));
    }

    [Fact]
    public async Task A_put_for_an_absent_key_is_refused_when_the_key_is_there()
    {
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/lock", "a"u8.ToArray(), ("If-None-Match", "*"))).Status);
        RawResponse refused = await single.SendAsync("PUT", "/v1/kv/lock", "b"u8.ToArray(), ("If-None-Match", "*"));
        string etag = (await single.SendAsync("HEAD", "/v1/kv/lock")).Headers["ETag"];
        Assert.Equal((412, "precondition-failed", "not-applied", etag), (refused.Status, refused.Code, refused.Json.GetProperty("outcome").GetString(), refused.Headers["ETag"]));
        Assert.Equal("a", (await single.SendAsync("GET", "/v1/kv/lock")).Text);
    }

    [Fact]
    public async Task A_write_for_a_revision_is_refused_when_the_key_has_another()
    {
        string etag = (await single.SendAsync("PUT", "/v1/kv/cas", "1"u8.ToArray())).Headers["ETag"];
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/cas", "2"u8.ToArray(), ("If-Match", etag))).Status);
        RawResponse put = await single.SendAsync("PUT", "/v1/kv/cas", "3"u8.ToArray(), ("If-Match", etag));
        RawResponse delete = await single.SendAsync("DELETE", "/v1/kv/cas", null, ("If-Match", etag));
        Assert.Equal((412, 412), (put.Status, delete.Status));
        RawResponse now = await single.SendAsync("GET", "/v1/kv/cas");
        Assert.Equal(("2", now.Headers["ETag"]), (now.Text, put.Headers["ETag"]));
        Assert.Equal(200, (await single.SendAsync("DELETE", "/v1/kv/cas", null, ("If-Match", now.Headers["ETag"]))).Status);
        RawResponse absent = await single.SendAsync("PUT", "/v1/kv/cas", "4"u8.ToArray(), ("If-Match", now.Headers["ETag"]));
        Assert.Equal(412, absent.Status);
        Assert.False(absent.Headers.ContainsKey("ETag"));
    }

    [Fact]
    public async Task A_read_of_what_the_client_has_already_answers_304()
    {
        string etag = (await single.SendAsync("PUT", "/v1/kv/cached", "x"u8.ToArray())).Headers["ETag"];
        RawResponse same = await single.SendAsync("GET", "/v1/kv/cached", null, ("If-None-Match", etag));
        Assert.Equal((304, 0, etag), (same.Status, same.Body.Length, same.Headers["ETag"]));
        await single.SendAsync("PUT", "/v1/kv/cached", "y"u8.ToArray());
        Assert.Equal((200, "y"), (await single.SendAsync("GET", "/v1/kv/cached", null, ("If-None-Match", etag))) is var changed ? (changed.Status, changed.Text) : default);
    }

    [Theory]
    [InlineData("a//b")]
    [InlineData("a/../b")]
    [InlineData("./a/.")]
    [InlineData("/leading")]
    [InlineData("trailing/")]
    [InlineData("plus+and space%20")]
    [InlineData("semi;colon=x,y")]
    [InlineData("%C3%BC-%E4%B8%96")]
    [InlineData("%25")]
    [InlineData("%3Fquestion%23hash")]
    public async Task A_key_is_what_the_client_encoded_and_nothing_is_normalised(string encoded)
    {
        byte[] key = WebUtilityDecode(encoded);
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/" + encoded.Replace(" ", "%20", StringComparison.Ordinal), key)).Status);
        // The same key by its other name.
        Assert.Equal(key, (await single.SendAsync("GET", "/v1/kv?key64=" + Base64Url.EncodeToString(key))).Body);
    }

    [Fact]
    public async Task A_key_of_all_bytes_but_NUL_goes_through_the_path_and_NUL_through_key64()
    {
        byte[] key = [.. Enumerable.Range(1, 255).Select(i => (byte)i)];
        string target = "/v1/kv/" + string.Concat(key.Select(b => $"%{b:x2}"));
        RawResponse put = await single.SendAsync("PUT", target, "all"u8.ToArray());
        Assert.Equal(Convert.ToBase64String(key), put.Json.GetProperty("keyBase64").GetString());
        Assert.Equal("all", (await single.SendAsync("GET", target.ToUpperInvariant().Replace("/V1/KV/", "/v1/kv/", StringComparison.Ordinal))).Text);

        string withNul = "/v1/kv?key64=" + Base64Url.EncodeToString([0, 1, 0]);
        Assert.Equal(200, (await single.SendAsync("PUT", withNul, "nul"u8.ToArray())).Status);
        Assert.Equal("nul", (await single.SendAsync("GET", withNul)).Text);
    }

    [Fact]
    public async Task The_longest_key_fits_and_one_byte_more_does_not()
    {
        string longest = string.Concat(Enumerable.Repeat("%C3%BC", Limits.Default.MaxKeyBytes / 2));
        Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/" + longest, [1])).Status);
        RawResponse tooLong = await single.SendAsync("PUT", "/v1/kv/" + longest + "x", [1]);
        Assert.Equal((400, "key-too-long", 4096, 4097), (tooLong.Status, tooLong.Code, tooLong.Json.GetProperty("limit").GetInt32(), tooLong.Json.GetProperty("actual").GetInt32()));
    }

    [Fact]
    public async Task The_absolute_form_of_a_target_is_understood()
    {
        await single.SendAsync("PUT", "/v1/kv/abs//olute", "x"u8.ToArray());
        Assert.Equal("x", (await single.SendAsync("GET", "http://test/v1/kv/abs//olute")).Text);
    }

    [Fact]
    public async Task A_lease_read_is_served_by_ReadIndex_and_says_so()
    {
        await single.SendAsync("PUT", "/v1/kv/lease", "x"u8.ToArray());
        RawResponse read = await single.SendAsync("GET", "/v1/kv/lease?consistency=lease");
        Assert.Equal((200, "linearizable"), (read.Status, read.Headers["RaftKv-Consistency"]));
    }

    [Fact]
    public async Task The_past_is_read_by_revision()
    {
        ulong first = (await single.SendAsync("PUT", "/v1/kv/past", "one"u8.ToArray())).Json.GetProperty("revision").GetUInt64();
        ulong second = (await single.SendAsync("PUT", "/v1/kv/past", "two"u8.ToArray())).Json.GetProperty("revision").GetUInt64();
        ulong deleted = (await single.SendAsync("DELETE", "/v1/kv/past")).Json.GetProperty("revision").GetUInt64();
        RawResponse one = await single.SendAsync("GET", $"/v1/kv/past?revision={second - 1}");
        Assert.Equal((200, "one", $"\"{first}\"", "1", "linearizable"), (one.Status, one.Text, one.Headers["ETag"], one.Headers["RaftKv-Version"], one.Headers["RaftKv-Consistency"]));
        RawResponse two = await single.SendAsync("GET", $"/v1/kv/past?revision={second}&consistency=stale");
        Assert.Equal((200, "two", "stale"), (two.Status, two.Text, two.Headers["RaftKv-Consistency"]));
        Assert.Equal((404, "key-not-found"), (await single.SendAsync("GET", $"/v1/kv/past?revision={deleted}")) is var gone ? (gone.Status, gone.Code) : default);

        RawResponse ahead = await single.SendAsync("GET", $"/v1/kv/past?revision={deleted + 1000}");
        Assert.Equal((400, "bad-revision", deleted + 1000), (ahead.Status, ahead.Code, ahead.Json.GetProperty("actual").GetUInt64()));
        Assert.InRange(ahead.Json.GetProperty("limit").GetUInt64(), deleted, deleted + 999);
    }

    [Fact]
    public async Task A_stale_read_says_that_it_is_one_and_how_old()
    {
        await single.SendAsync("PUT", "/v1/kv/stale", "x"u8.ToArray());
        RawResponse read = await single.SendAsync("GET", "/v1/kv/stale?consistency=stale");
        Assert.Equal((200, "x", "stale"), (read.Status, read.Text, read.Headers["RaftKv-Consistency"]));
        Assert.Matches("^[0-9]+$", read.Headers["RaftKv-Age-Ms"]);
        Assert.False((await single.SendAsync("GET", "/v1/kv/stale")).Headers.ContainsKey("RaftKv-Age-Ms"));
        RawResponse absent = await single.SendAsync("GET", "/v1/kv/never-there?consistency=stale");
        Assert.Equal((404, "stale"), (absent.Status, absent.Headers["RaftKv-Consistency"]));
    }

    [Fact]
    public async Task Both_versions_of_HTTP_are_spoken_on_the_one_port()
    {
        foreach (Version version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using HttpRequestMessage put = new(HttpMethod.Put, new Uri(single.Node.Url, "/v1/kv/versions")) { Content = new StringContent(version.ToString()), Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using HttpResponseMessage written = await Client.Http.SendAsync(put);
            Assert.Equal((HttpStatusCode.OK, version), (written.StatusCode, written.Version));
            using HttpRequestMessage get = new(HttpMethod.Get, put.RequestUri) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using HttpResponseMessage read = await Client.Http.SendAsync(get);
            Assert.Equal(version.ToString(), await read.Content.ReadAsStringAsync());
        }
    }

    private static void AssertPosition(RawResponse response, string key, ulong revision)
    {
        ulong shard = ShardMap.Initial(["n1"], 2, 1).ByKey(Encoding.UTF8.GetBytes(key)).Id;
        Assert.Equal(("n1", $"{shard}", "1.1", $"{revision}"), (response.Headers["RaftKv-Node"], response.Headers["RaftKv-Shard"], response.Headers["RaftKv-Epoch"], response.Headers["RaftKv-Revision"]));
        Assert.True(ulong.Parse(response.Headers["RaftKv-Term"]) > 5);
        Assert.True(ulong.Parse(response.Headers["RaftKv-Index"]) > 10);
    }

    /// <summary>What a percent-encoded path means, computed apart from the server's code.</summary>
    private static byte[] WebUtilityDecode(string encoded) => WebUtility.UrlDecodeToBytes(Encoding.ASCII.GetBytes(encoded.Replace("+", "%2B", StringComparison.Ordinal)), 0, encoded.Replace("+", "%2B", StringComparison.Ordinal).Length);
}
