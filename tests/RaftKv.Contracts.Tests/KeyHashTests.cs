using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace RaftKv.Contracts.Tests;

public sealed class KeyHashTests
{
    private sealed record Vector(byte[] Key, byte[] RoutingKey, string Hash);

    private static Vector[] Vectors()
    {
        using JsonDocument document = JsonDocument.Parse(Resource.Bytes("key-hash.json"));
        return [.. document.RootElement.GetProperty("vectors").EnumerateArray().Select(v => new Vector(
            v.GetProperty("key").GetBytesFromBase64(),
            v.GetProperty("routingKey").GetBytesFromBase64(),
            v.GetProperty("hash").GetString()!))];
    }

    [Fact]
    public void There_are_at_least_30_distinct_vectors() => Assert.InRange(Vectors().Select(v => Convert.ToBase64String(v.Key)).Distinct().Count(), 30, int.MaxValue);

    [Fact]
    public void Routing_key_and_hash_agree_with_every_vector_made_by_xxhsum()
    {
        foreach (Vector vector in Vectors())
        {
            Assert.Equal(vector.RoutingKey, KeyHash.RoutingKey(vector.Key).ToArray());
            Assert.Equal(vector.Hash, HashRange.FormatBound(KeyHash.Of(vector.Key)));
        }
    }

    // Independent of the tool that made the vectors: the self-test of the reference implementation (github.com/Cyan4973/xxHash, cli/xsum_sanity_check.c).
    [Theory]
    [InlineData(0, 0x0000000000000000, 0xEF46DB3751D8E999)]
    [InlineData(0, 0x000000009E3779B1, 0xAC75FDA2929B17EF)]
    [InlineData(1, 0x0000000000000000, 0xE934A84ADB052768)]
    [InlineData(1, 0x000000009E3779B1, 0x5014607643A9B4C3)]
    [InlineData(4, 0x0000000000000000, 0x9136A0DCA57457EE)]
    [InlineData(14, 0x0000000000000000, 0x8282DCC4994E35C8)]
    [InlineData(14, 0x000000009E3779B1, 0xC3BD6BF63DEB6DF0)]
    [InlineData(222, 0x0000000000000000, 0xB641AE8CB691C174)]
    [InlineData(222, 0x000000009E3779B1, 0x20CB8AB7AE10C14A)]
    public void XxHash64_agrees_with_the_published_sanity_vectors(int length, ulong seed, ulong expected)
    {
        const ulong Prime32 = 2654435761;
        const ulong Prime64 = 11400714785074694797;
        var data = new byte[length];
        ulong generator = Prime32;
        for (int i = 0; i < length; i++)
        {
            data[i] = (byte)(generator >> 56);
            generator *= Prime64;
        }

        Assert.Equal(expected, XxHash64.Hash(data, seed));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("{}", "{}")]
    [InlineData("{}{a}", "{}{a}")]
    [InlineData("}{a}", "a")]
    [InlineData("{{a}}", "{a")]
    [InlineData("{a}{b}", "a")]
    [InlineData("{a", "{a")]
    [InlineData("a}", "a}")]
    [InlineData("user:{42}:name", "42")]
    public void Routing_key_is_what_the_first_braces_hold_unless_empty(string key, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(KeyHash.RoutingKey(Encoding.UTF8.GetBytes(key))));

    [Fact]
    public void Keys_with_the_same_tag_have_the_same_hash() =>
        Prop.ForAll<byte[], byte[], byte[]>((tag, before, after) =>
        {
            byte[] cleanTag = [(byte)'t', .. tag.Where(b => b != '}')];
            byte[] cleanBefore = [.. before.Where(b => b != '{')];
            byte[] key = [.. cleanBefore, (byte)'{', .. cleanTag, (byte)'}', .. after];
            return KeyHash.Of(key) == XxHash64.Hash(cleanTag);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_routing_key_is_never_empty_unless_the_key_is() =>
        Prop.ForAll(ArbMap.Default.ArbFor<string>().Generator.Select(BraceHeavy).ToArbitrary(), key => key.Length == 0 || KeyHash.RoutingKey(key).Length > 0).QuickCheckThrowOnFailure();

    /// <summary>Bytes of which half are braces, so that every arrangement of them occurs.</summary>
    private static byte[] BraceHeavy(string? text) => [.. (text ?? "").Select(c => (c % 4) switch { 0 => (byte)'{', 1 => (byte)'}', _ => (byte)c })];
}
