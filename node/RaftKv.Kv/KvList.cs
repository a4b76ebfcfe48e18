using System.Collections.Immutable;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>
/// Asks a shard for keys in [Start, End), in byte order, of those hashes of <paramref name="Range"/> that it owns: a bounded number, by a bounded amount of
/// work. What is left is asked for again from where the answer says.
/// </summary>
/// <param name="Start">The first key wanted; empty is the very first.</param>
/// <param name="End">Empty: none.</param>
/// <param name="Revision">Of the state to read, 0 for the newest; so that later chunks show the shard as the first one did.</param>
/// <param name="MaxRows">At least 1.</param>
/// <param name="MaxBytes">Of keys and values. A first value above it is left out; so one row can always be given.</param>
/// <remarks>
/// <code>
/// flags u8 (1 = no values, 2 = only count) | range start u64 | range end u64 | revision u64 | max rows u32 | max bytes u32 | start (block) | end (block)
/// </code>
/// </remarks>
public sealed record KvListRequest(HashRange Range, ReadOnlyMemory<byte> Start, ReadOnlyMemory<byte> End, ulong Revision, uint MaxRows, uint MaxBytes, bool KeysOnly = false, bool CountOnly = false)
{
    private const byte KeysOnlyFlag = 1;
    private const byte CountOnlyFlag = 2;

    public byte[] Encode()
    {
        ByteWriter writer = new(41 + Start.Length + End.Length);
        writer.U8((byte)((KeysOnly ? KeysOnlyFlag : 0) | (CountOnly ? CountOnlyFlag : 0)));
        writer.U64(Range.Start);
        writer.U64(Range.End);
        writer.U64(Revision);
        writer.U32(MaxRows);
        writer.U32(MaxBytes);
        writer.Block(Start.Span);
        writer.Block(End.Span);
        return writer.ToArray();
    }

    /// <summary>Throws <see cref="MalformedException"/>.</summary>
    public static KvListRequest Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        byte flags = reader.U8();
        if (flags > (KeysOnlyFlag | CountOnlyFlag)) throw new MalformedException($"list flags {flags:x2}");
        HashRange range = ReadRange(ref reader);
        ulong revision = reader.U64();
        uint maxRows = reader.U32();
        if (maxRows == 0) throw new MalformedException("a list of no rows");
        uint maxBytes = reader.U32();
        KvListRequest request = new(range, reader.Block(), reader.Block(), revision, maxRows, maxBytes, (flags & KeysOnlyFlag) != 0, (flags & CountOnlyFlag) != 0);
        reader.ExpectEnd();
        return request;
    }

    internal static HashRange ReadRange(ref ByteReader reader)
    {
        ulong start = reader.U64();
        ulong end = reader.U64();
        if (end != 0 && start >= end) throw new MalformedException($"hash range from {start:x16} to {end:x16}");
        return new HashRange(start, end);
    }
}

/// <summary>One key of a list, with the version that stands at the list's revision.</summary>
/// <param name="IsValueLeftOut">It was too large to come along; a get of the key at the list's revision (<see cref="KvListChunk.Revision"/>) finds it; at its own, which may be long ago, history may have been compacted.</param>
public readonly record struct KvRow(ReadOnlyMemory<byte> Key, ulong Revision, ulong Created, ulong Version, ulong TtlMillis, bool IsValueLeftOut, ReadOnlyMemory<byte> Value);

/// <summary>A shard's answer to a <see cref="KvListRequest"/>.</summary>
/// <param name="Covered">Of the hashes wanted those that the shard owns: it says nothing of others.</param>
/// <param name="Revision">Of the state that was read.</param>
/// <param name="Next">The first key that was not looked at; null: there is none below the end.</param>
/// <param name="Count">How many keys were found; <paramref name="Rows"/> are all of them, or none if only counted.</param>
/// <remarks>
/// <code>
/// covered start u64 | covered end u64 | revision u64 | has next u8 | next (block) | count u64 | row count u32 | row…
/// row: key (block) | revision u64 | created u64 | version u64 | ttl ms u64 | value left out u8 | value (block)
/// </code>
/// </remarks>
public sealed record KvListChunk(HashRange Covered, ulong Revision, ReadOnlyMemory<byte>? Next, ulong Count, ImmutableArray<KvRow> Rows)
{
    private const int LeastRowBytes = 41;

    public byte[] Encode()
    {
        ByteWriter writer = new(41 + Rows.Sum(row => LeastRowBytes + row.Key.Length + row.Value.Length));
        writer.U64(Covered.Start);
        writer.U64(Covered.End);
        writer.U64(Revision);
        writer.U8(Next is null ? (byte)0 : (byte)1);
        writer.Block((Next ?? default).Span);
        writer.U64(Count);
        writer.U32((uint)Rows.Length);
        foreach (KvRow row in Rows)
        {
            writer.Block(row.Key.Span);
            writer.U64(row.Revision);
            writer.U64(row.Created);
            writer.U64(row.Version);
            writer.U64(row.TtlMillis);
            writer.U8(row.IsValueLeftOut ? (byte)1 : (byte)0);
            writer.Block(row.Value.Span);
        }

        return writer.ToArray();
    }

    /// <summary>Throws <see cref="MalformedException"/>.</summary>
    public static KvListChunk Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        HashRange covered = KvListRequest.ReadRange(ref reader);
        ulong revision = reader.U64();
        // Said with types: a bare null would become an empty key, and the list would begin anew for ever.
        bool hasNext = reader.U8() != 0;
        ReadOnlyMemory<byte> block = reader.Block();
        ReadOnlyMemory<byte>? next = hasNext ? block : default(ReadOnlyMemory<byte>?);
        ulong count = reader.U64();
        KvRow[] rows = new KvRow[reader.Count(LeastRowBytes)];
        for (int i = 0; i < rows.Length; i++) rows[i] = new KvRow(reader.Block(), reader.U64(), reader.U64(), reader.U64(), reader.U64(), reader.U8() != 0, reader.Block());
        reader.ExpectEnd();
        return new KvListChunk(covered, revision, next, count, [.. rows]);
    }
}
