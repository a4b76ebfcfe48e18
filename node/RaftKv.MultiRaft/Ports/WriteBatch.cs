using System.Buffers.Binary;

namespace RaftKv.MultiRaft.Ports;

/// <summary>
/// The rows that one group of log entries writes, in order, in one canonical byte form. Both ordered stores apply it and
/// the chain hash that detects diverging replicas is computed over it, so its bytes depend on nothing but the entries.
/// </summary>
/// <remarks>
/// <code>
/// put     | 1 (u8) | key length (u32 LE) | key | value length (u32 LE) | value |
/// delete  | 2 (u8) | key length (u32 LE) | key |
/// </code>
/// Owned by one Applier; reused by <see cref="Clear"/>.
/// </remarks>
public sealed class WriteBatch
{
    private const byte PutTag = 1;
    private const byte DeleteTag = 2;

    /// <summary>A larger buffer is given back when it is cleared, lest a thousand shards keep their largest each.</summary>
    private const int MaxRetainedBytes = 1024 * 1024;

    private byte[] _bytes = new byte[4096];
    private int _length;

    public int Count { get; private set; }

    /// <summary>The canonical form of everything added since the last <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>Returns where in <see cref="Bytes"/> the value begins.</summary>
    public int Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Span<byte> room = Take(1 + 4 + key.Length + 4 + value.Length);
        room[0] = PutTag;
        BinaryPrimitives.WriteInt32LittleEndian(room[1..], key.Length);
        key.CopyTo(room[5..]);
        BinaryPrimitives.WriteInt32LittleEndian(room[(5 + key.Length)..], value.Length);
        value.CopyTo(room[(9 + key.Length)..]);
        Count++;
        return _length - value.Length;
    }

    public void Delete(ReadOnlySpan<byte> key)
    {
        Span<byte> room = Take(1 + 4 + key.Length);
        room[0] = DeleteTag;
        BinaryPrimitives.WriteInt32LittleEndian(room[1..], key.Length);
        key.CopyTo(room[5..]);
        Count++;
    }

    public void Clear()
    {
        if (_bytes.Length > MaxRetainedBytes) _bytes = new byte[4096];
        _length = 0;
        Count = 0;
    }

    public Enumerator GetEnumerator() => new(Bytes);

    private Span<byte> Take(int count)
    {
        if (_length + count > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
        Span<byte> room = _bytes.AsSpan(_length, count);
        _length += count;
        return room;
    }

    /// <summary>One row of a batch. <see cref="Value"/> is empty for a delete.</summary>
    public readonly ref struct Row(bool isPut, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        public bool IsPut { get; } = isPut;

        public ReadOnlySpan<byte> Key { get; } = key;

        public ReadOnlySpan<byte> Value { get; } = value;
    }

    public ref struct Enumerator(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;
        private Row _current;

        public readonly Row Current => _current;

        public bool MoveNext()
        {
            if (_rest.IsEmpty) return false;
            bool isPut = _rest[0] == PutTag;
            ReadOnlySpan<byte> key = TakeBlock(_rest[1..], out ReadOnlySpan<byte> after);
            ReadOnlySpan<byte> value = isPut ? TakeBlock(after, out after) : default;
            _current = new Row(isPut, key, value);
            _rest = after;
            return true;
        }

        private static ReadOnlySpan<byte> TakeBlock(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> after)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            after = bytes[(4 + length)..];
            return bytes.Slice(4, length);
        }
    }
}
