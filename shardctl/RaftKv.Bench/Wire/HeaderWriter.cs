namespace RaftKv.Bench.Wire;

/// <summary>
/// Encodes the header blocks of our direction of one HTTP/2 connection: RFC 7541, without Huffman's code. What repeats from
/// request to request is sent once and then by its number, as every client does.
/// </summary>
internal sealed class HeaderWriter
{
    /// <summary>Names by their numbers in the fixed table.</summary>
    public const int Path = 4;
    public const int ContentLength = 28;

    private const int FixedFields = 61;

    /// <summary>In the order in which they were added; together far below the table's size, so that none is ever evicted.</summary>
    private readonly List<HeaderField> _sent = [];
    private bool _hasTable = true;
    private bool _mustEmptyTable;

    /// <summary>The peer allows a smaller table than the usual: then none is used.</summary>
    public void GiveUpTable()
    {
        if (!_hasTable) return;
        _hasTable = false;
        _mustEmptyTable = true;
    }

    /// <summary>Before the first field of a block.</summary>
    public void Begin(ByteQueue to)
    {
        if (_mustEmptyTable) AddNumber(to, 0x20, 5, 0);
        _mustEmptyTable = false;
    }

    /// <param name="field">The same object each time.</param>
    public void AddRepeated(ByteQueue to, HeaderField field)
    {
        int place = _hasTable ? _sent.IndexOf(field) : -1;
        if (place >= 0)
        {
            AddNumber(to, 0x80, 7, FixedFields + _sent.Count - place);
            return;
        }

        if (_hasTable) _sent.Add(field);
        to.Add(_hasTable ? (byte)0x40 : (byte)0);
        AddString(to, field.Name);
        AddString(to, field.Value);
    }

    /// <param name="nameNumber">Of the fixed table.</param>
    public static void AddOnce(ByteQueue to, int nameNumber, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default)
    {
        AddNumber(to, 0, 4, nameNumber);
        AddNumber(to, 0, 7, first.Length + second.Length);
        to.Add(first);
        to.Add(second);
    }

    public static void AddOnce(ByteQueue to, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        to.Add(0);
        AddString(to, name);
        AddString(to, value);
    }

    private static void AddString(ByteQueue to, ReadOnlySpan<byte> text)
    {
        AddNumber(to, 0, 7, text.Length);
        to.Add(text);
    }

    /// <param name="pattern">The bits above the number's.</param>
    private static void AddNumber(ByteQueue to, byte pattern, int bits, int number)
    {
        int most = (1 << bits) - 1;
        if (number < most)
        {
            to.Add((byte)(pattern | number));
            return;
        }

        to.Add((byte)(pattern | most));
        for (number -= most; number >= 0x80; number >>= 7) to.Add((byte)(number | 0x80));
        to.Add((byte)number);
    }
}
