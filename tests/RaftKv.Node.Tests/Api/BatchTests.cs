using System.Text;
using System.Text.Json;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>POST /v1/batch (issue 2, "The HTTP API").</summary>
[Collection(nameof(SingleNode))]
public sealed class BatchTests(SingleNode single)
{
    private static readonly ShardMap Map = ShardMap.Initial(["n1"], 2, 1);

    [Fact]
    public async Task Items_go_to_their_shards_and_each_has_its_own_outcome_position_and_revision()
    {
        await single.SendAsync("PUT", "/v1/kv/batch/old", "was"u8.ToArray());
        RawResponse answer = await single.PostAsync("/v1/batch", """
            {"operations":[
              {"op":"put","key":"batch/a","value":"one"},
              {"op":"put","keyBase64":"AP8=","valueBase64":"/w=="},
              {"op":"get","key":"batch/old"},
              {"op":"delete","key":"batch/none"},
              {"op":"put","key":"batch/a","value":"two","ifAbsent":true},
              {"op":"get","key":"batch/none"},
              {"op":"put","key":"batch/b","value":"","ttl":3600}
            ]}
            """);
        Assert.Equal((200, "application/json", "n1"), (answer.Status, answer.Headers["Content-Type"], answer.Headers["RaftKv-Node"]));
        JsonElement[] results = [.. answer.Json.GetProperty("results").EnumerateArray()];
        Assert.Equal([200, 200, 200, 200, 412, 404, 200], results.Select(result => result.GetProperty("status").GetInt32()));
        byte[][] keys = [.. ((string[])["batch/a", "", "batch/old", "batch/none", "batch/a", "batch/none", "batch/b"]).Select(Encoding.UTF8.GetBytes)];
        keys[1] = [0x00, 0xFF];
        for (int i = 0; i < results.Length; i++)
        {
            Assert.Equal((i, "n1", Map.ByKey(keys[i]).Id, "1.1"), (results[i].GetProperty("item").GetInt32(), results[i].GetProperty("node").GetString(), results[i].GetProperty("shard").GetUInt64(), results[i].GetProperty("epoch").GetString()));
            Assert.True(results[i].GetProperty("term").GetUInt64() > 5);
            Assert.True(results[i].GetProperty("index").GetUInt64() > 10);
        }

        ulong first = results[0].GetProperty("revision").GetUInt64();
        Assert.Equal((0UL, first, 1UL, "batch/a"), (results[0].GetProperty("prevRevision").GetUInt64(), results[0].GetProperty("created").GetUInt64(), results[0].GetProperty("version").GetUInt64(), results[0].GetProperty("key").GetString()));
        Assert.Equal("AP8=", results[1].GetProperty("keyBase64").GetString());
        Assert.Equal("was", results[2].GetProperty("value").GetString());
        Assert.False(results[3].GetProperty("deleted").GetBoolean());
        Assert.Equal((first, "precondition-failed", "not-applied"), (results[4].GetProperty("revision").GetUInt64(), ErrorOf(results[4], "code"), ErrorOf(results[4], "outcome")));
        Assert.Equal(("key-not-found", 0UL), (ErrorOf(results[5], "code"), results[5].GetProperty("revision").GetUInt64()));
        Assert.Equal(results[0].GetProperty("index").GetUInt64(), results[4].GetProperty("index").GetUInt64()); // One entry.

        Assert.Equal([0xFF], (await single.SendAsync("GET", "/v1/kv?key64=AP8")).Body);
        RawResponse brief = await single.SendAsync("GET", "/v1/kv/batch/b");
        Assert.Equal((200, "", "3600"), (brief.Status, brief.Text, brief.Headers["RaftKv-Ttl"]));
    }

