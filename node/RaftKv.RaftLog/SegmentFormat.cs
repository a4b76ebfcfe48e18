using System.Buffers.Binary;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.RaftLog;

/// <summary>What a log record says. The numbers are on disk.</summary>
internal enum RecordKind : byte
{
    Entry = 1,
    HardState = 2,
    CommitPoint = 3,
    Initialised = 4,
    Tombstone = 5,
    FirstSegment = 6,
}

/// <summary>The raft log on disk. All integers are little-endian, all blocks are 4 KiB whatever the host's sector or page size.</summary>
/// <remarks>
/// A segment file <c>&lt;sequence, 16 hex digits&gt;.log</c> is a header block, then batches, then zeros or what the file held in a former life,
/// when it was called <c>spare-&lt;sequence then&gt;</c> in between.
/// <code>
/// segment header (one block)
///   0  magic "RKVL" u32 | 4 format version u16 | 6 zero u16 | 8 sequence u64 | 16 salt u64 | 24 first batch number u64
///  32  CRC-32C of bytes 0…31, u32 | zeros
///
/// batch (starts at a block boundary; zeros up to the next one follow it)
///   0  magic "RKVB" u32
///   4  CRC-32C of bytes 8…27 under the segment's seal, u32
///   8  batch number u64, one more than the batch before, across segments
///  16  length of the records in bytes u32 | 20 record count u32 | 24 CRC-32C of the records u32
///  28  records
///
/// record
///   0  length of what follows the checksum u32
///   4  CRC-32C of what follows under the segment's seal, u32
///   8  kind u8 | 9 feature level u8 | 10 group u64 | 18 replica u64 | 26 write sequence u64 (per group, growing)
///  34  body
///        Entry        index u64 | term u64 | entry kind u8 | stamp ms u64 | revision floor u64 | payload
///        HardState    term u64 | vote u64 | commit u64
///        CommitPoint  generation u64 | index u64 | term u64 | epoch version u64 | epoch conf version u64
///                     | keeps log behind u8 (0, 1) | configuration
///        Tombstone    – (the record's replica is the highest that was removed)
///        Initialised  cluster id u64 | node u64 | disk id u64 | name (block) | initial shard map (block)
///        FirstSegment sequence u64: older segments no longer count (group, replica and write sequence 0)
///
/// A record carried forward from an older segment is the same but for its checksum.
/// </code>
/// The seal mixes the segment's sequence number, its random salt and the format version into every checksum: records of a
/// recycled file's former life, and a client's value that looks like a batch, never pass for records.
/// </remarks>
internal static class SegmentFormat
{
    public const int BlockBytes = 4096;
    public const int BatchHeaderBytes = 28;
    public const int RecordHeaderBytes = 8;
    public const int RecordPrefixBytes = RecordHeaderBytes + 26;
    public const int EntryBodyBytes = 33;
    public const ushort FormatVersion = 1;
    private const uint SegmentMagic = 0x4C564B52; // "RKVL"
    private const uint BatchMagic = 0x42564B52; // "RKVB"
    private const int SegmentHeaderBytes = 36;

    /// <summary>Bytes up to the block boundary behind a batch.</summary>
    public static long SpanOf(long batchBytes) => (batchBytes + BlockBytes - 1) / BlockBytes * BlockBytes;

    public static ulong SealOf(ulong sequence, ulong salt)
    {
#if MUTANTS
        if (Mutants.On(Mutant.RecycledRecordAccepted)) return FormatVersion;
#endif
        return new SplitMix(sequence ^ salt).Next() ^ FormatVersion;
    }

    public static bool IsBatchMagic(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes) == BatchMagic;

    public static void WriteSegmentHeader(ByteWriter writer, in SegmentHeader header)
    {
        int start = writer.Length;
        writer.U32(SegmentMagic);
        writer.U16(FormatVersion);
        writer.U16(0);
        writer.U64(header.Sequence);
        writer.U64(header.Salt);
        writer.U64(header.FirstBatch);
        writer.U32(Crc32C.Of(writer.Written[start..]));
        writer.PadTo(BlockBytes);
    }

