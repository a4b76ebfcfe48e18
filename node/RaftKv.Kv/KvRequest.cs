using System.Buffers.Binary;
using RaftKv.MultiRaft.Wire;

namespace RaftKv.Kv;

/// <summary>What a request does. The numbers are in log entries and on the wire; writes are below 16.</summary>
public enum KvOperation : byte
{
    Put = 1,
    Delete = 2,
    Get = 16,
}

/// <summary>When a write may take effect.</summary>
public enum KvCondition : byte
{
    None = 0,

    /// <summary>The key's mod revision is <see cref="KvRequest.ConditionRevision"/> (HTTP If-Match).</summary>
    RevisionIs = 1,

    /// <summary>The key has no value (HTTP If-None-Match: *).</summary>
    Absent = 2,
}

/// <summary>
/// One request on one key. It is encoded once, at the front door; the same bytes are forwarded, stand in the log as the
/// entry's payload, and hold the value that the store writes.
/// </summary>
/// <remarks>
/// <code>
/// format u8 (1) | operation u8 | condition u8 | zero u8 | condition revision u64 | key (block) | value (block)
/// </code>
/// </remarks>
public readonly record struct KvRequest(
    KvOperation Operation, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value = default, KvCondition Condition = KvCondition.None, ulong ConditionRevision = 0)
{
    public const byte FormatVersion = 1;

    public bool IsWrite => IsWriteOperation(Operation);

    public byte[] Encode()
    {
        ByteWriter writer = new(20 + Key.Length + Value.Length);
        writer.U8(FormatVersion);
        writer.U8((byte)Operation);
        writer.U8((byte)Condition);
        writer.U8(0);
        writer.U64(ConditionRevision);
        writer.Block(Key.Span);
        writer.Block(Value.Span);
        return writer.ToArray();
    }

    /// <summary>
    /// Encodes a put whose value is still to come: the caller fills <paramref name="value"/>, exactly that long, before anyone
    /// else sees the bytes. So a value is copied once, from the socket to where log, peers and store take it from.
    /// </summary>
    public static byte[] EncodePut(ReadOnlySpan<byte> key, KvCondition condition, ulong conditionRevision, int valueLength, out Memory<byte> value)
    {
        byte[] bytes = new byte[20 + key.Length + valueLength];
        bytes[0] = FormatVersion;
        bytes[1] = (byte)KvOperation.Put;
        bytes[2] = (byte)condition;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(4), conditionRevision);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), key.Length);
        key.CopyTo(bytes.AsSpan(16));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16 + key.Length), valueLength);
        value = bytes.AsMemory(20 + key.Length);
        return bytes;
    }

    /// <summary>Parses an encoded request; key and value are slices of it. Throws <see cref="MalformedException"/>.</summary>
    public static KvRequest Decode(ReadOnlyMemory<byte> bytes)
    {
        ByteReader reader = new(bytes);
        byte format = reader.U8();
        if (format != FormatVersion) throw new MalformedException($"request format {format}, this build knows {FormatVersion}");
        KvOperation operation = (KvOperation)reader.U8();
        if (!Enum.IsDefined(operation)) throw new MalformedException($"operation {(byte)operation}");
        KvCondition condition = (KvCondition)reader.U8();
        if (!Enum.IsDefined(condition)) throw new MalformedException($"condition {(byte)condition}");
        reader.U8();
        ulong revision = reader.U64();
        KvRequest request = new(operation, reader.Block(), reader.Block(), condition, revision);
        reader.ExpectEnd();
        if (request.Key.IsEmpty) throw new MalformedException("empty key");
        return request;
    }

    internal static bool IsWriteOperation(KvOperation operation) => (byte)operation < 16;
}
