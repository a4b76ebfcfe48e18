using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// Reads the log back after any crash. Since batch n + 1 is only written after the sync of n returned, at most the very
/// last batch may be torn; a bad batch with any later valid one behind it is rot, and the node must not start.
/// </summary>
/// <remarks>
/// Limit: rot in the very last batch cannot be told from tearing. A killed process leaves written but unsynced pages that
/// read back as if they were durable; and after a failed sync Linux keeps the pages readable but marks them clean, so that a
/// sync at recovery would succeed and write nothing. Therefore the last batch, the only one in doubt, is written again and
/// synced before anything read from it counts.
/// </remarks>
internal sealed class LogRecovery
{
    private readonly List<string> _names;
    private readonly IDisk _disk;
    private DiskIdentity? _identity;

    private LogRecovery(IDisk disk)
    {
        _disk = disk;
        _names = [.. disk.List().Where(name => name.EndsWith(SegmentFormat.Extension, StringComparison.Ordinal))];
    }

    public SortedDictionary<GroupId, GroupLog> Groups { get; } = [];

    public SortedDictionary<ulong, Segment> Segments { get; } = [];

    public ulong NextBatch { get; private set; } = 1;

    /// <summary>Where in the last segment the next batch goes.</summary>
    public long EndOffset { get; private set; }

    public static LogRecovery Run(IDisk disk)
    {
        LogRecovery recovery = new(disk);
        recovery.OpenSegments();
        Segment[] segments = [.. recovery.Segments.Values];
        for (int i = 0; i < segments.Length; i++) recovery.ReplaySegment(segments[i], next: i + 1 < segments.Length ? segments[i + 1] : null);
        return recovery;
    }

    public RecoveredLog ToRecovered() => new(_identity, [.. Groups.Values.Where(group => group.CommitPoint is not null).Select(group => group.ToRecovered())]);

    private void OpenSegments()
    {
        ulong expected = 1;
        foreach (string name in _names)
        {
            IDiskFile file = _disk.Open(name);
            byte[] block = new byte[SegmentFormat.BlockBytes];
            int read = file.Read(0, block);
            SegmentHeader header = SegmentFormat.ReadSegmentHeader(block.AsMemory(0, read), out string reason) ?? throw new LogCorruptException(name, 0, reason);
            if (SegmentFormat.NameOf(header.Sequence) != name) throw new LogCorruptException(name, 8, $"the header says segment {header.Sequence}");
            if (header.Sequence != expected) throw new LogCorruptException(name, 8, $"segment {expected} is missing");
            Segments.Add(header.Sequence, new Segment(header, file));
            expected++;
        }

        if (Segments.Count == 0) return;
        // Directory and open segment: what reads back may not be durable yet.
#if MUTANTS
        if (!Mutants.On(Mutant.RecoveryTrustsUnsyncedPages))
#endif
        Segments.Values.Last().File.Sync();
        _disk.SyncDirectory();
        NextBatch = Segments.Values.First().Header.FirstBatch;
    }

    private void ReplaySegment(Segment segment, Segment? next)
    {
        long offset = SegmentFormat.BlockBytes;
        long lastBatch = -1;
        while (TryReadBatch(segment, offset, NextBatch) is { } batch)
        {
            lastBatch = offset;
            ReplayBatch(segment, offset, batch.Header, batch.Records);
            offset += batch.Header.SpanBytes;
            NextBatch++;
        }

        if (next is not null)
        {
            if (next.Header.FirstBatch != NextBatch) throw new LogCorruptException(segment.File.Name, offset, $"batch {NextBatch} does not check, but the next segment begins with batch {next.Header.FirstBatch}");
            return;
        }

        ExpectNothingValidBehind(segment, offset);
        if (lastBatch >= 0) WriteAgain(segment.File, lastBatch, offset);
        EndOffset = offset;
    }

