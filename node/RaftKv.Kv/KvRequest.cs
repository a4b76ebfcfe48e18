using System.Buffers.Binary;
using RaftKv.Contracts;
using RaftKv.MultiRaft.Wire;
using RaftKv.Raft;

namespace RaftKv.Kv;

/// <summary>What a request does. The numbers are in log entries and on the wire; writes are below 16.</summary>
public enum KvOperation : byte
{
    Put = 1,
    Delete = 2,

    /// <summary>Deadlines that the entry's stamp has passed: keys with a ttl and idempotency records. Leaders propose it.</summary>
    Expire = 3,

    /// <summary>Several writes on keys of one shard, each for itself: <see cref="KvBatch"/>.</summary>
    Batch = 4,

    /// <summary>Compare, then, else on keys of one shard: <see cref="KvTxn"/>.</summary>
    Txn = 5,
    Get = 16,

    /// <summary>Several gets on keys of one shard: <see cref="KvGets"/>.</summary>
    GetMany = 17,

    /// <summary>A transaction that writes nothing, and so needs no log entry: <see cref="KvTxn"/>.</summary>
    ReadTxn = 18,

    /// <summary>
    /// What became of the transaction with this idempotency key, if it was ever applied here. Its key is the transaction's smallest, its value the
    /// fingerprint u64: XXH64 of the encoded transaction.
    /// </summary>
    Recall = 19,

    /// <summary>Some of the shard's keys, in order: <see cref="KvListRequest"/>, answered with a <see cref="KvListChunk"/>.</summary>
    List = 20,

    /// <summary>
    /// Hands over the shard's leadership. Its value is the node u64 that is to lead, 0 for whichever takes over soonest. It changes no data and comes into
    /// no log, but is not repeated either: the next leader would give its leadership away too.
    /// </summary>
    Transfer = 21,
}

/// <summary>When a write may take effect.</summary>
public enum KvCondition : byte
{
    None = 0,

    /// <summary>The key's mod revision is <see cref="KvRequest.Revision"/> (HTTP If-Match).</summary>
    RevisionIs = 1,

    /// <summary>The key has no value (HTTP If-None-Match: *).</summary>
    Absent = 2,
}

/// <summary>How new the state must be that a read is served from. The numbers are on the wire.</summary>
public enum KvConsistency : byte
{
    /// <summary>It shows every write that was acknowledged before the read began.</summary>
    Linearizable = 0,

    /// <summary>Whatever the nearest replica has, at once; the answer says how old that may be.</summary>
    Stale = 1,

    /// <summary>Linearizable as long as the members' clocks run at nearly the same rate: the leader may rely on its lease.</summary>
    Lease = 2,
}

