using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>The answer to a request: a position, revisions and what was asked for; or an error with its outcome.</summary>
/// <remarks>
/// <code>
/// error code (text, empty = none) | detail (text) | node (text) | group u64 | epoch version u64 | epoch conf version u64
/// | term u64 | index u64 | revision u64 | prev revision u64 | created u64 | version u64 | existed u8 | flags u8 (1 replayed, 2 by lease) | ttl ms u64
/// | value (block) | leader hint u64 | age µs i64 (-1 = unknown, or not stale) | succeeded u8
/// | item count u32 | item…
/// an item is a response without items
/// </code>
/// </remarks>
public sealed record KvResponse
{
    /// <summary>Of an encoded response with nothing in its texts and value.</summary>
    private const int LeastBytes = 119;
    private const byte ReplayFlag = 1;
    private const byte LeaseFlag = 2;

    /// <summary>Null when the request succeeded.</summary>
    public ErrorCode? Error { get; init; }

    public string Detail { get; init; } = "";

    /// <summary>The node that served it.</summary>
    public string Node { get; init; } = "";

    public GroupId Group { get; init; }

    public ShardEpoch Epoch { get; init; } = ShardEpoch.Initial;

    public Term Term { get; init; }

    /// <summary>Of the entry, or the applied index of the state that a read was served from.</summary>
    public LogIndex Index { get; init; }

    /// <summary>
    /// Of the write, or the key's mod revision; after a refused condition the key's current one, 0 if absent; after a read that was refused for its
    /// revision the shard's newest one.
    /// </summary>
    public ulong Revision { get; init; }

    /// <summary>For a write: the revision of the value it replaced, 0 if none.</summary>
    public ulong PrevRevision { get; init; }

    /// <summary>The revision at which the key came into being.</summary>
    public ulong Created { get; init; }

    /// <summary>How often the key was written since; 1 at its creation.</summary>
    public ulong Version { get; init; }

    /// <summary>Whether the key had a value: found by a get, replaced by a put, deleted by a delete.</summary>
    public bool Existed { get; init; }

    /// <summary>The first result of an earlier attempt with the same idempotency key: position and revisions are the first one's.</summary>
    public bool IsReplay { get; init; }

    /// <summary>A read for which the leader relied on its lease.</summary>
    public bool IsByLease { get; init; }

    /// <summary>For a get: how much longer the value lives, at the state it was read from; 0 is for ever.</summary>
    public ulong TtlMillis { get; init; }

    /// <summary>
    /// What a get found; for a list a <see cref="KvListChunk"/>; for gets of which not even the first fitted what <see cref="UnfitBytes"/> reads; with an error what
    /// <see cref="Exceeded"/> reads.
    /// </summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>With no-leader: who leads as far as the answering node knows; default if it does not.</summary>
    public NodeId LeaderHint { get; init; }

    /// <summary>
    /// For a stale read: for how long at most the state it was served from may have lacked something committed, in µs, as of when it was asked
    /// for at the node that served it; null if that is not known, and for all else.
    /// </summary>
    public long? AgeMicros { get; init; }

    /// <summary>For a transaction: whether its comparisons held.</summary>
    public bool Succeeded { get; init; }

    /// <summary>For a request on several keys: what became of each item, in their order. If the whole was refused there are none.</summary>
    public ImmutableArray<KvResponse> Items { get; init; } = [];

    /// <summary>Of its values, its items' included.</summary>
    public long ValueBytes
    {
        get
        {
            long bytes = Value.Length;
            foreach (KvResponse item in Items) bytes += item.Value.Length;
            return bytes;
        }
    }

    public static KvResponse Fail(ErrorCode error, string detail, string node = "", GroupId group = default) =>
        new() { Error = error, Detail = detail, Node = node, Group = group };

    /// <summary>The leader's disk takes no puts.</summary>
    public static KvResponse OutOfSpace(DiskSpace space, string node, GroupId group)
    {
        string detail = $"node {node}, which leads shard {group.Value}, has {space.FreeBytes} bytes of disk free, and takes no puts below {space.FloorBytes}; deletes go on";
        return Fail(ErrorCode.OutOfSpace, detail, node, group).Over(space.FloorBytes, space.FreeBytes);
    }

