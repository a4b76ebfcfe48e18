using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>RFC 7541 §5.2 with the examples of appendix C.</summary>
public sealed class HuffmanTests
{
    [Theory]
    [InlineData("www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff")]
    [InlineData("no-cache", "a8eb 1064 9cbf")]
    [InlineData("custom-key", "25a8 49e9 5ba9 7d7f")]
    [InlineData("custom-value", "25a8 49e9 5bb8 e8b4 bf")]
    [InlineData("302", "6402")]
    [InlineData("Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff")]
    [InlineData("https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3")]
    [InlineData("foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1", "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07")]
    [InlineData("", "")]
    public void The_examples_of_the_RFC_decode(string text, string encoded)
    {
        ByteQueue decoded = new();
        Huffman.Decode(Bytes.Hex(encoded), decoded);
        Assert.Equal(text, Bytes.TextOf(decoded));
    }

    [Theory]
    [InlineData("ff", "eight bits of padding")]
    [InlineData("a8eb 1064 9cbf ff", "a whole byte of padding more")]
    [InlineData("00 00", "padding that is not all ones")]
    [InlineData("ff ff ff ff", "the end-of-string symbol")]
    public void What_is_no_encoded_string_is_refused(string encoded, string why)
    {
        WireException refused = Assert.Throws<WireException>(() => Huffman.Decode(Bytes.Hex(encoded), new ByteQueue()));
        Assert.True(refused.Message == "bad-huffman", why);
    }
}
