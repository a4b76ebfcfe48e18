using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>GET /v1/kv without a key: keys in byte order from all shards (issue 2, "The HTTP API").</summary>
[Collection(nameof(SingleNode))]
public sealed class ListTests(SingleNode single)
{
    private static readonly (string, string) Stream = ("Accept", "application/x-ndjson");

    [Fact]
    public async Task Keys_come_in_byte_order_from_all_shards_with_values_revisions_and_positions()
    {
        string[] keys = [.. Enumerable.Range(0, 40).Select(i => $"order/{i:d2}")];
        await PutAsync([.. keys.Reverse()]);
        RawResponse answer = await single.SendAsync("GET", "/v1/kv?prefix=order/");
        Assert.Equal((200, "application/json", "linearizable", "n1"), (answer.Status, answer.Headers["Content-Type"], answer.Headers["RaftKv-Consistency"], answer.Headers["RaftKv-Node"]));
        JsonElement[] items = ItemsOf(answer);
        Assert.Equal(keys, items.Select(item => item.GetProperty("key").GetString()));
        ShardMap map = ShardMap.Initial(["n1"], 2, 1);
        foreach (JsonElement item in items)
        {
            string key = item.GetProperty("key").GetString()!;
            Assert.Equal(("value of " + key, 1UL), (item.GetProperty("value").GetString(), item.GetProperty("version").GetUInt64()));
            Assert.Equal((map.ByKey(Encoding.UTF8.GetBytes(key)).Id, "n1", "1.1"), (item.GetProperty("shard").GetUInt64(), item.GetProperty("node").GetString(), item.GetProperty("epoch").GetString()));
            Assert.True(item.GetProperty("index").GetUInt64() > 10 && item.GetProperty("term").GetUInt64() > 5);
            Assert.Equal((await single.SendAsync("HEAD", "/v1/kv/" + key)).Headers["ETag"], $"\"{item.GetProperty("revision").GetUInt64()}\"");
        }

        Assert.Equal((40, false), (answer.Json.GetProperty("count").GetInt32(), answer.Json.GetProperty("more").GetBoolean()));
        Assert.False(answer.Json.TryGetProperty("cursor", out _));
        // Of one shard all rows are of one index.
        Assert.Equal(2, items.Select(item => (item.GetProperty("shard").GetUInt64(), item.GetProperty("index").GetUInt64())).Distinct().Count());
    }

    [Fact]
    public async Task Pages_go_on_behind_the_cursor_and_lose_or_repeat_nothing_that_stays()
    {
        string[] keys = [.. Enumerable.Range(0, 25).Select(i => $"page/{i:d2}")];
        await PutAsync(keys);
        List<string> seen = [];
        string cursor = "";
        bool hasMore = true;
        while (hasMore)
        {
            RawResponse page = await single.SendAsync("GET", $"/v1/kv?prefix=page/&limit=7{cursor}");
            string[] got = [.. ItemsOf(page).Select(item => item.GetProperty("key").GetString()!)];
            Assert.Equal(got.Length, page.Json.GetProperty("count").GetInt32());
            seen.AddRange(got);
            hasMore = page.Json.GetProperty("more").GetBoolean();
            Assert.Equal(hasMore ? 7 : 4, got.Length);
            if (!hasMore) break;
            Assert.Equal(Base64Url.EncodeToString(Encoding.UTF8.GetBytes(got[^1])), page.Json.GetProperty("cursor").GetString());
            cursor = "&cursor=" + page.Json.GetProperty("cursor").GetString();
            await single.SendAsync("DELETE", "/v1/kv/" + got[^1]); // The cursor is a place, not a key that must be there.
        }

        Assert.Equal(keys, seen);
        Assert.Equal((0, false), (await single.SendAsync("GET", $"/v1/kv?prefix=page/&cursor={Base64Url.EncodeToString("page/24"u8)}")) is var end ? (end.Json.GetProperty("count").GetInt32(), end.Json.GetProperty("more").GetBoolean()) : default);
    }

    [Fact]
    public async Task A_page_that_ends_exactly_at_the_last_key_has_no_more()
    {
        await PutAsync("exact/1", "exact/2");
        RawResponse page = await single.SendAsync("GET", "/v1/kv?prefix=exact/&limit=2");
        Assert.Equal((2, false), (page.Json.GetProperty("count").GetInt32(), page.Json.GetProperty("more").GetBoolean()));
    }

