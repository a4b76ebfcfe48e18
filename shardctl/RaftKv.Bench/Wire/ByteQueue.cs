using System.Buffers;

namespace RaftKv.Bench.Wire;

/// <summary>Bytes that wait between a socket and a protocol: written at the end, taken at the front. Keeps its memory. Not thread-safe.</summary>
internal sealed class ByteQueue : IBufferWriter<byte>
{
    private const int FirstSize = 4096;
    private byte[] _bytes = new byte[FirstSize];
    private int _start;
    private int _end;

    public int Length => _end - _start;

    /// <summary>All that waits. Valid until the queue is changed.</summary>
    public Span<byte> Waiting => _bytes.AsSpan(_start.._end);

    public void Clear() => _start = _end = 0;

    /// <summary>Removes bytes at the front.</summary>
    public void Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length);
        _start += count;
        if (_start == _end) Clear();
    }

    public void Add(byte value)
    {
        GetSpan(1)[0] = value;
        _end++;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        _end += bytes.Length;
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - _end);
        _end += count;
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        int wanted = Math.Max(sizeHint, 1);
        if (_bytes.Length - _end < wanted) MakeRoom(wanted);
        return _bytes.AsMemory(_end);
    }

    private void MakeRoom(int wanted)
    {
        byte[] target = Length + wanted <= _bytes.Length / 2 ? _bytes : new byte[Math.Max(_bytes.Length * 2, Length + wanted)];
        int length = Length;
        Waiting.CopyTo(target);
        _bytes = target;
        _start = 0;
        _end = length;
    }
}
