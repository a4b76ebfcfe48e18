using System.Buffers.Binary;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.RaftLog;

/// <summary>What a file of the raft log is.</summary>
public enum LogFileKind : byte
{
    /// <summary>A segment that counts.</summary>
    Segment,

    /// <summary>A segment whose records count no more; it becomes spare at the next start.</summary>
    Retired,

    /// <summary>A former segment, kept to be written again.</summary>
    Spare,

    /// <summary>What a crash left of a segment that never got its name; deleted at the next start.</summary>
    Leftover,

    /// <summary>Nothing that the log knows.</summary>
    Foreign,
}

/// <summary>One file of the raft log. What it holds is 0 for all but segments that count.</summary>
/// <param name="LiveBytes">Of the records that still count; null when recovery found rot, for then nobody can say.</param>
public sealed record LogFile(string Name, LogFileKind Kind, long Bytes, ulong Batches, ulong Records, long? LiveBytes);

/// <summary>Something that was never written so.</summary>
public sealed record LogProblem(string File, long Offset, string What);

/// <summary>
/// Looks at a raft log that nobody uses, without changing it: every batch and record of every segment that counts, and then what recovery makes of
/// them. Recovery ends at the first rot; this goes on behind it, and tells rot from what a start would legally cut.
/// </summary>
public sealed class LogInspection
{
    private readonly IDisk _disk;
    private readonly List<LogFile> _files = [];
    private readonly List<LogProblem> _problems = [];
    private readonly SegmentReader _reader = new();

    private LogInspection(IDisk disk) => _disk = disk;

    /// <summary>By name.</summary>
    public IReadOnlyList<LogFile> Files => _files;

    public IReadOnlyList<LogProblem> Problems => _problems;

    /// <summary>A batch at the end of the log that did not reach the disk as a whole: never relied on, and cut by the next start. Null when there is none.</summary>
    public LogProblem? TornTail { get; private set; }

    /// <summary>What a start would find; null when rot would refuse it.</summary>
    public RecoveredLog? Recovered { get; private set; }

    /// <summary>Throws <see cref="DiskFailedException"/> when a file cannot be read.</summary>
    public static LogInspection Run(IDisk disk)
    {
        LogInspection inspection = new(disk);
        Dictionary<ulong, long>? live = inspection.Recover(out ulong first);
        SortedSet<ulong> sequences = [.. disk.List().Where(SegmentNames.IsSegment).Select(SegmentNames.SequenceOf).OfType<ulong>()];
        foreach (string name in disk.List()) inspection.Look(name, sequences, first, live);
        return inspection;
    }

    /// <summary>Live bytes by segment, and the first one that counts. Null, and 0, when it finds rot.</summary>
    private Dictionary<ulong, long>? Recover(out ulong first)
    {
        first = 0;
        LogRecovery? recovery = null;
        try
        {
            recovery = LogRecovery.Run(_disk, isOffline: true);
            Recovered = recovery.ToRecovered();
            first = recovery.First;
            return recovery.Segments.ToDictionary(segment => segment.Sequence, segment => segment.LiveBytes);
        }
        catch (LogCorruptException rot)
        {
            _problems.Add(new LogProblem(rot.File, rot.Offset, rot.What));
            return null;
        }
        finally
        {
            foreach (Segment segment in recovery?.Segments ?? []) segment.File.Dispose();
        }
    }

    private void Look(string name, SortedSet<ulong> sequences, ulong first, Dictionary<ulong, long>? live)
    {
        if (SegmentNames.IsSegment(name) && SegmentNames.SequenceOf(name) is { } sequence && sequence >= first)
        {
            try
            {
                Segment segment = SegmentReader.Open(_disk, sequence);
                using (segment.File) _files.Add(Scan(segment, sequences.Contains(sequence + 1) ? sequence + 1 : null, live?.GetValueOrDefault(sequence)));
                return;
            }
            catch (LogCorruptException rot)
            {
                Note(rot.File, rot.Offset, rot.What);
                _files.Add(new LogFile(name, LogFileKind.Segment, LengthOf(name), 0, 0, null));
                return;
            }
        }

        LogFileKind kind = SegmentNames.IsSegment(name) ? LogFileKind.Retired
            : SegmentNames.IsSpare(name) ? LogFileKind.Spare
            : name == SegmentNames.New ? LogFileKind.Leftover
            : LogFileKind.Foreign;
        _files.Add(new LogFile(name, kind, LengthOf(name), 0, 0, 0));
    }

