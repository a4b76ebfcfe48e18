namespace RaftKv.Bench.Wire;

/// <summary>Takes the fields of a header block, in order. The spans are valid during the call.</summary>
internal interface IHeaderSink
{
    void OnField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value);
}

/// <summary>Decodes the header blocks of one direction of one HTTP/2 connection, in order: RFC 7541.</summary>
/// <remarks>Throws <see cref="WireException"/> on what is no header block.</remarks>
internal sealed class HeaderReader
{
    private readonly HeaderTable _table = new();
    private readonly ByteQueue _name = new();
    private readonly ByteQueue _value = new();

    /// <summary>
    /// RFC 7541 §6; the first bits of a field say which it is:
    /// <code>
    /// 1  number (7)                            a field of the table
    /// 01 number of the name (6), value         to be added to the table; number 0: the name follows as a string
    /// 001 size (5)                             the table's new size
    /// 0000 or 0001 number of the name (4), value    not to be added
    /// </code>
    /// </summary>
    public void Read(ReadOnlySpan<byte> block, IHeaderSink sink)
    {
        while (!block.IsEmpty)
        {
            byte first = block[0];
            if ((first & 0x80) != 0)
            {
                HeaderField field = _table[TakeNumber(ref block, 7)];
                sink.OnField(field.Name, field.Value);
            }
            else if ((first & 0xE0) == 0x20)
            {
                _table.Resize(TakeNumber(ref block, 5));
            }
            else
            {
                bool isAdded = (first & 0x40) != 0;
                ReadLiteral(ref block, isAdded ? 6 : 4);
                sink.OnField(_name.Waiting, _value.Waiting);
                if (isAdded) _table.Add(HeaderField.Of(_name.Waiting, _value.Waiting));
            }
        }
    }

    private void ReadLiteral(ref ReadOnlySpan<byte> block, int numberBits)
    {
        _name.Clear();
        _value.Clear();
        int number = TakeNumber(ref block, numberBits);
        if (number == 0) TakeString(ref block, _name);
        else _name.Add(_table[number].Name);
        TakeString(ref block, _value);
    }

    /// <summary>RFC 7541 §5.1: in the low bits of the first byte if it fits, else in groups of seven, the lowest first.</summary>
    private static int TakeNumber(ref ReadOnlySpan<byte> block, int bits)
    {
        const int MaxShift = 21; // Nothing here is larger than a frame.
        int most = (1 << bits) - 1;
        int number = TakeByte(ref block) & most;
        if (number < most) return number;
        for (int shift = 0; shift <= MaxShift; shift += 7)
        {
            int next = TakeByte(ref block);
            number += (next & 0x7F) << shift;
            if ((next & 0x80) == 0) return number;
        }

        throw new WireException("bad-header");
    }

    /// <summary>RFC 7541 §5.2: a bit that says whether it is Huffman's, its length (7), its bytes.</summary>
    private static void TakeString(ref ReadOnlySpan<byte> block, ByteQueue to)
    {
        if (block.IsEmpty) throw new WireException("bad-header");
        bool isHuffman = (block[0] & 0x80) != 0;
        int length = TakeNumber(ref block, 7);
        if (length > block.Length) throw new WireException("bad-header");
        if (isHuffman) Huffman.Decode(block[..length], to);
        else to.Add(block[..length]);
        block = block[length..];
    }

    private static byte TakeByte(ref ReadOnlySpan<byte> block)
    {
        if (block.IsEmpty) throw new WireException("bad-header");
        byte first = block[0];
        block = block[1..];
        return first;
    }
}
