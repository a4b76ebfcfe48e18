using System.Collections.Immutable;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>One write of a batch, and at which position the client put it; a position and a log index name it for ever.</summary>
public readonly record struct KvBatchItem(uint Position, KvRequest Request);

/// <summary>
/// Those writes of a client's batch whose keys one shard owns. They travel as one log entry; each is applied or refused by itself, in
/// their order, and takes a revision of its own.
/// </summary>
/// <param name="Fingerprint">Of the whole batch as the client sent it, with what other shards got: <see cref="FingerprintOf"/>.</param>
/// <param name="Items">At least one put or delete without an idempotency key; positions ascend.</param>
/// <remarks>
/// <code>
/// fingerprint u64 | item count u32 | item…
/// item: position u32 | request (block)
/// </code>
/// </remarks>
public sealed record KvBatch(ulong Fingerprint, ImmutableArray<KvBatchItem> Items)
{
    private const int LeastItemBytes = 8;

    /// <summary>Of all items in their order, so that a batch sent again under its idempotency key can be told from another.</summary>
    public static ulong FingerprintOf(IReadOnlyList<KvRequest> items)
    {
        ByteWriter hashes = new(8 * items.Count);
        foreach (KvRequest item in items) hashes.U64(XxHash64.Hash(item.Encode()));
        return XxHash64.Hash(hashes.Written);
    }

    public byte[] Encode()
    {
        ByteWriter writer = new(12 + Items.Sum(item => 64 + item.Request.Key.Length + item.Request.Value.Length));
        writer.U64(Fingerprint);
        writer.U32((uint)Items.Length);
        foreach (KvBatchItem item in Items)
        {
            writer.U32(item.Position);
            writer.Block(item.Request.Encode());
        }

        return writer.ToArray();
    }

    /// <summary>Throws <see cref="MalformedException"/>.</summary>
    public static KvBatch Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        ulong fingerprint = reader.U64();
        KvBatchItem[] items = new KvBatchItem[reader.Count(LeastItemBytes)];
        if (items.Length == 0) throw new MalformedException("a batch without items");
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = new KvBatchItem(reader.U32(), KvRequest.Decode(reader.Block()));
            if (i > 0 && items[i].Position <= items[i - 1].Position) throw new MalformedException("items of a batch are not in ascending order");
            if (items[i].Request is not { Operation: KvOperation.Put or KvOperation.Delete, IdempotencyKey.IsEmpty: true }) throw new MalformedException($"a {items[i].Request.Operation} with a key of its own, or no write, in a batch");
        }

        reader.ExpectEnd();
        return new KvBatch(fingerprint, [.. items]);
    }
}

/// <summary>Gets of a batch whose keys one shard owns, served from one state.</summary>
/// <param name="MaxValueBytes">Of all values together; gets behind the one that does not fit are not answered.</param>
/// <param name="Gets">At least one.</param>
/// <remarks>
/// <code>
/// max value bytes u32 | count u32 | request (block)…
/// </code>
/// </remarks>
public sealed record KvGets(uint MaxValueBytes, ImmutableArray<KvRequest> Gets)
{
    private const int LeastBytes = 4;

    public byte[] Encode()
    {
        ByteWriter writer = new(8 + Gets.Sum(get => 64 + get.Key.Length));
        writer.U32(MaxValueBytes);
        writer.U32((uint)Gets.Length);
        foreach (KvRequest get in Gets) writer.Block(get.Encode());
        return writer.ToArray();
    }

    /// <summary>Throws <see cref="MalformedException"/>.</summary>
    public static KvGets Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        uint maxValueBytes = reader.U32();
        KvRequest[] gets = new KvRequest[reader.Count(LeastBytes)];
        if (gets.Length == 0) throw new MalformedException("nothing to get");
        for (int i = 0; i < gets.Length; i++)
        {
            gets[i] = KvRequest.Decode(reader.Block());
            if (gets[i].Operation != KvOperation.Get) throw new MalformedException($"a {gets[i].Operation} among gets");
        }

        reader.ExpectEnd();
        return new KvGets(maxValueBytes, [.. gets]);
    }
}
