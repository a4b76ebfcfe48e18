using System.Text;
using System.Text.Json;
using RaftKv.Contracts;
using RaftKv.Node.Tests.Support;

namespace RaftKv.Node.Tests.Api;

/// <summary>POST /v1/txn (issue 2, "The HTTP API").</summary>
[Collection(nameof(SingleNode))]
public sealed class TxnTests(SingleNode single)
{
    private static readonly ShardMap Map = ShardMap.Initial(["n1"], 2, 1);

    [Fact]
    public async Task Money_moves_whole_or_not_at_all()
    {
        await single.SendAsync("PUT", "/v1/kv/{bank}a", "100"u8.ToArray());
        await single.SendAsync("PUT", "/v1/kv/{bank}b", "0"u8.ToArray());
        const string Move = """
            {"compare":[{"key":"{bank}a","op":"=","value":"100"},{"key":"{bank}b","value":"0"}],
             "then":[{"op":"put","key":"{bank}a","value":"70"},{"op":"put","key":"{bank}b","value":"30"},{"op":"get","key":"{bank}b"}],
             "else":[{"op":"get","key":"{bank}a"},{"op":"get","key":"{bank}none"}]}
            """;
        RawResponse moved = await single.PostAsync("/v1/txn", Move);
        Assert.Equal((200, "n1", $"{Map.ByKey("{bank}"u8).Id}", "1.1"), (moved.Status, moved.Headers["RaftKv-Node"], moved.Headers["RaftKv-Shard"], moved.Headers["RaftKv-Epoch"]));
        Assert.True(moved.Json.GetProperty("succeeded").GetBoolean());
        ulong revision = moved.Json.GetProperty("revision").GetUInt64();
        Assert.Equal($"{revision}", moved.Headers["RaftKv-Revision"]);
        JsonElement[] results = [.. moved.Json.GetProperty("results").EnumerateArray()];
        Assert.Equal([revision, revision, revision], results.Select(result => result.GetProperty("revision").GetUInt64()));
        Assert.Equal([0, 1, 2], results.Select(result => result.GetProperty("item").GetInt32()));
        Assert.All(results, result => Assert.Equal((moved.Headers["RaftKv-Index"], moved.Headers["RaftKv-Shard"]), ($"{result.GetProperty("index").GetUInt64()}", $"{result.GetProperty("shard").GetUInt64()}")));
        Assert.Equal(("30", true), (results[2].GetProperty("value").GetString(), results[2].GetProperty("found").GetBoolean()));

        RawResponse again = await single.PostAsync("/v1/txn", Move);
        Assert.False(again.Json.GetProperty("succeeded").GetBoolean());
        JsonElement[] seen = [.. again.Json.GetProperty("results").EnumerateArray()];
        Assert.Equal(("70", revision, false), (seen[0].GetProperty("value").GetString(), seen[0].GetProperty("revision").GetUInt64(), seen[1].GetProperty("found").GetBoolean()));
        Assert.Equal(0UL, seen[1].GetProperty("revision").GetUInt64());
        Assert.Equal("70", (await single.SendAsync("GET", "/v1/kv/{bank}a")).Text);
    }

    [Fact]
    public async Task Every_comparison_can_be_asked_for()
    {
        await single.SendAsync("PUT", "/v1/kv/{cmp}a", "m"u8.ToArray());
        ulong revision = (await single.SendAsync("PUT", "/v1/kv/{cmp}a", [0xFF])).Json.GetProperty("revision").GetUInt64();
        foreach (var (compare, holds) in new (string, bool)[]
        {
            ($"\"revision\":{revision}", true), ($"\"op\":\"<\",\"revision\":{revision}", false), ($"\"op\":\">\",\"revision\":{revision - 1}", true), ("\"op\":\"!=\",\"version\":2", false),
            ("\"version\":2", true), ($"\"op\":\"<\",\"created\":{revision}", true), ("\"exists\":true", true), ("\"op\":\"!=\",\"exists\":true", false),
            ("\"valueBase64\":\"/w==\"", true), ("\"op\":\">\",\"value\":\"zzz\"", true),
        })
        {
            RawResponse answer = await single.PostAsync("/v1/txn", $$"""{"compare":[{"key":"{cmp}a",{{compare}}}]}""");
            Assert.True(answer.Status == 200, answer.Text);
            Assert.Equal((compare, holds), (compare, answer.Json.GetProperty("succeeded").GetBoolean()));
        }

        Assert.False((await single.PostAsync("/v1/txn", """{"compare":[{"key":"{cmp}none","exists":true}]}""")).Json.GetProperty("succeeded").GetBoolean());
    }

    [Fact]
    public async Task Puts_may_have_a_ttl_and_deletes_say_what_they_found()
    {
        RawResponse answer = await single.PostAsync("/v1/txn", """{"then":[{"op":"put","keyBase64":"e3R0bH0A","value":"x","ttl":1},{"op":"delete","key":"{ttl}none"}]}""");
        JsonElement[] results = [.. answer.Json.GetProperty("results").EnumerateArray()];
        Assert.Equal((0UL, 1UL, false), (results[0].GetProperty("prevRevision").GetUInt64(), results[0].GetProperty("version").GetUInt64(), results[1].GetProperty("deleted").GetBoolean()));
        Assert.Equal(answer.Json.GetProperty("revision").GetUInt64(), results[1].GetProperty("revision").GetUInt64());
        JsonElement nothing = (await single.PostAsync("/v1/txn", """{"then":[{"op":"delete","key":"{ttl}none"}]}""")).Json;
        Assert.Equal(nothing.GetProperty("revision").GetUInt64(), nothing.GetProperty("results")[0].GetProperty("revision").GetUInt64());
        Assert.NotEqual(0UL, nothing.GetProperty("revision").GetUInt64());
        Assert.Equal("1", (await single.SendAsync("GET", "/v1/kv?key64=e3R0bH0A")).Headers["RaftKv-Ttl"]);
        await Wait.UntilAsync("the key to expire", async () => (await single.SendAsync("GET", "/v1/kv?key64=e3R0bH0A")).Status == 404);
    }