    /// <summary>Parses a header block; null with a reason when it is none.</summary>
    public static SegmentHeader? ReadSegmentHeader(ReadOnlyMemory<byte> block, out string reason)
    {
        reason = "the file is shorter than a segment header";
        if (block.Length < SegmentHeaderBytes) return null;
        ByteReader reader = new(block);
        reason = "no segment magic";
        if (reader.U32() != SegmentMagic) return null;
        ushort version = reader.U16();
        reader.U16();
        SegmentHeader header = new(reader.U64(), reader.U64(), reader.U64());
        reason = "segment header checksum";
        if (reader.U32() != Crc32C.Of(block.Span[..32])) return null;
        reason = $"format version {version}, this build knows {FormatVersion}";
        return version == FormatVersion ? header : null;
    }

    /// <summary>Begins a batch in an empty writer; add records and call <see cref="FinishBatch"/>.</summary>
    public static void BeginBatch(ByteWriter writer) => writer.Take(BatchHeaderBytes).Clear();

    /// <summary>Seals the records in the writer for a segment, and then the batch of them.</summary>
    public static void FinishBatch(ByteWriter writer, ulong seal, ulong number)
    {
        int records = SealRecords(writer, seal);
        Span<byte> header = stackalloc byte[BatchHeaderBytes];
        int length = writer.Length - BatchHeaderBytes;
        BinaryPrimitives.WriteUInt32LittleEndian(header, BatchMagic);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], number);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], length);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], records);
        BinaryPrimitives.WriteUInt32LittleEndian(header[24..], Crc32C.Of(writer.Written[BatchHeaderBytes..]));
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], Crc32C.Of(seal, header[8..]));
        writer.Patch(0, header);
        writer.PadTo(BlockBytes);
    }

    /// <summary>Parses a batch header; null when the bytes are none of this segment's.</summary>
    public static BatchHeader? ReadBatchHeader(ReadOnlySpan<byte> bytes, ulong seal)
    {
        if (bytes.Length < BatchHeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != BatchMagic) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) != Crc32C.Of(seal, bytes[8..BatchHeaderBytes])) return null;
        return new BatchHeader(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
    }

    /// <summary>Starts a record; returns where it starts, for <see cref="FinishRecord"/>.</summary>
    public static int BeginRecord(ByteWriter writer, RecordKind kind, byte featureLevel, GroupId group, ReplicaId replica, ulong writeSequence)
    {
        int start = writer.Length;
        writer.U32(0);
        writer.U32(0);
        writer.U8((byte)kind);
        writer.U8(featureLevel);
        writer.U64(group.Value);
        writer.U64(replica.Value);
        writer.U64(writeSequence);
        return start;
    }

    /// <summary>Ends the record; its checksum comes with <see cref="FinishBatch"/>, when it is settled which segment takes it.</summary>
    public static void FinishRecord(ByteWriter writer, int start) => writer.PatchU32(start, (uint)(writer.Length - start - RecordHeaderBytes));

#if MUTANTS
    public static void PatchWriteSequence(ByteWriter writer, int start, ulong writeSequence)
    {
        writer.PatchU32(start + RecordPrefixBytes - 8, (uint)writeSequence);
        writer.PatchU32(start + RecordPrefixBytes - 4, (uint)(writeSequence >> 32));
    }
