using RaftKv.Contracts;
using RaftKv.MultiRaft.Ports;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>A shard's own state beside its rows; written in the same batch as what it covers.</summary>
/// <param name="Applied">The last entry applied, and <paramref name="AppliedTerm"/> its term.</param>
/// <param name="Revision">The last revision assigned.</param>
/// <param name="ShardTimeMillis">The largest stamp applied (design §9).</param>
/// <param name="ChainHash">XXH64 chained over (this, canonical batch) of everything applied; equal on all replicas at equal index.</param>
/// <param name="DedupFloorMillis">The newest timestamp of an expired UUIDv7 idempotency key; keys at or below it without a record are refused.</param>
/// <param name="DedupRecords">How many dedup records there are, and <paramref name="DedupBytes"/> their size.</param>
/// <param name="CompactRevision">Versions superseded at or before this revision are given up: reads below it are refused (design §7).</param>
/// <param name="SweptRevision">Up to here their rows are gone; ≤ <paramref name="CompactRevision"/>.</param>
/// <param name="WrittenBytes">Keys and values of all versions ever written.</param>
/// <remarks>
/// <code>
/// format u8 (3) | applied u64 | applied term u64 | revision u64 | shard time u64 | chain hash u64 | range start u64 | range end u64
/// | epoch version u64 | epoch conf version u64 | dedup floor ms u64 | dedup records u64 | dedup bytes u64
/// | compact revision u64 | swept revision u64 | written bytes u64        (not in format 1: all 0)
///
/// Formats 1 and 2 are still read; of 2 only rows of the change index differ.
/// </code>
/// </remarks>
public readonly record struct ShardMeta(
    LogIndex Applied,
    Term AppliedTerm,
    ulong Revision,
    ulong ShardTimeMillis,
    ulong ChainHash,
    HashRange Range,
    ShardEpoch Epoch,
    ulong DedupFloorMillis,
    ulong DedupRecords,
    ulong DedupBytes,
    ulong CompactRevision = 0,
    ulong SweptRevision = 0,
    ulong WrittenBytes = 0)
{
    private const byte FormatVersion = 3;
    private const byte WithoutHistory = 1;

    /// <summary>Where every shard's log begins: after a snapshot at index 10 of term 5 (design §8).</summary>
    public static readonly LogIndex BirthIndex = new(10);

    public static readonly Term BirthTerm = new(5);

    public static ShardMeta AtBirth(ShardDescription shard) => new(BirthIndex, BirthTerm, 0, 0, 0, shard.Range, shard.Epoch, 0, 0, 0);

    /// <summary>Reads a store's meta row. Throws <see cref="StoreDamagedException"/> when it is missing or malformed.</summary>
    public static ShardMeta ReadFrom(IOrderedStore store, GroupId group) => Parse(store.Get(RowLayout.MetaKey), group);

    /// <summary>The same, as a crash right now would leave it.</summary>
    public static ShardMeta ReadFlushed(IOrderedStore store, GroupId group) => Parse(store.GetPersisted(RowLayout.MetaKey), group);

    private static ShardMeta Parse(byte[]? row, GroupId group)
    {
        byte[] bytes = row ?? throw new StoreDamagedException($"{group}: the store has no meta row");
        try
        {
            ByteReader reader = new(bytes);
            byte format = reader.U8();
            if (format is < WithoutHistory or > FormatVersion) throw new MalformedException($"meta format {format}, this build knows {WithoutHistory} to {FormatVersion}");
            ShardMeta meta = new(new LogIndex(reader.U64()), new Term(reader.U64()), reader.U64(), reader.U64(), reader.U64(),
                ReadRange(ref reader), new ShardEpoch(reader.U64(), reader.U64()), reader.U64(), reader.U64(), reader.U64());
            if (format != WithoutHistory) meta = meta with { CompactRevision = reader.U64(), SweptRevision = reader.U64(), WrittenBytes = reader.U64() };
            reader.ExpectEnd();
            return meta;
        }
        catch (MalformedException malformed)
        {
            throw new StoreDamagedException($"{group}: meta row: {malformed.Message}", malformed);
        }
    }

    private static HashRange ReadRange(ref ByteReader reader)
    {
        ulong start = reader.U64();
        ulong end = reader.U64();
        if (end != 0 && start >= end) throw new MalformedException($"range from {start:x16} to {end:x16}");
        return new HashRange(start, end);
    }

    public void Write(ByteWriter writer)
    {
        writer.U8(FormatVersion);
        writer.U64(Applied.Value);
        writer.U64(AppliedTerm.Value);
        writer.U64(Revision);
        writer.U64(ShardTimeMillis);
        writer.U64(ChainHash);
        writer.U64(Range.Start);
        writer.U64(Range.End);
        writer.U64(Epoch.Version);
        writer.U64(Epoch.ConfVersion);
        writer.U64(DedupFloorMillis);
        writer.U64(DedupRecords);
        writer.U64(DedupBytes);
        writer.U64(CompactRevision);
        writer.U64(SweptRevision);
        writer.U64(WrittenBytes);
    }
}