/// <summary>
/// One request to one shard, mostly on one key. It is encoded once, at the front door; the same bytes are forwarded, stand in the log as the
/// entry's payload, and hold the value that the store writes.
/// </summary>
/// <param name="Revision">Of a condition; for a get the revision to read at, 0 for the newest.</param>
/// <param name="Consistency">Of a read.</param>
/// <param name="TtlMillis">For a put: how long the value lives, in shard time; 0 is for ever.</param>
/// <param name="IdempotencyKey">UTF-8, 1 to 64 bytes; empty is none.</param>
/// <remarks>
/// <code>
/// format u8 (1) | operation u8 | condition u8 | consistency u8 (0 in writes) | revision u64 | ttl ms u64 | idempotency key (block) | key (block) | value (block)
/// </code>
/// Expire (proposed by leaders only) has neither key nor value. Requests on several keys have none of the rest but an idempotency key, and
/// their content as the value: batch <see cref="KvBatch"/>, get many <see cref="KvGets"/>, txn and read txn <see cref="KvTxn"/>,
/// list <see cref="KvListRequest"/>. So has a transfer, which is about no key.
/// </remarks>
public readonly record struct KvRequest(
    KvOperation Operation,
    ReadOnlyMemory<byte> Key,
    ReadOnlyMemory<byte> Value = default,
    KvCondition Condition = KvCondition.None,
    ulong Revision = 0,
    ulong TtlMillis = 0,
    ReadOnlyMemory<byte> IdempotencyKey = default,
    KvConsistency Consistency = KvConsistency.Linearizable)
{
    public const byte FormatVersion = 1;
    public const int MaxIdempotencyKeyBytes = 64;
    private const int ConsistencyOffset = 3;
    private const int IdempotencyKeyOffset = 20;

    /// <summary>The command by which a leader lets deadlines pass; the entry's stamp says up to when.</summary>
    public static readonly byte[] ExpireCommand = new KvRequest(KvOperation.Expire, default).Encode();

    public bool IsWrite => IsWriteOperation(Operation);

    /// <summary>Asks to hand over a shard's leadership: <see cref="KvOperation.Transfer"/>.</summary>
    public static KvRequest TransferTo(NodeId node)
    {
        byte[] value = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(value, node.Value);
        return new KvRequest(KvOperation.Transfer, default, value);
    }

    /// <summary>Asks what became of a transaction: <see cref="KvOperation.Recall"/>.</summary>
    public static KvRequest RecallOf(ReadOnlySpan<byte> encodedTxn, ReadOnlyMemory<byte> smallestKey, ReadOnlyMemory<byte> idempotencyKey)
    {
        byte[] fingerprint = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(fingerprint, XxHash64.Hash(encodedTxn));
        return new KvRequest(KvOperation.Recall, smallestKey, fingerprint, IdempotencyKey: idempotencyKey);
    }

    public byte[] Encode()
    {
        byte[] bytes = EncodeFor(Value.Length, out Memory<byte> value);
        Value.CopyTo(value);
        return bytes;
    }

    /// <summary>
    /// Encodes a put whose value is still to come: the caller fills <paramref name="value"/>, exactly that long, before anyone
    /// else sees the bytes. So a value is copied once, from the socket to where log, peers and store take it from.
    /// </summary>
    public byte[] EncodeFor(int valueLength, out Memory<byte> value)
    {
        int fixedLength = IdempotencyKeyOffset + 4 + IdempotencyKey.Length + 4 + Key.Length + 4;
        byte[] bytes = new byte[fixedLength + valueLength];
        Span<byte> rest = bytes;
        rest[0] = FormatVersion;
        rest[1] = (byte)Operation;
        rest[2] = (byte)Condition;
        rest[ConsistencyOffset] = (byte)Consistency;
        BinaryPrimitives.WriteUInt64LittleEndian(rest[4..], Revision);
        BinaryPrimitives.WriteUInt64LittleEndian(rest[12..], TtlMillis);
        rest = Put(rest[IdempotencyKeyOffset..], IdempotencyKey.Span);
        rest = Put(rest, Key.Span);
        BinaryPrimitives.WriteInt32LittleEndian(rest, valueLength);
        value = bytes.AsMemory(fixedLength);
        return bytes;

        static Span<byte> Put(Span<byte> room, ReadOnlySpan<byte> block)
        {
            BinaryPrimitives.WriteInt32LittleEndian(room, block.Length);
            block.CopyTo(room[4..]);
            return room[(4 + block.Length)..];
        }
    }

    /// <summary>Whether an encoded request carries an idempotency key, so that repeating it is safe.</summary>
    public static bool HasIdempotencyKey(ReadOnlySpan<byte> encoded) => BinaryPrimitives.ReadInt32LittleEndian(encoded[IdempotencyKeyOffset..]) > 0;

    /// <summary>Whether an encoded request is a read for which the leader may rely on its lease.</summary>
    public static bool IsLeaseRead(ReadOnlySpan<byte> encoded) => encoded[ConsistencyOffset] == (byte)KvConsistency.Lease;

    /// <summary>Whether an encoded request is a read that any replica may serve.</summary>
    public static bool IsStaleRead(ReadOnlySpan<byte> encoded) => encoded[ConsistencyOffset] == (byte)KvConsistency.Stale;

    /// <summary>Whether an encoded request, which must parse, may store a value: a put, or a batch or transaction with one in it, in whichever branch.</summary>
    public static bool HasPut(ReadOnlyMemory<byte> encoded)
    {
        KvRequest request = Decode(encoded);
        return request.Operation switch
        {
            KvOperation.Put => true,
            KvOperation.Batch => KvBatch.Decode(request.Value).Items.Any(item => item.Request.Operation == KvOperation.Put),
            KvOperation.Txn => KvTxn.Decode(request.Value) is var txn && txn.Then.Concat(txn.Else).Any(operation => operation.Operation == KvOperation.Put),
            _ => false,
        };
    }

    /// <summary>Parses an encoded request, its content too, so that nothing in it can fail later. Throws <see cref="MalformedException"/>.</summary>
    public static KvRequest DecodeWhole(ReadOnlyMemory<byte> bytes)
    {
        KvRequest request = Decode(bytes);
        switch (request.Operation)
        {
            case KvOperation.Batch: KvBatch.Decode(request.Value); break;
            case KvOperation.GetMany: KvGets.Decode(request.Value); break;
            case KvOperation.List: KvListRequest.Decode(request.Value); break;
            case KvOperation.Txn: KvTxn.Decode(request.Value); break;
            case KvOperation.ReadTxn when KvTxn.Decode(request.Value).HasWrites: throw new MalformedException("a write in a transaction that is only read");
            case KvOperation.Transfer when request.Value.Length != 8: throw new MalformedException($"a node id of {request.Value.Length} bytes");
            case KvOperation.Recall when request.Value.Length != 8: throw new MalformedException($"a fingerprint of {request.Value.Length} bytes");
        }

        return request;
    }

    /// <summary>Parses an encoded request, but for the content of one on several keys; its parts are slices of it. Throws <see cref="MalformedException"/>.</summary>
    public static KvRequest Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        byte format = reader.U8();
        if (format != FormatVersion) throw new MalformedException($"request format {format}, this build knows {FormatVersion}");
        KvOperation operation = (KvOperation)reader.U8();
        if (!Enum.IsDefined(operation)) throw new MalformedException($"operation {(byte)operation}");
        KvCondition condition = (KvCondition)reader.U8();
        if (!Enum.IsDefined(condition)) throw new MalformedException($"condition {(byte)condition}");
        KvConsistency consistency = (KvConsistency)reader.U8();
        if (!Enum.IsDefined(consistency) || (IsWriteOperation(operation) && consistency != KvConsistency.Linearizable)) throw new MalformedException($"consistency {(byte)consistency} of a {operation}");
        ulong revision = reader.U64();
        ulong ttl = reader.U64();
        ReadOnlyMemory<byte> idempotencyKey = reader.Block();
        KvRequest request = new(operation, reader.Block(), reader.Block(), condition, revision, ttl, idempotencyKey, consistency);
        reader.ExpectEnd();
        if (operation == KvOperation.Expire)
        {
            if (!bytes.Span.SequenceEqual(ExpireCommand)) throw new MalformedException("an expire with arguments");
            return request;
        }

        bool isOnOneKey = IsOnOneKey(operation);
        if (request.Key.IsEmpty == isOnOneKey) throw new MalformedException(isOnOneKey ? "empty key" : $"a {operation} with a key of its own");
        if (!isOnOneKey && (condition, revision, ttl) != default) throw new MalformedException($"a {operation} with a condition, revision or ttl of its own");
        // What a dedup record cannot hold must not get into a log: there it could only stop every replica.
        if (idempotencyKey.Length > MaxIdempotencyKeyBytes) throw new MalformedException($"idempotency key of {idempotencyKey.Length} bytes, the limit is {MaxIdempotencyKeyBytes}");
        return request;
    }

    private static bool IsOnOneKey(KvOperation operation) => operation is not (KvOperation.Batch or KvOperation.Txn or KvOperation.GetMany or KvOperation.ReadTxn or KvOperation.List or KvOperation.Transfer);

    internal static bool IsWriteOperation(KvOperation operation) => (byte)operation < 16;
}
