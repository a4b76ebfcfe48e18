using System.Text;
using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>Header blocks: RFC 7541 with the examples of appendix C.</summary>
public sealed class HeaderTests
{
    /// <summary>C.6: three responses on one connection whose table holds 256 bytes, so that fields are evicted.</summary>
    [Fact]
    public void Responses_that_share_a_small_table_decode()
    {
        HeaderReader reader = new();
        Assert.Equal(
            [":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"],
            Read(reader, "3fe101" + "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3"));
        Assert.Equal(
            [":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"],
            Read(reader, "4883 640e ffc1 c0bf"));
        Assert.Equal(
            [
                ":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT", "location: https://www.example.com", "content-encoding: gzip",
                "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ],
            Read(reader, "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07"));
    }

    /// <summary>C.2.1 to C.2.4.</summary>
    [Theory]
    [InlineData("custom-key: custom-header", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")]
    [InlineData(":path: /sample/path", "040c 2f73 616d 706c 652f 7061 7468")]
    [InlineData("password: secret", "1008 7061 7373 776f 7264 0673 6563 7265 74")]
    [InlineData(":method: GET", "82")]
    public void Every_way_to_write_a_field_decodes(string field, string block) => Assert.Equal([field], Read(new HeaderReader(), block));

    [Theory]
    [InlineData("80", "number 0")]
    [InlineData("be", "a number beyond the table")]
    [InlineData("40", "no name")]
    [InlineData("040c 2f73", "a value that is cut off")]
    [InlineData("ff ffffffffff01", "a number that does not end")]
    [InlineData("3fe21f", "a table larger than we allow: 4097")]
    public void What_is_no_header_block_is_refused(string block, string why)
    {
        WireException refused = Assert.Throws<WireException>(() => Read(new HeaderReader(), block));
        Assert.True(refused.Message == "bad-header", why);
    }

    [Fact]
    public void What_repeats_is_written_once_and_then_by_its_number()
    {
        HeaderField method = HeaderField.Of(":method", "PUT");
        HeaderField authority = HeaderField.Of(":authority", "a:1");
        HeaderWriter writer = new();
        HeaderReader reader = new();
        ByteQueue first = Block(writer, method, authority);
        ByteQueue second = Block(writer, authority, method);
        Assert.Equal([":method: PUT", ":authority: a:1", ":path: /v1/kv/k", "idempotency-key: x"], Read(reader, first));
        Assert.Equal("be bf 04 08 2f 76 31 2f 6b 76 2f 6b".Replace(" ", "", StringComparison.Ordinal), Bytes.HexOf(second.Waiting)[..24]);
        Assert.Equal([":authority: a:1", ":method: PUT", ":path: /v1/kv/k", "idempotency-key: x"], Read(reader, second));
    }

    [Fact]
    public void A_peer_without_a_table_gets_every_field_in_full()
    {
        HeaderField method = HeaderField.Of(":method", "PUT");
        HeaderWriter writer = new();
        HeaderReader reader = new();
        Read(reader, Block(writer, method));
        writer.GiveUpTable();
        ByteQueue block = Block(writer, method);
        Assert.Equal(0x20, block.Waiting[0]);
        Assert.Equal([":method: PUT", ":path: /v1/kv/k", "idempotency-key: x"], Read(reader, block));
        Assert.Equal(0x00, Block(writer, method).Waiting[0]);
    }

    [Theory]
    [InlineData(126, "007e")]
    [InlineData(127, "007f00")]
    [InlineData(128, "007f01")]
    [InlineData(1337, "007fba09")]
    public void Lengths_are_written_in_groups_of_seven_bits(int length, string expected)
    {
        ByteQueue block = new();
        HeaderWriter.AddOnce(block, "n"u8, new byte[length]);
        Assert.Equal(expected, "00" + Bytes.HexOf(block.Waiting)[6..(4 + expected.Length)]);
    }

    private static ByteQueue Block(HeaderWriter writer, params HeaderField[] repeated)
    {
        ByteQueue block = new();
        writer.Begin(block);
        foreach (HeaderField field in repeated) writer.AddRepeated(block, field);
        HeaderWriter.AddOnce(block, HeaderWriter.Path, "/v1/kv/"u8, "k"u8);
        HeaderWriter.AddOnce(block, "idempotency-key"u8, "x"u8);
        return block;
    }

    private static string[] Read(HeaderReader reader, string block) => Fields.Of(reader, Bytes.Hex(block));

    private static string[] Read(HeaderReader reader, ByteQueue block) => Fields.Of(reader, block.Waiting);

    private sealed class Fields : IHeaderSink
    {
        private readonly List<string> _fields = [];

        public static string[] Of(HeaderReader reader, ReadOnlySpan<byte> block)
        {
            Fields fields = new();
            reader.Read(block, fields);
            return [.. fields._fields];
        }

        public void OnField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => _fields.Add($"{Encoding.ASCII.GetString(name)}: {Encoding.ASCII.GetString(value)}");
    }
}
