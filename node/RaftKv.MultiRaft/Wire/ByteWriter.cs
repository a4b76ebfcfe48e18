using System.Buffers.Binary;
using System.Text;

namespace RaftKv.MultiRaft.Wire;

/// <summary>A growing byte buffer with the primitives all formats are built of: little-endian integers and length-prefixed blocks.</summary>
/// <remarks>Reused by <see cref="Clear"/>; owned by one thread at a time.</remarks>
public sealed class ByteWriter(int capacity = 256)
{
    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Valid until the next write.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    public void Clear() => Length = 0;

    public byte[] ToArray() => Written.ToArray();

    public void U8(byte value) => Take(1)[0] = value;

    public void U16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), value);

    public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

    public void U64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);

    public void Raw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    /// <summary>Length as u32, then the bytes.</summary>
    public void Block(ReadOnlySpan<byte> bytes)
    {
        U32((uint)bytes.Length);
        Raw(bytes);
    }

    public void Text(string text) => Block(Encoding.UTF8.GetBytes(text));

    /// <summary>Zeros up to the next multiple of <paramref name="alignment"/> bytes.</summary>
    public void PadTo(int alignment)
    {
        int over = Length % alignment;
        if (over != 0) Take(alignment - over).Clear();
    }

    /// <summary>Overwrites bytes written earlier, at <paramref name="offset"/>.</summary>
    public void Patch(int offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes.AsSpan(offset));

    /// <summary>Overwrites a u32 written earlier, at <paramref name="offset"/>.</summary>
    public void PatchU32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset, 4), value);

    /// <summary>Room for <paramref name="count"/> bytes that the caller fills.</summary>
    public Span<byte> Take(int count)
    {
        if (Length + count > _bytes.Length) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        Span<byte> room = _bytes.AsSpan(Length, count);
        Length += count;
        return room;
    }
}
