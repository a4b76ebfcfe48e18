#if MUTANTS
using RaftKv.Raft;
#endif
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.RaftLog;

/// <summary>Reads segment files: their headers, and batch by batch what checks. What that means is its callers' to say: <see cref="LogRecovery"/>, <see cref="LogInspection"/>.</summary>
internal sealed class SegmentReader
{
    private byte[] _buffer = [];

    /// <summary>The records of the batch that was read last.</summary>
    public ReadOnlyMemory<byte> Records { get; private set; }

    /// <summary>Opens a segment that has to be there. Throws <see cref="LogCorruptException"/> when its header does not check.</summary>
    public static Segment Open(IDisk disk, ulong sequence)
    {
        string name = SegmentNames.Of(sequence);
        IDiskFile file = disk.Open(name);
        try
        {
            byte[] block = new byte[SegmentFormat.BlockBytes];
            int read = file.Read(0, block);
            SegmentHeader header = SegmentFormat.ReadSegmentHeader(block.AsMemory(0, read), out string reason) ?? throw new LogCorruptException(name, 0, reason);
            if (header.Sequence != sequence) throw new LogCorruptException(name, 8, $"the header says segment {header.Sequence}");
            return new Segment(header, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a batch into <see cref="Records"/>. Null when there is none of this number that checks.</summary>
    public BatchHeader? TryReadBatch(Segment segment, long offset, ulong expectedNumber)
    {
        if (HeaderAt(segment, offset) is not { } header) return null;
        bool isExpected = header.Number == expectedNumber;
#if MUTANTS
        if (Mutants.On(Mutant.RecycledRecordAccepted)) isExpected = true;
#endif
        if (!isExpected || header.Length > segment.Bytes - offset) return null;
        if (_buffer.Length < header.Length) _buffer = new byte[header.Length];
        Memory<byte> records = _buffer.AsMemory(0, (int)header.Length);
        if (segment.File.Read(offset + SegmentFormat.BatchHeaderBytes, records.Span) != records.Length) return null;
        if (Crc32C.Of(records.Span) != header.Checksum) return null;
        Records = records;
        return header;
    }

    /// <summary>The header of a batch of this segment at <paramref name="offset"/>; null when none checks there.</summary>
    public static BatchHeader? HeaderAt(Segment segment, long offset)
    {
        Span<byte> bytes = stackalloc byte[SegmentFormat.BatchHeaderBytes];
        int read = segment.File.Read(offset, bytes);
        return SegmentFormat.ReadBatchHeader(bytes[..read], segment.Header.Seal);
    }

    /// <summary>The first batch behind <paramref name="offset"/> whose header checks and whose number is above <paramref name="number"/>: proof that what does not check before it is rot.</summary>
    public static (long Offset, ulong Number)? FindLater(Segment segment, long offset, ulong number)
    {
        for (offset += SegmentFormat.BlockBytes; offset < segment.Bytes; offset += SegmentFormat.BlockBytes)
            if (HeaderAt(segment, offset) is { } later && later.Number > number) return (offset, later.Number);
        return null;
    }
}
