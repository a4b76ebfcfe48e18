using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>
/// The segment files in the order of their sequence, the last of which is written, and the spare files that become segments again.
/// </summary>
/// <remarks>
/// A file is called by its sequence only while it counts:
/// <code>
/// (new) ──▶ segment.new ──▶ 0000000000000005.log ──▶ spare-0000000000000005
///                 ▲                                           │
///                 └───────────────────────────────────────────┘
/// </code>
/// Header synced before it gets its name, name synced before the first batch; the name of a spare synced before the file is written again.
/// Owned by PERSIST; <see cref="Oldest"/> and <see cref="Bytes"/> for any thread.
/// </remarks>
internal sealed class SegmentSet : IDisposable
{
    /// <summary>More are deleted.</summary>
    public const int MaxSpares = 2;

    /// <summary>
    /// The last spare is for a full disk: its blocks are allocated, so that the log can roll, and deletions can go on, until there is room
    /// again (design §10).
    /// </summary>
    private const int ReservedSpares = 1;

    private readonly IDisk _disk;
    private readonly RaftLogOptions _options;
    private readonly SplitMix _salts;
    private readonly List<string> _spares;
    private volatile Segment[] _segments;
    private long _writeOffset;
    private long _zeroedTo;
    private byte[] _zeros = [];

    /// <summary>Goes on where recovery ended; what it found to count no more becomes spare.</summary>
    public SegmentSet(IDisk disk, RaftLogOptions options, ulong saltSeed, LogRecovery recovery)
    {
        _disk = disk;
        _options = options;
        _salts = new SplitMix(saltSeed);
        _segments = [.. recovery.Segments];
        _spares = [.. disk.List().Where(SegmentNames.IsSpare)];
        if (recovery.Retired.Count > 0)
        {
            foreach (ulong retired in recovery.Retired) Retire(retired);
            _disk.SyncDirectory();
        }

        for (; _spares.Count > MaxSpares; _spares.RemoveAt(_spares.Count - 1)) _disk.Delete(_spares[^1]);
        if (_segments.Length == 0)
        {
            Add(sequence: 1, firstBatch: 1);
        }
        else
        {
            _writeOffset = recovery.EndOffset;
            _zeroedTo = Math.Max(recovery.EndOffset, Current.Bytes);
        }
    }

    public Segment Current => _segments[^1];

    /// <summary>The current one when there is no other.</summary>
    public Segment Oldest => _segments[0];

    /// <summary>The one after the oldest; there has to be one.</summary>
    public Segment SecondOldest => _segments[1];

    /// <summary>Size of all segments but the spare ones.</summary>
    public long Bytes => _segments.Sum(segment => segment.Bytes);

    /// <summary>Whether a batch fits into the current segment. One alone always does.</summary>
    public bool HasRoomFor(long span) => _writeOffset == SegmentFormat.BlockBytes || _writeOffset + span <= _options.SegmentBytes;

    /// <summary>Begins a new segment, which is current from now on.</summary>
    public void Roll(ulong firstBatch) => Add(Current.Sequence + 1, firstBatch);

    /// <summary>Writes a batch of whole blocks behind the last one and syncs it; returns where it lies. On return it is durable.</summary>
    public long Append(ReadOnlySpan<byte> batch)
    {
        long offset = _writeOffset;
        ZeroAhead(batch.Length);
        Current.File.Write(offset, batch);
        Current.File.Sync();
        _writeOffset += batch.Length;
        Current.Bytes = Math.Max(_zeroedTo, _writeOffset);
        return offset;
    }

    /// <summary>The oldest segment becomes a spare. Nothing may count there any more, durably, and nobody may read it.</summary>
    public void FreeOldest()
    {
        Segment oldest = Oldest;
        Invariant.Holds(oldest != Current, $"the current segment {oldest} must not be freed");
        _segments = _segments[1..];
        oldest.File.Dispose();
        Retire(oldest.Sequence);
        _disk.SyncDirectory();
    }

    public void Dispose()
    {
        foreach (Segment segment in _segments) segment.File.Dispose();
    }

    /// <summary>What a crash left of a segment that never got its name.</summary>
    public static void DeleteLeftover(IDisk disk)
    {
        if (disk.List().Contains(SegmentNames.New)) disk.Delete(SegmentNames.New);
    }

    private void Retire(ulong sequence)
    {
        if (_spares.Count >= MaxSpares)
        {
            _disk.Delete(SegmentNames.Of(sequence));
            return;
        }

        _disk.Rename(SegmentNames.Of(sequence), SegmentNames.SpareOf(sequence));
        _spares.Add(SegmentNames.SpareOf(sequence));
    }

    /// <summary>A segment gets its name only when its header is durable, so that a header that does not parse is rot, never a crash's trace.</summary>
    private void Add(ulong sequence, ulong firstBatch)
    {
        SegmentHeader header = new(sequence, _salts.Next(), firstBatch);
        ByteWriter block = new(SegmentFormat.BlockBytes);
        SegmentFormat.WriteSegmentHeader(block, header);
        using (IDiskFile file = TakeSpare() ?? _disk.Create(SegmentNames.New))
        {
            file.Write(0, block.Written);
            file.Sync();
        }

        _disk.Rename(SegmentNames.New, SegmentNames.Of(sequence));
        _disk.SyncDirectory();
        _segments = [.. _segments, new Segment(header, _disk.Open(SegmentNames.Of(sequence)))];
        _writeOffset = SegmentFormat.BlockBytes;
        _zeroedTo = Current.Bytes; // A recycled file has its blocks; what its former life left in them is sealed otherwise.
    }

    private IDiskFile? TakeSpare()
    {
        if (_spares.Count == 0) return null;
        if (_spares.Count <= ReservedSpares && _disk.FreeBytes >= 2 * _options.SegmentBytes) return null;
        string spare = _spares[0];
        _spares.RemoveAt(0);
        _disk.Rename(spare, SegmentNames.New);
        return _disk.Open(SegmentNames.New);
    }

    private void ZeroAhead(long span)
    {
        if (_writeOffset + span <= _zeroedTo) return;
        if (_zeros.Length != _options.ZeroAheadBytes) _zeros = new byte[_options.ZeroAheadBytes];
        Current.File.Write(_writeOffset + span, _zeros);
        _zeroedTo = _writeOffset + span + _zeros.Length;
    }
}