    [Fact]
    public async Task Values_come_back_as_text_or_base64_with_what_is_known_of_them()
    {
        await single.SendAsync("PUT", "/v1/kv/batch/text", Encoding.UTF8.GetBytes("zwei „Wörter“\n"));
        await single.SendAsync("PUT", "/v1/kv/batch/bytes?ttl=100", [0xC3, 0x28]);
        JsonElement[] results = await ResultsAsync("""{"operations":[{"op":"get","key":"batch/text"},{"op":"get","key":"batch/bytes"}]}""");
        Assert.Equal("zwei „Wörter“\n", results[0].GetProperty("value").GetString());
        Assert.Equal(("wyg=", 1UL, 100), (results[1].GetProperty("valueBase64").GetString(), results[1].GetProperty("version").GetUInt64(), results[1].GetProperty("ttl").GetInt32()));
    }

    [Fact]
    public async Task Gets_may_read_the_past_each_for_itself()
    {
        ulong first = (await single.SendAsync("PUT", "/v1/kv/batch/past", "one"u8.ToArray())).Json.GetProperty("revision").GetUInt64();
        await single.SendAsync("PUT", "/v1/kv/batch/past", "two"u8.ToArray());
        JsonElement[] results = await ResultsAsync($$"""{"operations":[{"op":"get","key":"batch/past","revision":{{first}}},{"op":"get","key":"batch/past"},{"op":"get","key":"batch/past","revision":9999999}]}""");
        Assert.Equal(("one", "two", "bad-revision"), (results[0].GetProperty("value").GetString(), results[1].GetProperty("value").GetString(), ErrorOf(results[2], "code")));
        JsonElement ahead = results[2].GetProperty("error");
        Assert.Equal((results[2].GetProperty("revision").GetInt64(), 9_999_999), (ahead.GetProperty("limit").GetInt64(), ahead.GetProperty("actual").GetInt64()));
        Assert.InRange(results[2].GetProperty("revision").GetUInt64(), first + 1, 9_999_998UL);
    }

    [Fact]
    public async Task A_repeated_batch_answers_its_first_results_and_is_not_applied_again()
    {
        (string, string) key = ("Idempotency-Key", $"{Guid.CreateVersion7()}");
        const string Batch = """{"operations":[{"op":"put","key":"batch/once","value":"1"},{"op":"put","key":"batch/once","value":"2"},{"op":"delete","key":"batch/gone"}]}""";
        JsonElement[] first = await ResultsAsync(Batch, key);
        await single.SendAsync("PUT", "/v1/kv/batch/once", "3"u8.ToArray());
        JsonElement[] second = await ResultsAsync(Batch, key);
        for (int i = 0; i < 3; i++)
        {
            Assert.True(second[i].GetProperty("replayed").GetBoolean());
            foreach (string member in (string[])["index", "term", "item", "revision", "prevRevision"]) Assert.Equal(first[i].GetProperty(member).GetUInt64(), second[i].GetProperty(member).GetUInt64());
        }

        Assert.Equal("3", (await single.SendAsync("GET", "/v1/kv/batch/once")).Text);
        JsonElement[] other = await ResultsAsync("""{"operations":[{"op":"put","key":"batch/once","value":"else"}]}""", key);
        Assert.Equal((422, "idempotency-key-reused"), (other[0].GetProperty("status").GetInt32(), ErrorOf(other[0], "code")));
    }

    [Fact]
    public async Task A_thousand_operations_are_taken_and_one_more_is_not()
    {
        string[] operations = [.. Enumerable.Range(0, 1000).Select(i => $$"""{"op":"put","key":"batch/many/{{i}}","value":"{{i}}"}""")];
        Assert.All(await ResultsAsync($$"""{"operations":[{{string.Join(',', operations)}}]}"""), result => Assert.Equal(200, result.GetProperty("status").GetInt32()));
        RawResponse tooMany = await single.PostAsync("/v1/batch", $$"""{"operations":[{{string.Join(',', operations)}},{{operations[0]}}]}""");
        Assert.Equal((413, "batch-too-large", 1000, 1001), (tooMany.Status, tooMany.Code, tooMany.Json.GetProperty("limit").GetInt32(), tooMany.Json.GetProperty("actual").GetInt32()));
    }