    /// <summary>The same refusal with its limit and the actual value. The value carries them, limit u64 | actual u64: the format has no others to spare.</summary>
    public KvResponse Over(long limit, long actual)
    {
        byte[] numbers = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, limit);
        BinaryPrimitives.WriteInt64LittleEndian(numbers.AsSpan(8), actual);
        return this with { Value = numbers };
    }

    /// <summary>The length of the first value of several gets, when it alone was too much; null otherwise.</summary>
    public long? UnfitBytes => Items.IsEmpty && Value.Length == 8 ? BinaryPrimitives.ReadInt64LittleEndian(Value.Span) : null;

    internal KvResponse WithUnfit(long bytes)
    {
        byte[] number = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, bytes);
        return this with { Value = number };
    }

    /// <summary>The limit that refused the request, and the actual value; null where there is none.</summary>
    public (long Limit, long Actual)? Exceeded => Error is not null && Value.Length == 16
        ? (BinaryPrimitives.ReadInt64LittleEndian(Value.Span), BinaryPrimitives.ReadInt64LittleEndian(Value.Span[8..]))
        : null;

    /// <summary>A refusal that speaks of one attempt only: it says nothing about an earlier one.</summary>
    public bool IsOfThisAttemptOnly => Error is { Outcome: ErrorOutcome.NotApplied } error && error != ErrorCode.PreconditionFailed && error != ErrorCode.IdempotencyKeyReused;

    /// <summary>What this answer says of a write with an idempotency key of which an earlier attempt ended unknown (design §3.3).</summary>
    public KvResponse AfterUnknown()
    {
        if (IsOfThisAttemptOnly) return this with { Error = ErrorCode.OutcomeUnknown, Value = default, Detail = $"an earlier attempt may have been applied; the last one ended with {Error!.Code}: {Detail}" };
        return Items.IsEmpty ? this : this with { Items = [.. Items.Select(item => item.AfterUnknown())] };
    }

    public void Write(ByteWriter writer)
    {
        writer.Text(Error?.Code ?? "");
        writer.Text(Detail);
        writer.Text(Node);
        writer.U64(Group.Value);
        writer.U64(Epoch.Version);
        writer.U64(Epoch.ConfVersion);
        writer.U64(Term.Value);
        writer.U64(Index.Value);
        writer.U64(Revision);
        writer.U64(PrevRevision);
        writer.U64(Created);
        writer.U64(Version);
        writer.U8(Existed ? (byte)1 : (byte)0);
        writer.U8((byte)((IsReplay ? ReplayFlag : 0) | (IsByLease ? LeaseFlag : 0)));
        writer.U64(TtlMillis);
        writer.Block(Value.Span);
        writer.U64(LeaderHint.Value);
        writer.U64((ulong)(AgeMicros ?? -1));
        writer.U8(Succeeded ? (byte)1 : (byte)0);
        writer.U32((uint)Items.Length);
        foreach (KvResponse item in Items) item.Write(writer);
    }

    public static KvResponse Read(ref ByteReader reader)
    {
        KvResponse response = ReadOne(ref reader, out int items);
        if (items == 0) return response;
        KvResponse[] read = new KvResponse[items];
        for (int i = 0; i < items; i++)
        {
            read[i] = ReadOne(ref reader, out int nested);
            if (nested > 0) throw new MalformedException("items within an item");
        }

        return response with { Items = ImmutableCollectionsMarshal.AsImmutableArray(read) };
    }

    private static KvResponse ReadOne(ref ByteReader reader, out int items)
    {
        string code = reader.Text();
        byte flags;
        KvResponse response = new()
        {
            // A code this build does not know comes from a newer node; what it means for the outcome is unknown.
            Error = code.Length == 0 ? null : ErrorCode.Find(code) ?? ErrorCode.OutcomeUnknown,
            Detail = reader.Text(),
            Node = reader.Text(),
            Group = new GroupId(reader.U64()),
            Epoch = new ShardEpoch(reader.U64(), reader.U64()),
            Term = new Term(reader.U64()),
            Index = new LogIndex(reader.U64()),
            Revision = reader.U64(),
            PrevRevision = reader.U64(),
            Created = reader.U64(),
            Version = reader.U64(),
            Existed = reader.U8() != 0,
            IsReplay = ((flags = reader.U8()) & ReplayFlag) != 0,
            IsByLease = (flags & LeaseFlag) != 0,
            TtlMillis = reader.U64(),
            Value = reader.Block(),
            LeaderHint = new NodeId(reader.U64()),
            AgeMicros = (long)reader.U64() is >= 0 and var age ? age : null,
            Succeeded = reader.U8() != 0,
        };
        items = reader.Count(LeastBytes);
        return response;
    }
}