    [Fact]
    public async Task A_repeated_transaction_answers_its_first_result()
    {
        (string, string) key = ("Idempotency-Key", $"{Guid.CreateVersion7()}");
        const string Txn = """{"compare":[{"key":"{once}","exists":false}],"then":[{"op":"put","key":"{once}","value":"1"}],"else":[{"op":"get","key":"{once}"}]}""";
        RawResponse first = await single.PostAsync("/v1/txn", Txn, key);
        RawResponse second = await single.PostAsync("/v1/txn", Txn, key);
        Assert.Equal((first.Text, "true"), (second.Text, second.Headers["Idempotency-Replayed"]));
        Assert.True(second.Json.GetProperty("succeeded").GetBoolean());
        Assert.Equal((422, "idempotency-key-reused"), (await single.PostAsync("/v1/txn", Txn.Replace("\"1\"", "\"2\"", StringComparison.Ordinal), key)) is var other ? (other.Status, other.Code) : default);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Keys_in_two_shards_are_refused_and_named(bool isKeyed)
    {
        string one = KeyIn(1);
        string two = KeyIn(2);
        (string, string)[] headers = isKeyed ? [("Idempotency-Key", "spanning")] : [];
        RawResponse answer = await single.PostAsync("/v1/txn", $$"""{"then":[{"op":"put","key":"{{one}}","value":"1"}],"else":[{"op":"put","key":"{{two}}","value":"1"}]}""", headers);
        Assert.Equal((409, "spans-shards", "not-applied"), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString()));
        string detail = answer.Json.GetProperty("detail").GetString()!;
        Assert.Contains($"'{one}' in shard 1", detail, StringComparison.Ordinal);
        Assert.Contains($"'{two}' in shard 2", detail, StringComparison.Ordinal);
        Assert.Equal(404, (await single.SendAsync("GET", "/v1/kv/" + one)).Status);
    }

    [Theory]
    [InlineData("{}", "bad-argument", "there are no operations")]
    [InlineData("""{"then":[{"op":"put","key":"a","value":"1"},{"op":"delete","key":"a"}]}""", "bad-argument", "then writes the key 'a' twice")]
    [InlineData("""{"else":[{"op":"put","key":"a","value":"1","ifAbsent":true}]}""", "bad-argument", "else[0] is a part of a transaction, which has no condition")]
    [InlineData("""{"then":[{"op":"get","key":"a","revision":1}]}""", "bad-argument", "then[0] is a part of a transaction, which has no revision")]
    [InlineData("""{"compare":[{"key":"a"}]}""", "bad-argument", "compare[0] compares exactly one of")]
    [InlineData("""{"compare":[{"key":"a","revision":1,"version":1}]}""", "bad-argument", "compare[0] compares exactly one of")]
    [InlineData("""{"compare":[{"key":"a","revision":1,"value":"x"}]}""", "bad-argument", "compare[0] compares exactly one of")]
    [InlineData("""{"compare":[{"key":"a","value":"x","valueBase64":"eA=="}]}""", "bad-argument", "both value and valueBase64")]
    [InlineData("""{"compare":[{"key":"a","op":"<=","version":1}]}""", "bad-argument", "compare[0] op '<='")]
    [InlineData("""{"compare":[{"key":"a","op":"<","exists":true}]}""", "bad-argument", "compare[0] compares exists")]
    [InlineData("""{"compare":[{"key":"a","version":-1}]}""", "bad-argument", "compare[0].version")]
    [InlineData("""{"compare":[null]}""", "bad-argument", "compare[0] is null")]
    [InlineData("""{"compare":[{"key":"","exists":true}]}""", "key-empty", "compare[0]")]
    [InlineData("""{"if":[]}""", "bad-argument", "if")]
    public async Task A_bad_transaction_is_refused_by_name(string body, string code, string named)
    {
        RawResponse answer = await single.PostAsync("/v1/txn", body);
        Assert.Equal((400, code, "not-applied"), (answer.Status, answer.Code, answer.Json.GetProperty("outcome").GetString()));
        Assert.Contains(named, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Comparisons_and_operations_together_are_limited()
    {
        string compares = string.Join(',', Enumerable.Repeat("""{"key":"{many}","exists":false}""", 501));
        string gets = string.Join(',', Enumerable.Repeat("""{"op":"get","key":"{many}"}""", 500));
        RawResponse answer = await single.PostAsync("/v1/txn", $$"""{"compare":[{{compares}}],"then":[{{gets}}]}""");
        Assert.Equal((413, "batch-too-large", 1001), (answer.Status, answer.Code, answer.Json.GetProperty("actual").GetInt32()));
    }

    private static string KeyIn(ulong shard) => Enumerable.Range(0, 100).Select(i => $"spanning-{i}").First(key => Map.ByKey(Encoding.UTF8.GetBytes(key)).Id == shard);
}
