using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// Gives back the oldest segment when little of it still counts: that little is written again into the batches that are due anyway,
/// under its original write sequence, and the last of these batches says which segment is the oldest now. When that one is durable the
/// file becomes a spare.
/// </summary>
/// <remarks>
/// Strictly oldest first, and only what counts is copied; <see cref="GroupReplay"/> says why recovery needs both. A step is bounded, so that
/// no batch waits for a whole segment's worth. Owned by PERSIST.
/// </remarks>
internal sealed class SegmentFreeing(SegmentSet segments, LiveRecords live, RaftLogOptions options, ulong first)
{
    /// <summary>
    /// A segment is carried forward when at most this part of it counts. Each of its bytes that is written again buys three; at a half it
    /// would buy one. What pins more is truncated by the host, which <see cref="LogUsage"/> tells whom to ask, if it can be.
    /// </summary>
    public const int LiveShare = 4;

    /// <summary>
    /// A batch carries up to this part of a segment (256 KiB of 64 MiB, one write of a few hundred microseconds), or half as much again as
    /// it holds itself: then a segment's worth of batches carries a third of a segment, more than <see cref="LiveShare"/>, and
    /// freeing keeps pace with writing.
    /// </summary>
    private const int StepShare = 256;

    private readonly List<CarriedRecord> _carried = [];
    private byte[] _bytes = [];
    private ulong _announced;

    /// <summary>The oldest segment that counts, as a durable record says.</summary>
    public ulong First { get; private set; } = first;

    /// <summary>What the batch being gathered carries.</summary>
    public List<CarriedRecord> Carried => _carried;

    /// <summary>
    /// Above the budget whatever counts is carried, for who was to truncate cannot: groups without a majority apply nothing and flush nothing, and must not
    /// keep what all others have written since. It costs more, but the log stays near its budget unless more than that counts.
    /// </summary>
    private long MaxLiveBytes => segments.Bytes > options.BudgetBytes ? options.SegmentBytes : options.SegmentBytes / LiveShare;

    /// <summary>Before a batch is written: adds what of the oldest segment is to be carried, and, with the last of it, which segment is the oldest then.</summary>
    public void Gather(ByteWriter batch)
    {
        Segment oldest = segments.Oldest;
        _announced = First;
        if (oldest == segments.Current || oldest.Sequence < First || oldest.LiveBytes > MaxLiveBytes) return;
        if (oldest.LiveBytes > 0 && Carry(oldest, batch) < oldest.LiveBytes) return;
        _announced = segments.SecondOldest.Sequence;
        SegmentFormat.WriteFirstSegment(batch, _announced);
#if MUTANTS
        if (Mutants.On(Mutant.SegmentFreedBeforeCarrySynced)) segments.FreeOldest();
#endif
    }

    /// <summary>The batch is durable and its records are placed: frees the oldest segment if that is due, unless somebody still reads there.</summary>
    public void Finish()
    {
        _carried.Clear();
        First = _announced;
        if (segments.Oldest.Sequence < First && live.IsDone(segments.Oldest)) segments.FreeOldest();
    }

    /// <summary>Copies live records of the segment into the batch, as many as one step takes but at least one. Returns their bytes.</summary>
    private long Carry(Segment segment, ByteWriter batch)
    {
        Step step = new(segment, batch, Math.Max(options.SegmentBytes / StepShare, batch.Length / 2));
        if (live.Identity is { } identity && !TryCarry(ref step, new(RecordKind.Initialised, null, default, identity, batch.Length))) return step.Bytes;
        foreach (GroupLog log in live.Groups)
        {
            if (log.HardStatePlace is { } hardState && !TryCarry(ref step, new(RecordKind.HardState, log, default, hardState, batch.Length))) return step.Bytes;
            if (log.CommitPointPlace is { } point && !TryCarry(ref step, new(RecordKind.CommitPoint, log, default, point, batch.Length))) return step.Bytes;
            if (log.TombstonePlace is { } tombstone && !TryCarry(ref step, new(RecordKind.Tombstone, log, default, tombstone, batch.Length))) return step.Bytes;
            LogIndex index = log.First;
            for (int left = log.EntriesIn(segment); left > 0; index = index.Next)
            {
                RecordPlace place = log.PlaceOf(index).Record;
                if (place.Segment != segment) continue;
                if (!TryCarry(ref step, new(RecordKind.Entry, log, index, place, batch.Length))) return step.Bytes;
                left--;
            }
        }

        return step.Bytes;
    }

    /// <summary>Copies the record if it lies in the step's segment. False when the step is full.</summary>
    private bool TryCarry(ref Step step, in CarriedRecord record)
    {
        RecordPlace from = record.From;
        if (from.Segment != step.Segment) return true;
        if (step.Bytes > 0 && step.Bytes + from.Bytes > step.MaxBytes) return false;
        ReadBack(record);
        step.Batch.Raw(_bytes.AsSpan(0, from.Bytes));
#if MUTANTS
        if (Mutants.On(Mutant.CarriedRecordTruncates) && record.Log is { } log) SegmentFormat.PatchWriteSequence(step.Batch, record.Start, log.TakeWriteSequence());
#endif
        _carried.Add(record);
        step.Bytes += from.Bytes;
        return true;
    }

    /// <summary>What does not check, or is another record, is rot: it must not be sealed anew. Throws <see cref="LogCorruptException"/>.</summary>
    private void ReadBack(in CarriedRecord carried)
    {
        RecordPlace from = carried.From;
        if (_bytes.Length < from.Bytes) _bytes = new byte[from.Bytes];
        int read = from.Segment.File.Read(from.Offset, _bytes.AsSpan(0, from.Bytes));
        try
        {
            Record record = SegmentFormat.ReadRecord(_bytes.AsMemory(0, read), from.Segment.Header.Seal);
            bool isSame = record.Kind == carried.Kind && record.TotalBytes == from.Bytes && record.WriteSequence == from.WriteSequence && (carried.Log is null || record.Group == carried.Log.Group);
            if (!isSame) throw new MalformedException($"{record.Kind} {record.WriteSequence} of {record.Group} where {carried.Kind} {from.WriteSequence} of {carried.Log?.Group} was written");
        }
        catch (MalformedException malformed)
        {
            throw new LogCorruptException(from.Segment.File.Name, from.Offset, malformed.Message);
        }
    }

    private struct Step(Segment segment, ByteWriter batch, long maxBytes)
    {
        public readonly Segment Segment => segment;

        public readonly ByteWriter Batch => batch;

        public readonly long MaxBytes => maxBytes;

        public long Bytes { get; set; }
    }
}
