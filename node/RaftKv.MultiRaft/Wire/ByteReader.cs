using System.Buffers.Binary;
using System.Text;

namespace RaftKv.MultiRaft.Wire;

/// <summary>Bytes that do not parse: garbage, truncated, or of a format this build does not know. One connection or file is lost, nothing else.</summary>
public sealed class MalformedException(string message) : Exception(message);

/// <summary>Reads what <see cref="ByteWriter"/> wrote. Every read is checked against the end and throws <see cref="MalformedException"/>.</summary>
public ref struct ByteReader(ReadOnlyMemory<byte> bytes)
{
    private readonly ReadOnlyMemory<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly int Remaining => _bytes.Length - Position;

    /// <summary>What is not read yet.</summary>
    public readonly ReadOnlyMemory<byte> Rest => _bytes[Position..];

    public void Skip(int count) => Take(count);

    public byte U8() => Take(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A length-prefixed block, as a slice of the source.</summary>
    public ReadOnlyMemory<byte> Block()
    {
        uint length = U32();
        if (length > (uint)Remaining) throw new MalformedException($"block of {length} bytes at {Position}, only {Remaining} remain");
        ReadOnlyMemory<byte> block = _bytes.Slice(Position, (int)length);
        Position += (int)length;
        return block;
    }

    public string Text() => Encoding.UTF8.GetString(Block().Span);

    /// <summary>A count of items of at least <paramref name="itemBytes"/> bytes each; checked against what remains before anything is allocated.</summary>
    public int Count(int itemBytes)
    {
        uint count = U32();
        if (count > (uint)(Remaining / itemBytes)) throw new MalformedException($"{count} items of {itemBytes} bytes at {Position}, only {Remaining} bytes remain");
        return (int)count;
    }

    public readonly void ExpectEnd()
    {
        if (Remaining != 0) throw new MalformedException($"{Remaining} bytes too many at {Position}");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > Remaining) throw new MalformedException($"{count} bytes wanted at {Position}, only {Remaining} remain");
        ReadOnlySpan<byte> span = _bytes.Span.Slice(Position, count);
        Position += count;
        return span;
    }
}