    [Theory]
    [InlineData("start=range/b&end=range/d", "range/b range/c range/c%00")]
    [InlineData("prefix=range/&start=range/c", "range/c range/c%00 range/d")]
    [InlineData("prefix=range/&end=range/c%00", "range/a range/b range/c")]
    [InlineData("prefix=range/c&keysOnly=true", "range/c range/c%00")]
    [InlineData("prefix=range/&start=range/x", "")]
    [InlineData("start=range/d&end=range/b", "")]
    public async Task Bounds_are_a_half_open_range_of_bytes(string query, string expected)
    {
        foreach (string key in (string[])["range/a", "range/b", "range/c", "range/d"]) await PutAsync(key);
        await single.SendAsync("PUT", "/v1/kv?key64=" + Base64Url.EncodeToString("range/c\0"u8), Encoding.UTF8.GetBytes("value of range/c\0"));
        RawResponse answer = await single.SendAsync("GET", "/v1/kv?" + query);
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), ItemsOf(answer).Select(item => item.GetProperty("key").GetString()!.Replace("\0", "%00", StringComparison.Ordinal)));
        foreach (JsonElement item in ItemsOf(answer)) Assert.Equal(!query.Contains("keysOnly", StringComparison.Ordinal), item.TryGetProperty("value", out _));
    }

    [Fact]
    public async Task Keys_that_are_no_text_come_as_base64_and_can_be_asked_for()
    {
        byte[][] keys = [[0xC3, 0x28, 0x01], [0xC3, 0x28, 0xFF]];
        foreach (byte[] key in keys) await single.SendAsync("PUT", "/v1/kv?key64=" + Base64Url.EncodeToString(key), [0xFE]);
        JsonElement[] items = ItemsOf(await single.SendAsync("GET", "/v1/kv?prefix=%C3%28"));
        Assert.Equal(keys.Select(Convert.ToBase64String), items.Select(item => item.GetProperty("keyBase64").GetString()));
        Assert.All(items, item => Assert.Equal("/g==", item.GetProperty("valueBase64").GetString()));
        Assert.Single(ItemsOf(await single.SendAsync("GET", "/v1/kv?prefix=%C3%28&start=%C3%28%02")));
    }

    [Fact]
    public async Task A_count_is_of_all_shards_and_of_what_is_there()
    {
        string[] keys = [.. Enumerable.Range(0, 30).Select(i => $"count/{i}")];
        await PutAsync(keys);
        await single.SendAsync("DELETE", "/v1/kv/count/7");
        foreach ((string, string)[] headers in ((string, string)[][])[[], [Stream]])
        {
            RawResponse answer = await single.SendAsync("GET", "/v1/kv?prefix=count/&countOnly", null, headers);
            Assert.Equal((200, "{\"count\":29}"), (answer.Status, answer.Text));
        }
    }

    [Fact]
    public async Task A_stream_has_a_line_a_key_and_a_last_line_that_says_that_it_is_whole()
    {
        string batch = string.Join(',', Enumerable.Range(0, 1_000).Select(i => $$"""{"op":"put","key":"stream/{{i:d4}}","value":"{{new string('x', 500)}}"}"""));
        Assert.Equal(200, (await single.PostAsync("/v1/batch", $$"""{"operations":[{{batch}}]}""")).Status);
        batch = batch.Replace("stream/", "stream/more/", StringComparison.Ordinal);
        Assert.Equal(200, (await single.PostAsync("/v1/batch", $$"""{"operations":[{{batch}}]}""")).Status);

        RawResponse answer = await single.SendAsync("GET", "/v1/kv?prefix=stream/", null, Stream);
        Assert.Equal((200, "application/x-ndjson"), (answer.Status, answer.Headers["Content-Type"]));
        Assert.EndsWith("\n", answer.Text, StringComparison.Ordinal);
        JsonElement[] lines = LinesOf(answer);
        string[] keys = [.. lines[..^1].Select(line => line.GetProperty("key").GetString()!)];
        Assert.Equal(2_000, keys.Length);
        Assert.Equal(keys.Order(StringComparer.Ordinal), keys);
        Assert.Equal("{\"count\":2000,\"more\":false}", lines[^1].GetRawText());

        JsonElement[] some = LinesOf(await single.SendAsync("GET", "/v1/kv?prefix=stream/&limit=1500&keysOnly", null, Stream));
        Assert.Equal((1_501, 1_500, true), (some.Length, some[^1].GetProperty("count").GetInt32(), some[^1].GetProperty("more").GetBoolean()));
        JsonElement[] rest = LinesOf(await single.SendAsync("GET", $"/v1/kv?prefix=stream/&cursor={some[^1].GetProperty("cursor").GetString()}", null, Stream));
        Assert.Equal(keys[1_500..], rest[..^1].Select(line => line.GetProperty("key").GetString()));
    }

    [Fact]
    public async Task Without_parameters_a_page_is_of_everything_and_HEAD_sends_none_of_it()
    {
        await PutAsync("all/1");
        RawResponse page = await single.SendAsync("GET", "/v1/kv");
        Assert.InRange(page.Json.GetProperty("count").GetInt32(), 1, Limits.Default.MaxListKeys);
        RawResponse head = await single.SendAsync("HEAD", "/v1/kv?prefix=all/");
        Assert.Equal((200, 0), (head.Status, head.Body.Length));
    }

    [Fact]
    public async Task A_page_is_bounded_in_bytes_and_values_too_large_to_wait_with_others_come_all_the_same()
    {
        // Eight shards share 4 MiB: a value of 700 KiB does not fit what one of them may send along.
        await using TestCluster cluster = await TestCluster.StartAsync(1, shards: 8);
        int port = cluster.Nodes[0].ClientPort;
        for (int i = 0; i < 14; i++)
        {
            byte[] value = new byte[700 * 1024];
            value.AsSpan().Fill((byte)('a' + i));
            Assert.Equal(200, (await RawHttp.OnceAsync(port, "PUT", $"/v1/kv/large/{i:d2}", value)).Status);
        }

        RawResponse first = await RawHttp.OnceAsync(port, "GET", "/v1/kv?prefix=large/");
        JsonElement[] items = ItemsOf(first);
        Assert.Equal((11, true), (items.Length, first.Json.GetProperty("more").GetBoolean())); // 8 MiB.
        RawResponse second = await RawHttp.OnceAsync(port, "GET", $"/v1/kv?prefix=large/&cursor={first.Json.GetProperty("cursor").GetString()}");
        items = [.. items, .. ItemsOf(second)];
        Assert.Equal(14, items.Length);
        for (int i = 0; i < items.Length; i++) Assert.Equal(new string((char)('a' + i), 700 * 1024), items[i].GetProperty("value").GetString());
        Assert.Equal(15, LinesOf(await RawHttp.OnceAsync(port, "GET", "/v1/kv", null, Stream)).Length);
    }

    [Theory]
    [InlineData("limit=0", "bad-cursor", "limit '0'")]
    [InlineData("limit=1001", "bad-cursor", "1000")]
    [InlineData("limit=many", "bad-cursor", "many")]
    [InlineData("cursor=", "bad-cursor", "cursor ''")]
    [InlineData("cursor=!!", "bad-cursor", "cursor '!!'")]
    [InlineData("prefix=%zz", "bad-key-encoding", "hex")]
    [InlineData("keysOnly=perhaps", "bad-argument", "keysOnly 'perhaps'")]
    [InlineData("countOnly&limit=5", "bad-argument", "countOnly")]
    [InlineData("prefix=a&prefix=b", "bad-argument", "twice")]
    [InlineData("colour=red", "unknown-parameter", "colour")]
    [InlineData("prefix=a&revision=3", "unknown-parameter", "revision")]
    [InlineData("prefix=a&key64=YQ", "unknown-parameter", "prefix")]
    public async Task A_bad_list_is_refused_by_name(string query, string code, string named)
    {
        RawResponse answer = await single.SendAsync("GET", "/v1/kv?" + query);
        Assert.Equal((400, code), (answer.Status, answer.Code));
        Assert.Contains(named, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bound_longer_than_a_key_is_refused_with_both_numbers()
    {
        RawResponse answer = await single.SendAsync("GET", "/v1/kv?start=" + new string('x', 4097));
        Assert.Equal((400, "key-too-long", 4096, 4097), (answer.Status, answer.Code, answer.Json.GetProperty("limit").GetInt32(), answer.Json.GetProperty("actual").GetInt32()));
    }

    private static JsonElement[] ItemsOf(RawResponse answer)
    {
        Assert.True(answer.Status == 200, answer.Text);
        return [.. answer.Json.GetProperty("items").EnumerateArray()];
    }

    private static JsonElement[] LinesOf(RawResponse answer) =>
        [.. answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    private async Task PutAsync(params string[] keys)
    {
        foreach (string key in keys) Assert.Equal(200, (await single.SendAsync("PUT", "/v1/kv/" + key, Encoding.UTF8.GetBytes("value of " + key))).Status);
    }
}
