namespace RaftKv.Bench.Wire;

/// <summary>Decodes strings of HTTP/2 headers: RFC 7541 §5.2 and appendix B.</summary>
internal static class Huffman
{
    private const int EndOfString = 256;
    private const int MaxBits = 30;

    /// <summary>How many bits the code of each symbol has, 0 to 255 and the end of string. The code is canonical, so this is all of it.</summary>
    private static ReadOnlySpan<byte> Lengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ];

    /// <summary>Of each length: its first code, and where its symbols begin in <see cref="s_symbols"/>. Codes of one length are consecutive.</summary>
    private static readonly (uint First, int Offset, int Count)[] s_codes = new (uint, int, int)[MaxBits + 1];
    private static readonly int[] s_symbols = [.. Enumerable.Range(0, EndOfString + 1).OrderBy(symbol => Lengths[symbol])];

    static Huffman()
    {
        uint next = 0;
        int offset = 0;
        for (int bits = 1; bits <= MaxBits; bits++)
        {
            int count = Lengths.Count((byte)bits);
            s_codes[bits] = (next, offset, count);
            next = (next + (uint)count) << 1;
            offset += count;
        }
    }

    /// <summary>Throws <see cref="WireException"/> when it is no such string.</summary>
    public static void Decode(ReadOnlySpan<byte> encoded, ByteQueue to)
    {
        uint code = 0;
        int bits = 0;
        foreach (byte eight in encoded)
        {
            for (int bit = 7; bit >= 0; bit--)
            {
                code = (code << 1) | ((uint)(eight >> bit) & 1);
                bits++;
                var (first, offset, count) = s_codes[bits];
                if (code - first >= count)
                {
                    if (bits == MaxBits) throw new WireException("bad-huffman");
                    continue;
                }

                int symbol = s_symbols[offset + (int)(code - first)];
                if (symbol == EndOfString) throw new WireException("bad-huffman");
                to.Add((byte)symbol);
                code = 0;
                bits = 0;
            }
        }

        // What is left is the padding: fewer than 8 bits, all ones.
        if (bits > 7 || code != (1u << bits) - 1) throw new WireException("bad-huffman");
    }
}