    /// <summary>Every batch and record; behind rot it goes on with the next batch that checks.</summary>
    private LogFile Scan(Segment segment, ulong? next, long? liveBytes)
    {
        ulong number = segment.Header.FirstBatch;
        ulong batches = 0;
        ulong records = 0;
        for (long offset = SegmentFormat.BlockBytes; ;)
        {
            if (_reader.TryReadBatch(segment, offset, number) is { } batch)
            {
                records += CheckRecords(segment, offset, batch);
                (batches, number, offset) = (batches + 1, number + 1, offset + batch.SpanBytes);
                continue;
            }

            if (SegmentReader.FindLater(segment, offset, number) is not { } later)
            {
                CheckEnd(segment, offset, number, next);
                return new LogFile(segment.File.Name, LogFileKind.Segment, segment.Bytes, batches, records, liveBytes);
            }

            Note(segment.File.Name, offset, $"batch {number} does not check, but batch {later.Number} behind it does");
            (offset, number) = later;
        }
    }

    private ulong CheckRecords(Segment segment, long offset, in BatchHeader batch)
    {
        int position = 0;
        uint read = 0;
        try
        {
            for (; read < batch.Records; read++) position += SegmentFormat.ReadRecord(_reader.Records[position..], segment.Header.Seal).TotalBytes;
            if (position != _reader.Records.Length) throw new MalformedException($"{_reader.Records.Length - position} bytes behind the last record of batch {batch.Number}");
        }
        catch (MalformedException malformed)
        {
            Note(segment.File.Name, offset + SegmentFormat.BatchHeaderBytes + position, malformed.Message);
        }

        return read;
    }

    /// <summary>Nothing that checks follows in this file: the next segment must go on there, or this is where the log ends.</summary>
    private void CheckEnd(Segment segment, long offset, ulong number, ulong? next)
    {
        if (next is { } sequence)
        {
            if (FirstBatchOf(sequence) is { } later && later != number) Note(segment.File.Name, offset, $"batch {number} does not check, but the next segment begins with batch {later}");
            return;
        }

        if (IsTorn(segment, offset, number)) TornTail = new LogProblem(segment.File.Name, offset, $"torn tail, will be cut at start: batch {number} is not whole");
    }

    /// <summary>Null when the segment's header does not check, which is noted when it is looked at itself.</summary>
    private ulong? FirstBatchOf(ulong sequence)
    {
        try
        {
            Segment segment = SegmentReader.Open(_disk, sequence);
            using (segment.File) return segment.Header.FirstBatch;
        }
        catch (LogCorruptException)
        {
            return null;
        }
    }

    /// <summary>
    /// Whether something of batch <paramref name="number"/> reached the disk. A header that checks is proof. Else it is what was never written before:
    /// neither zeros nor, in a file that was recycled, its former life, which shows in batches of lower numbers.
    /// </summary>
    private static bool IsTorn(Segment segment, long offset, ulong number)
    {
        if (SegmentReader.HeaderAt(segment, offset) is { } header) return header.Number == number;
        byte[] block = new byte[SegmentFormat.BlockBytes];
        bool isWritten = false;
        for (long at = offset; at < segment.Bytes; at += SegmentFormat.BlockBytes)
        {
            int read = segment.File.Read(at, block);
            if (read >= SegmentFormat.BatchHeaderBytes && SegmentFormat.IsBatchMagic(block) && BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(8)) < segment.Header.FirstBatch) return false;
            isWritten |= block.AsSpan(0, read).ContainsAnyExcept((byte)0);
        }

        return isWritten;
    }

    private void Note(string file, long offset, string what)
    {
        if (!_problems.Exists(known => known.File == file && known.Offset == offset)) _problems.Add(new LogProblem(file, offset, what));
    }

    private long LengthOf(string name)
    {
        using IDiskFile file = _disk.Open(name);
        return file.Length;
    }
}