    [Fact]
    public async Task Keys_and_values_together_are_limited()
    {
        string value = new('x', SingleNode.MaxValueBytes);
        string[] operations = [.. Enumerable.Range(0, 1 + Limits.Default.MaxBatchBytes / SingleNode.MaxValueBytes).Select(i => $$"""{"op":"put","key":"batch/large/{{i}}","value":"{{value}}"}""")];
        RawResponse tooLarge = await single.PostAsync("/v1/batch", $$"""{"operations":[{{string.Join(',', operations)}}]}""");
        Assert.Equal((413, "batch-too-large", 8_388_608), (tooLarge.Status, tooLarge.Code, tooLarge.Json.GetProperty("limit").GetInt32()));
        Assert.Equal(404, (await single.SendAsync("GET", "/v1/kv/batch/large/0")).Status);
        // What fits is written, and read back in one batch of several rounds.
        Assert.All(await ResultsAsync($$"""{"operations":[{{string.Join(',', operations[5..])}}]}"""), result => Assert.Equal(200, result.GetProperty("status").GetInt32()));
        string gets = string.Join(',', Enumerable.Range(5, operations.Length - 5).Select(i => $$"""{"op":"get","key":"batch/large/{{i}}"}"""));
        Assert.All(await ResultsAsync($$"""{"operations":[{{gets}}]}"""), result => Assert.Equal(value, result.GetProperty("value").GetString()));
        // What would be too much to read is refused get by get, with how much it would have been.
        JsonElement[] many = await ResultsAsync($$"""{"operations":[{{string.Join(',', Enumerable.Repeat("""{"op":"get","key":"batch/large/5"}""", 840))}}]}""");
        Assert.Equal((200, 413, "batch-too-large"), (many[837].GetProperty("status").GetInt32(), many[838].GetProperty("status").GetInt32(), ErrorOf(many[838], "code")));
        Assert.Equal((8_388_608, 8_390_000), many[838].GetProperty("error") is var error ? (error.GetProperty("limit").GetInt32(), error.GetProperty("actual").GetInt32()) : default);
    }

    [Fact]
    public async Task A_body_over_its_limit_is_refused_also_when_its_length_is_not_told()
    {
        byte[] body = new byte[Limits.Default.MaxBatchBodyBytes + 1];
        body.AsSpan().Fill((byte)' ');
        RawResponse tooLarge = await single.SendAsync("POST", "/v1/batch", body);
        Assert.Equal((413, "batch-too-large", 16_777_216, 16_777_217), (tooLarge.Status, tooLarge.Code, tooLarge.Json.GetProperty("limit").GetInt32(), tooLarge.Json.GetProperty("actual").GetInt32()));
        byte[] chunked = [.. Encoding.ASCII.GetBytes($"{body.Length:x}\r\n"), .. body, .. "\r\n0\r\n\r\n"u8];
        Assert.Equal(413, (await single.SendAsync("POST", "/v1/batch", chunked, ("Transfer-Encoding", "chunked"))).Status);
    }

