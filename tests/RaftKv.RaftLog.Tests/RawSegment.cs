using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog.Tests;

/// <summary>A segment written by hand, batch by batch, so that it may also hold what the log would never write.</summary>
internal sealed class RawSegment
{
    private readonly List<byte> _bytes = [];
    private readonly SegmentHeader _header;
    private ulong _nextBatch;

    public RawSegment(ulong sequence, ulong firstBatch, ulong salt = 77)
    {
        _header = new SegmentHeader(sequence, salt, firstBatch);
        _nextBatch = firstBatch;
        ByteWriter block = new();
        SegmentFormat.WriteSegmentHeader(block, _header);
        _bytes.AddRange(block.Written);
    }

    public string Name => SegmentNames.Of(_header.Sequence);

    public ulong NextBatch => _nextBatch;

    public int Length => _bytes.Count;

    public RawSegment Batch(params ReadOnlySpan<Action<ByteWriter>> records)
    {
        _bytes.AddRange(BytesOf(_header.Seal, _nextBatch++, records));
        return this;
    }

    /// <summary>Bytes that follow the batches: zeros, or what was left of a former life.</summary>
    public RawSegment Then(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public void WriteTo(MemoryDisk disk) => WriteTo(disk, Name);

    public void WriteTo(MemoryDisk disk, string name)
    {
        using IDiskFile file = disk.Create(name);
        file.Write(0, _bytes.ToArray());
        file.Sync();
        disk.SyncDirectory();
    }

    /// <summary>A batch as it lies in a segment with this seal.</summary>
    public static byte[] BytesOf(ulong seal, ulong number, params ReadOnlySpan<Action<ByteWriter>> records)
    {
        ByteWriter batch = new();
        SegmentFormat.BeginBatch(batch);
        foreach (Action<ByteWriter> record in records) record(batch);
        SegmentFormat.FinishBatch(batch, seal, number);
        return batch.ToArray();
    }

    public static Action<ByteWriter> Entry(ulong writeSequence, ulong index, ulong term = 5, string payload = "", ulong group = 1) => Record(RecordKind.Entry, group, writeSequence, writer =>
        SegmentFormat.WriteEntry(writer, new Entry(new LogIndex(index), new Term(term), EntryKind.Command, 0, 0, 0, System.Text.Encoding.UTF8.GetBytes(payload))));

    public static Action<ByteWriter> HardState(ulong writeSequence, ulong term, ulong group = 1) => Record(RecordKind.HardState, group, writeSequence, writer =>
    {
        writer.U64(term);
        writer.U64(1);
        writer.U64(10);
    });

    public static Action<ByteWriter> Point(ulong writeSequence, ulong index, bool keepsLogBehind, ulong term = 5, ulong group = 1) => Record(RecordKind.CommitPoint, group, writeSequence, writer =>
        SegmentFormat.WriteCommitPoint(writer, LogScript.PointAt(index, term), keepsLogBehind));

    public static Action<ByteWriter> Tombstone(ulong writeSequence, ulong replica, ulong group = 1) => Record(RecordKind.Tombstone, group, writeSequence, _ => { }, replica);

    public static Action<ByteWriter> First(ulong sequence) => writer => SegmentFormat.WriteFirstSegment(writer, sequence);

    public static Action<ByteWriter> Identity(string name) => Record(RecordKind.Initialised, 0, 0, writer => SegmentFormat.WriteIdentity(writer, LogScript.Identity with { Name = name }));

    private static Action<ByteWriter> Record(RecordKind kind, ulong group, ulong writeSequence, Action<ByteWriter> body, ulong replica = 1) => writer =>
    {
        int start = SegmentFormat.BeginRecord(writer, kind, 0, new GroupId(group), new ReplicaId(replica), writeSequence);
        body(writer);
        SegmentFormat.FinishRecord(writer, start);
    };
}
