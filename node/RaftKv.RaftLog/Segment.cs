using RaftKv.MultiRaft.Ports;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>An open segment file, and how much of it still counts.</summary>
/// <remarks><see cref="LiveBytes"/> and <see cref="Readers"/> belong to <see cref="LiveRecords"/>, under its lock.</remarks>
internal sealed class Segment(SegmentHeader header, IDiskFile file)
{
    private long _bytes = file.Length;

    public SegmentHeader Header { get; } = header;

    public IDiskFile File { get; } = file;

    public ulong Sequence => Header.Sequence;

    /// <summary>Size of the file. Set by PERSIST, read by any thread.</summary>
    public long Bytes
    {
        get => Volatile.Read(ref _bytes);
        set => Volatile.Write(ref _bytes, value);
    }

    /// <summary>Bytes of the records here that still count.</summary>
    public long LiveBytes { get; set; }

    /// <summary>Entries here that a Read is about to fetch; while there are any, the file must stay what it is.</summary>
    public int Readers { get; set; }

    public override string ToString() => File.Name;
}

/// <summary>Where a record lies on disk, and its place in its group's order.</summary>
internal readonly record struct RecordPlace(Segment Segment, long Offset, int Bytes, ulong WriteSequence);

/// <summary>Where an entry lies on disk.</summary>
internal readonly record struct EntryPlace(RecordPlace Record, Term Term, bool IsConfiguration);