#endif

    private static int SealRecords(ByteWriter writer, ulong seal)
    {
        int records = 0;
        for (int start = BatchHeaderBytes; start < writer.Length; records++)
        {
            int covered = BinaryPrimitives.ReadInt32LittleEndian(writer.Written[start..]);
            writer.PatchU32(start + 4, Crc32C.Of(seal, writer.Written.Slice(start + RecordHeaderBytes, covered)));
            start += RecordHeaderBytes + covered;
        }

        return records;
    }

    /// <summary>Reads the record at the front of <paramref name="bytes"/>. Throws <see cref="MalformedException"/> when it is none of this segment's.</summary>
    public static Record ReadRecord(ReadOnlyMemory<byte> bytes, ulong seal)
    {
        ByteReader reader = new(bytes);
        uint length = reader.U32();
        uint checksum = reader.U32();
        if (length < RecordPrefixBytes - RecordHeaderBytes || length > reader.Remaining) throw new MalformedException($"record of {length} bytes, {reader.Remaining} remain");
        ReadOnlyMemory<byte> covered = bytes.Slice(RecordHeaderBytes, (int)length);
        if (Crc32C.Of(seal, covered.Span) != checksum) throw new MalformedException("record checksum");
        RecordKind kind = (RecordKind)reader.U8();
        return new Record(kind, reader.U8(), new GroupId(reader.U64()), new ReplicaId(reader.U64()), reader.U64(), covered);
    }

    public static void WriteEntry(ByteWriter writer, in Entry entry)
    {
        writer.U64(entry.Index.Value);
        writer.U64(entry.Term.Value);
        writer.U8((byte)entry.Kind);
        writer.U64(entry.StampMillis);
        writer.U64(entry.RevisionFloor);
        writer.Raw(entry.Payload.Span);
    }

    public static Entry ReadEntry(in Record record)
    {
        ByteReader reader = new(record.Body);
        LogIndex index = new(reader.U64());
        Term term = new(reader.U64());
        EntryKind kind = (EntryKind)reader.U8();
        return new Entry(index, term, kind, record.FeatureLevel, reader.U64(), reader.U64(), record.Body[EntryBodyBytes..]);
    }

    public static HardState ReadHardState(in Record record)
    {
        ByteReader reader = new(record.Body);
        return new HardState(new Term(reader.U64()), new ReplicaId(reader.U64()), new LogIndex(reader.U64()));
    }

    public static void WriteCommitPoint(ByteWriter writer, CommitPoint point, bool keepsLogBehind)
    {
        writer.U64(point.Generation);
        writer.U64(point.Index.Value);
        writer.U64(point.Term.Value);
        writer.U64(point.EpochVersion);
        writer.U64(point.EpochConfVersion);
        writer.U8(keepsLogBehind ? (byte)1 : (byte)0);
        ConfigurationCodec.Write(writer, point.Configuration);
    }

    public static CommitPoint ReadCommitPoint(in Record record, out bool keepsLogBehind)
    {
        ByteReader reader = new(record.Body);
        ulong generation = reader.U64();
        LogIndex index = new(reader.U64());
        Term term = new(reader.U64());
        ulong version = reader.U64();
        ulong confVersion = reader.U64();
        byte keeps = reader.U8();
        if (keeps > 1) throw new MalformedException($"a commit point that keeps the log behind: {keeps}, not 0 or 1");
        keepsLogBehind = keeps == 1;
        return new CommitPoint(record.Replica, generation, index, term, ConfigurationCodec.Read(ref reader), version, confVersion);
    }

    public static void WriteFirstSegment(ByteWriter writer, ulong sequence)
    {
        int start = BeginRecord(writer, RecordKind.FirstSegment, 0, default, default, 0);
        writer.U64(sequence);
        FinishRecord(writer, start);
    }

    public static ulong ReadFirstSegment(in Record record) => new ByteReader(record.Body).U64();

    public static void WriteIdentity(ByteWriter writer, DiskIdentity identity)
    {
        writer.U64(identity.ClusterId);
        writer.U64(identity.Node.Value);
        writer.U64(identity.DiskId);
        writer.Text(identity.Name);
        writer.Block(identity.InitialMap.Span);
    }

    public static DiskIdentity ReadIdentity(in Record record)
    {
        ByteReader reader = new(record.Body);
        return new DiskIdentity(reader.U64(), new NodeId(reader.U64()), reader.U64(), reader.Text(), reader.Block());
    }
}

internal readonly record struct SegmentHeader(ulong Sequence, ulong Salt, ulong FirstBatch)
{
    public ulong Seal => SegmentFormat.SealOf(Sequence, Salt);
}

internal readonly record struct BatchHeader(ulong Number, uint Length, uint Records, uint Checksum)
{
    /// <summary>Bytes from this batch's start to the next block boundary after it.</summary>
    public long SpanBytes => SegmentFormat.SpanOf(SegmentFormat.BatchHeaderBytes + (long)Length);
}

/// <summary>One parsed record; <see cref="Covered"/> is what its checksum covers, everything but itself and the length.</summary>
internal readonly record struct Record(RecordKind Kind, byte FeatureLevel, GroupId Group, ReplicaId Replica, ulong WriteSequence, ReadOnlyMemory<byte> Covered)
{
    public ReadOnlyMemory<byte> Body => Covered[(SegmentFormat.RecordPrefixBytes - SegmentFormat.RecordHeaderBytes)..];

    /// <summary>Size on disk.</summary>
    public int TotalBytes => SegmentFormat.RecordHeaderBytes + Covered.Length;
}