    /// <summary>The same bytes over themselves: however a crash cuts this write, it changes nothing.</summary>
    private static void WriteAgain(IDiskFile file, long start, long end)
    {
#if MUTANTS
        if (Mutants.On(Mutant.RecoveryTrustsUnsyncedPages)) return;
#endif
        byte[] bytes = new byte[end - start];
        int read = file.Read(start, bytes);
        file.Write(start, bytes.AsSpan(0, read));
        file.Sync();
    }

    /// <summary>The last batch may be torn. If any valid batch follows what does not check, it was not the last: rot.</summary>
    private void ExpectNothingValidBehind(Segment segment, long end)
    {
        byte[] header = new byte[SegmentFormat.BatchHeaderBytes];
        for (long offset = end + SegmentFormat.BlockBytes; offset < segment.File.Length; offset += SegmentFormat.BlockBytes)
        {
            int read = segment.File.Read(offset, header);
            if (SegmentFormat.ReadBatchHeader(header.AsSpan(0, read), segment.Header.Seal) is { } later && later.Number > NextBatch)
                throw new LogCorruptException(segment.File.Name, end, $"batch {NextBatch} does not check, but batch {later.Number} behind it does");
        }
    }

    private static (BatchHeader Header, byte[] Records)? TryReadBatch(Segment segment, long offset, ulong expectedNumber)
    {
        byte[] headerBytes = new byte[SegmentFormat.BatchHeaderBytes];
        int read = segment.File.Read(offset, headerBytes);
        if (SegmentFormat.ReadBatchHeader(headerBytes.AsSpan(0, read), segment.Header.Seal) is not { } header) return null;
        if (header.Number != expectedNumber || header.Length > segment.File.Length - offset) return null;
        byte[] records = new byte[header.Length];
        if (segment.File.Read(offset + SegmentFormat.BatchHeaderBytes, records) != records.Length) return null;
        return Crc32C.Of(records) == header.Checksum ? (header, records) : null;
    }

    private void ReplayBatch(Segment segment, long offset, BatchHeader header, byte[] records)
    {
        int position = 0;
        try
        {
            for (uint i = 0; i < header.Records; i++)
            {
                Record record = SegmentFormat.ReadRecord(records.AsMemory(position), segment.Header.Seal);
                ReplayRecord(record, new EntryPlace(segment.Header.Sequence, offset + SegmentFormat.BatchHeaderBytes + position, record.TotalBytes, default));
                position += record.TotalBytes;
            }
        }
        catch (MalformedException malformed)
        {
            throw new LogCorruptException(segment.File.Name, offset + SegmentFormat.BatchHeaderBytes + position, malformed.Message);
        }
    }

    private void ReplayRecord(in Record record, EntryPlace place)
    {
        if (record.Kind == RecordKind.Initialised)
        {
            _identity = SegmentFormat.ReadIdentity(record);
            return;
        }

        if (!Groups.TryGetValue(record.Group, out GroupLog? group)) Groups.Add(record.Group, group = new GroupLog(record.Group));
        if (!group.TryNoteWriteSequence(record.WriteSequence)) throw new MalformedException($"{record.Group}: write sequence {record.WriteSequence} after {group.WriteSequence}");
        switch (record.Kind)
        {
            case RecordKind.HardState:
                group.SetHardState(SegmentFormat.ReadHardState(record));
                break;
            case RecordKind.CommitPoint:
                group.SetCommitPoint(SegmentFormat.ReadCommitPoint(record, out bool keepsLogBehind), keepsLogBehind);
                break;
            case RecordKind.Entry:
                Entry entry = SegmentFormat.ReadEntry(record);
                if (!group.TrySetEntry(entry.Index, place with { Term = entry.Term })) throw new MalformedException($"{record.Group}: entry {entry.Index} does not follow {group.Last}");
                break;
            default:
                throw new MalformedException($"record kind {(byte)record.Kind}");
        }
    }
}