    [Theory]
    [InlineData("", "bad-argument", "in line 1 at byte 0")]
    [InlineData("null", "bad-argument", "null")]
    [InlineData("[]", "bad-argument", "in line 1")]
    [InlineData("{}", "bad-argument", "there are no operations")]
    [InlineData("""{"operations":[]}""", "bad-argument", "there are no operations")]
    [InlineData("""{"operations":[""", "bad-argument", "in line 1")]
    [InlineData("""{"operations":{}}""", "bad-argument", "at operations")]
    [InlineData("""{"operations":[null]}""", "bad-argument", "operations[0] is null")]
    [InlineData("""{"operations":[1]}""", "bad-argument", "at operations[0]")]
    [InlineData("""{"colour":1}""", "bad-argument", "colour")]
    [InlineData("""{"operations":[],"operations":[]}""", "bad-argument", "operations")]
    [InlineData("""{"operations":[{"op":"get","key":"a","colour":1}]}""", "bad-argument", "at operations[0]")]
    [InlineData("""{"operations":[{"op":"get","key":"a"},{"op":"put","key":"a","value":"x","ttl":"5"}]}""", "bad-argument", "at operations[1].ttl")]
    [InlineData("""{"operations":[{"key":"a"}]}""", "bad-argument", "operations[0] has no op")]
    [InlineData("""{"operations":[{"op":"rename","key":"a"}]}""", "bad-argument", "operations[0] op 'rename'")]
    [InlineData("""{"operations":[{"op":"get"}]}""", "bad-argument", "operations[0] has neither key nor keyBase64")]
    [InlineData("""{"operations":[{"op":"get","key":"a","keyBase64":"YQ=="}]}""", "bad-argument", "both key and keyBase64")]
    [InlineData("""{"operations":[{"op":"get","key":""}]}""", "key-empty", "operations[0]")]
    [InlineData("""{"operations":[{"op":"get","keyBase64":"YQ"}]}""", "bad-key-encoding", "operations[0]: keyBase64")]
    [InlineData("""{"operations":[{"op":"get","key":"\ud800"}]}""", "bad-argument", "at operations[0].key")]
    [InlineData("""{"operations":[{"op":"put","key":"a"}]}""", "bad-argument", "neither value nor valueBase64")]
    [InlineData("""{"operations":[{"op":"put","key":"a","value":"x","revision":1}]}""", "bad-argument", "operations[0] is a put, which has no revision")]
    [InlineData("""{"operations":[{"op":"put","key":"a","value":"x","ttl":0}]}""", "bad-ttl", "operations[0]: ttl 0")]
    [InlineData("""{"operations":[{"op":"put","key":"a","value":"x","ifRevision":0}]}""", "bad-revision", "operations[0]: ifRevision 0")]
    [InlineData("""{"operations":[{"op":"put","key":"a","value":"x","ifRevision":1,"ifAbsent":true}]}""", "bad-condition", "exclude each other")]
    [InlineData("""{"operations":[{"op":"delete","key":"a","value":"x"}]}""", "bad-argument", "is a delete, which has no value")]
    [InlineData("""{"operations":[{"op":"delete","key":"a","ifAbsent":true}]}""", "bad-argument", "is a delete, which has no ifAbsent")]
    [InlineData("""{"operations":[{"op":"get","key":"a","ttl":1}]}""", "bad-argument", "is a get, which has no ttl")]
    [InlineData("""{"operations":[{"op":"get","key":"a","ifRevision":1}]}""", "bad-argument", "is a get, which has no condition")]
    [InlineData("""{"operations":[{"op":"get","key":"a","revision":0}]}""", "bad-revision", "revision 0")]
    public async Task A_bad_batch_is_refused_whole_and_by_name(string body, string code, string named)
    {
        RawResponse answer = await single.PostAsync("/v1/batch", body);
        Assert.Equal((400, code, "not-applied"), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString()));
        Assert.Contains(named, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("System.", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_not_UTF_8_is_refused()
    {
        RawResponse answer = await single.SendAsync("POST", "/v1/batch", [.. "{\"operations\":[{\"op\":\"get\",\"key\":\""u8, 0xC3, 0x28, .. "\"}]}"u8]);
        Assert.Equal((400, "bad-argument"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_value_or_key_over_its_limit_is_named()
    {
        RawResponse value = await single.PostAsync("/v1/batch", $$"""{"operations":[{"op":"put","key":"a","value":"{{new string('x', SingleNode.MaxValueBytes + 1)}}"}]}""");
        Assert.Equal((413, "value-too-large", SingleNode.MaxValueBytes + 1), (value.Status, value.Code, value.Json.GetProperty("actual").GetInt32()));
        RawResponse key = await single.PostAsync("/v1/batch", $$"""{"operations":[{"op":"get","key":"{{new string('x', 4097)}}"}]}""");
        Assert.Equal((400, "key-too-long", 4097), (key.Status, key.Code, key.Json.GetProperty("actual").GetInt32()));
    }

    private static string ErrorOf(JsonElement result, string member) => result.GetProperty("error").GetProperty(member).GetString()!;

    private async Task<JsonElement[]> ResultsAsync(string batch, params (string, string)[] headers)
    {
        RawResponse answer = await single.PostAsync("/v1/batch", batch, headers);
        Assert.True(answer.Status == 200, answer.Text);
        return [.. answer.Json.GetProperty("results").EnumerateArray()];
    }
}
