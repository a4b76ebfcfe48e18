using System.Text;
using RaftKv.Bench.Wire;

namespace RaftKv.Bench.Tests.Wire;

/// <summary>Bytes as the tests write them.</summary>
internal static class Bytes
{
    /// <summary>Hexadecimal, with spaces wherever they help.</summary>
    public static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal));

    public static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    public static string TextOf(ByteQueue queue) => Encoding.ASCII.GetString(queue.Waiting);

    public static string HexOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

    /// <summary>Gives a wire the bytes in pieces of one size, as a socket may; what the wire leaves comes again with the next piece.</summary>
    public static List<Answer> ReadInPieces(ClientWire wire, byte[] bytes, int pieceBytes, ByteQueue to)
    {
        List<Answer> answers = [];
        ByteQueue received = new();
        foreach (byte[] piece in bytes.Chunk(pieceBytes))
        {
            received.Add(piece);
            received.Take(wire.Read(received.Waiting, to, answers));
        }

        Assert.Equal(0, received.Length);
        return answers;
    }

    public static Operation Put(string key, string value, string idempotencyKey = "") => new() { Key = Ascii(key), Value = Ascii(value), IdempotencyKey = Ascii(idempotencyKey) };

    public static Operation Get(string key) => new() { IsRead = true, Key = Ascii(key) };
}
